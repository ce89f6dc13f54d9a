#pragma once

#include <filesystem>
#include <optional>

#include "mlpipe/spec/model.hpp"
#include "spec/source_files.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// A component.yaml in KFP's published format, with our additions: `build` in the container, `path` and `optional` on
// outputs. `folder` is where the file lies: `build` is taken from there, and names a component that has no name. A file
// from a snapshot may `build` a folder that is gone by now: that is found out when the image is needed.
// With mistakes, it is the component as far as it could be read; nothing only when the file is no component at all.
std::optional<ComponentSpec> read_component_tree(YamlNode root, const std::filesystem::path& folder, Origin origin,
                                                 Mistakes& mistakes);

}  // namespace mlpipe::spec
