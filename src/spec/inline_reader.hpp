#pragma once

#include <filesystem>
#include <optional>

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// Whether `key` of a task says what an inline component is.
bool is_inline_key(std::string_view key);

// An image's name: a text that could be one, or one made of the pipeline's parameters.
std::optional<Template> read_image(YamlNode node, Mistakes& mistakes);
// That the text of `node` could be an image's name.
bool check_image_name(YamlNode node, Mistakes& mistakes);

struct TaskDefaults;

// The component that an inline task holds: image, command and args or script, inputs and outputs. Its texts may still
// name parameters and other tasks' outputs, which Wiring makes inputs of. With mistakes, as far as it could be read.
ComponentSpec read_inline_component(YamlEntry task, const TaskDefaults& defaults, Mistakes& mistakes);

// The component that `import: {uri, type, metadata}` holds; its one output is named `artifact`. A relative path is taken
// from `directory`. With mistakes, as far as it could be read.
ComponentSpec read_importer(YamlNode node, const std::filesystem::path& directory, Mistakes& mistakes);

}  // namespace mlpipe::spec
