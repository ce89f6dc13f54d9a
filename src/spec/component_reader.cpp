#include "spec/component_reader.hpp"

#include <fmt/format.h>

#include "spec/inline_reader.hpp"
#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/settings_reader.hpp"
#include "spec/word_reader.hpp"

namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

class ComponentReader final {
 public:
  ComponentReader(const fs::path& folder, Origin origin, Mistakes& mistakes)
      : folder_(folder), origin_(origin), mistakes_(mistakes) {}

  ComponentSpec read(YamlNode root) {
    component_.where = root.where();
    component_.name = folder_.filename().string();
    std::optional<YamlNode> implementation;
    for (YamlEntry entry : root.entries()) {
      if (entry.key.text() == "implementation") {
        implementation = entry.value;
      } else {
        read_key(entry);
      }
    }
    check_variable_clashes(component_.interface, mistakes_);
    if (has_misspelt(root, keys(), {"inputs"})) component_.interface.unread_inputs.all = true;
    if (has_misspelt(root, keys(), {"outputs"})) component_.interface.unread_outputs.all = true;
    if (implementation) {
      read_implementation(*implementation);
    } else if (!has_misspelt(root, keys(), {"implementation"})) {
      mistakes_.error(root.where(), "`implementation` is missing",
                      "a component has implementation: {container: {image: ..., command: [...]}}");
    }
    return std::move(component_);
  }

 private:
  static const std::vector<std::string>& keys() {
    static const std::vector<std::string> all = {"name",   "description", "metadata",
                                                 "inputs", "outputs",     "implementation"};
    return all;
  }

  void read_key(YamlEntry entry) {
    std::string_view key = entry.key.text();
    if (key == "name") {
      if (auto name = read_filled_text(entry.value, "`name`", mistakes_)) component_.name = *std::move(name);
    } else if (key == "description") {
      if (!entry.value.is_null())
        component_.description = read_text(entry.value, "`description`", mistakes_).value_or("");
    } else if (key == "metadata") {
      read_metadata(entry.value);
    } else if (key == "inputs") {
      read_listed_ports(entry.value, Direction::input, component_.interface, mistakes_);
    } else if (key == "outputs") {
      read_listed_ports(entry.value, Direction::output, component_.interface, mistakes_);
    } else {
      unknown_key(entry.key, "a component", keys(), mistakes_);
    }
  }

  // Annotations and labels are for people and other tools: checked, not kept.
  void read_metadata(YamlNode node) {
    static const std::vector<std::string> k_keys = {"annotations", "labels"};
    if (node.is_null() || !expect_mapping(node, "`metadata`", mistakes_)) return;
    for (YamlEntry entry : node.entries()) {
      if (entry.key.text() != "annotations" && entry.key.text() != "labels") {
        unknown_key(entry.key, "`metadata`", k_keys, mistakes_);
      } else if (!entry.value.is_null()) {
        expect_mapping(entry.value, ticked(entry.key.text()), mistakes_);
      }
    }
  }

  void read_implementation(YamlNode node) {
    static const std::vector<std::string> k_keys = {"container"};
    if (!expect_mapping(node, "`implementation`", mistakes_)) return;
    std::optional<YamlNode> container;
    for (YamlEntry entry : node.entries()) {
      if (entry.key.text() == "container") {
        container = entry.value;
      } else if (entry.key.text() == "graph") {
        mistakes_.error(entry.key.where(), "components made of other components (`graph`) are not supported",
                        "write a pipeline.yaml with these tasks");
        return;
      } else {
        unknown_key(entry.key, "`implementation`", k_keys, mistakes_);
      }
    }
    if (!container) {
      if (!has_misspelt(node, k_keys, {"container"}))
        mistakes_.error(node.where(), "`implementation` has no `container`");
    } else if (expect_mapping(*container, "`container`", mistakes_)) {
      read_container(*container);
    }
  }

  void read_container(YamlNode node) {
    ContainerSpec container;
    for (YamlEntry entry : node.entries()) read_container_key(entry, container);
    if (auto image = node.find("image"); image && node.find("build")) {
      mistakes_.error(image->where(), "`image` cannot stand beside `build`",
                      "the image is either built from a folder or has a name: write one of them");
    }
    if (!node.find("image") && !node.find("build") && !has_misspelt(node, container_keys(), {"image", "build"})) {
      mistakes_.error(node.where(), "the container has neither `image` nor `build`",
                      "name an image, or write `build: .` for the Dockerfile beside this file");
    }
    component_.implementation = std::move(container);
  }

  static const std::vector<std::string>& container_keys() {
    static const std::vector<std::string> keys = {"image", "build", "command", "args", "env"};
    return keys;
  }

  void read_container_key(YamlEntry entry, ContainerSpec& container) {
    std::string_view key = entry.key.text();
    if (key == "build" || (key == "image" && container.build_context.empty()))
      container.image_where = entry.value.where();
    if (key == "image") {
      auto image = read_filled_text(entry.value, "`image`", mistakes_);
      if (image && check_image_name(entry.value, mistakes_)) container.image = Template::literal(*image);
    } else if (key == "build") {
      read_build(entry.value, container);
    } else if (key == "command") {
      container.command = read_words(entry.value, "`command`", Texts::literal, component_.interface, mistakes_);
      container.has_command = !container.command.empty();
    } else if (key == "args") {
      container.args = read_words(entry.value, "`args`", Texts::literal, component_.interface, mistakes_);
    } else if (key == "env") {
      read_literal_env(entry.value, container.env);
    } else if (key == "fileOutputs") {
      mistakes_.error(entry.key.where(), "`fileOutputs` is not supported, as in KFP 2",
                      "use {outputPath: name} in args");
    } else {
      unknown_key(entry.key, "`container`", container_keys(), mistakes_);
    }
  }

  void read_literal_env(YamlNode node, std::vector<EnvVariable>& env) {
    if (node.is_null() || !expect_mapping(node, "`env`", mistakes_)) return;
    for (YamlEntry entry : node.entries()) {
      std::string what = fmt::format("variable {}", ticked(entry.key.text()));
      std::optional<std::string> value = read_text(entry.value, what, mistakes_);
      if (check_variable_name(entry.key, mistakes_) && value) {
        env.push_back({std::string(entry.key.text()), Template::literal(*std::move(value))});
      }
    }
  }

  void read_build(YamlNode node, ContainerSpec& container) {
    std::optional<std::string> folder = read_filled_text(node, "`build`", mistakes_);
    if (!folder) return;
    container.build_context = (folder_ / *folder).lexically_normal();
    if (!container.build_context.has_filename()) container.build_context = container.build_context.parent_path();
    if (origin_ == Origin::snapshot) return;
    std::error_code ignored;
    if (!fs::is_directory(container.build_context, ignored)) {
      mistakes_.error(node.where(), fmt::format("there is no folder {}", ticked(container.build_context.string())));
    } else if (!fs::exists(container.build_context / "Dockerfile", ignored)) {
      mistakes_.error(node.where(),
                      fmt::format("there is no Dockerfile in {}", ticked(container.build_context.string())));
    }
  }

  const fs::path& folder_;
  Origin origin_;
  Mistakes& mistakes_;
  ComponentSpec component_;
};

}  // namespace

std::optional<ComponentSpec> read_component_tree(YamlNode root, const fs::path& folder, Origin origin,
                                                 Mistakes& mistakes) {
  if (!expect_mapping(root, "a component", mistakes)) return std::nullopt;
  if (root.find("tasks")) {
    mistakes.error(root.where(), "this is a pipeline, not a component");
    return std::nullopt;
  }
  return ComponentReader(folder, origin, mistakes).read(root);
}

}  // namespace mlpipe::spec
