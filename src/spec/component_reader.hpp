#pragma once

#include <filesystem>
#include <optional>

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// A component.yaml in KFP's published format, with our additions: `build` in the container, `path` and `optional` on
// outputs. `folder` is where the file lies: `build` is taken from there, and names a component that has no name.
std::optional<ComponentSpec> read_component_tree(YamlNode root, const std::filesystem::path& folder, Mistakes& mistakes);

}  // namespace mlpipe::spec
