#include "spec/inline_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"
#include "mlpipe/spec/reader.hpp"
#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/task_reader.hpp"
#include "spec/word_reader.hpp"

namespace mlpipe::spec {
namespace {

const std::vector<std::string> k_artifact_types = {
    "Artifact", "Dataset", "Model", "Metrics", "ClassificationMetrics", "SlicedClassificationMetrics",
    "HTML",     "Markdown"};

// Where the data is, as the importer will read it.
std::optional<Template> read_uri(YamlNode node, const std::filesystem::path& directory, Mistakes& mistakes) {
  if (!read_filled_text(node, "`uri`", mistakes)) return std::nullopt;
  std::optional<Template> uri = read_template(node, "`uri`", mistakes);
  if (!uri || uri->parts.empty()) return std::nullopt;
  auto* begin = std::get_if<std::string>(&uri->parts.front());
  if (begin == nullptr) return uri;  // what an expression gives is known later
  if (begin->starts_with("file://")) begin->erase(0, 7);
  std::size_t scheme = begin->find("://");
  if (scheme != std::string::npos) {
    mistakes.error(node.where(), fmt::format("{} addresses cannot be imported", ticked(begin->substr(0, scheme + 3))),
                   "this version reads files of this machine only: use a path");
    return std::nullopt;
  }
  if (begin->starts_with("~")) {
    mistakes.error(node.where(), "`~` is not replaced by your home folder here",
                   "write the whole path, or one relative to this file");
    return std::nullopt;
  }
  // operator/ keeps an absolute path as it is.
  bool ends_with_slash = begin->ends_with('/');
  *begin = (directory / *begin).lexically_normal().string();
  if (uri->parts.size() == 1 && ends_with_slash && begin->size() > 1 && begin->ends_with('/')) begin->pop_back();
  return uri;
}

std::optional<std::string> read_artifact_type(YamlNode node, Mistakes& mistakes) {
  std::optional<std::string> name = read_filled_text(node, "`type`", mistakes);
  if (!name) return std::nullopt;
  if (std::optional<std::string> type = artifact_type_of(*name)) return type;
  std::string hint = mistakes.did_you_mean(*name, k_artifact_types, "types: " + join(k_artifact_types, ", "));
  if (parameter_type_of(*name)) hint = "a small value is a parameter: write it under `parameters`";
  mistakes.error(node.where(), fmt::format("{} is no type of an artifact", ticked(*name)), hint);
  return std::nullopt;
}

bool may_be_in_image_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-/:@").find(c) != std::string_view::npos;
}

std::optional<Template> read_computed_image(YamlNode node, Mistakes& mistakes) {
  std::optional<Template> image = read_template(node, "`image`", mistakes);
  if (!image) return std::nullopt;
  for (const auto& part : image->parts) {
    const auto* text = std::get_if<std::string>(&part);
    if (text == nullptr || std::ranges::all_of(*text, may_be_in_image_name)) continue;
    mistakes.error(node.where(), fmt::format("{} is no name of an image", ticked(node.text())),
                   "around `${{ }}` stand letters, digits and `._-/:@`, without spaces");
    return std::nullopt;
  }
  for (const Reference& reference : image->references()) {
    if (!reference.path.empty() && reference.path[0] == "parameters") continue;
    mistakes.error(reference.where,
                   fmt::format("`image` cannot be computed from {}: images are got ready before the run starts",
                               ticked(to_string(reference))),
                   "the pipeline's parameters are known by then: ${{ parameters.x }}");
    return std::nullopt;
  }
  return image;
}

}  // namespace

bool is_inline_key(std::string_view key) {
  constexpr std::string_view k_keys[] = {"image", "command", "args", "script", "inputs", "outputs"};
  return std::ranges::find(k_keys, key) != std::end(k_keys);
}

std::optional<Template> read_image(YamlNode node, Mistakes& mistakes) {
  std::optional<std::string> image = read_filled_text(node, "`image`", mistakes);
  if (!image) return std::nullopt;
  if (image->find("${{") != std::string::npos) return read_computed_image(node, mistakes);
  if (!check_image_name(node, mistakes)) return std::nullopt;
  return Template::literal(*std::move(image));
}

bool check_image_name(YamlNode node, Mistakes& mistakes) {
  const std::optional<std::string> problem = image_name_problem(node.text());
  if (!problem) return true;
  mistakes.error(node.where(), fmt::format("{} is no name of an image: {}", ticked(node.text()), *problem),
                 "such as python:3.11-slim");
  return false;
}

ComponentSpec read_inline_component(YamlEntry task, const TaskDefaults& defaults, Mistakes& mistakes) {
  ComponentSpec component;
  component.name = task.key.text();
  component.where = task.key.where();
  ContainerSpec container;
  if (defaults.image) {
    container.image = defaults.image->image;
    container.image_where = defaults.image->where;
  }
  std::optional<YamlNode> script, command, args;
  for (YamlEntry entry : task.value.entries()) {
    std::string_view key = entry.key.text();
    if (key == "inputs") read_inline_ports(entry.value, Direction::input, component.interface, mistakes);
    if (key == "outputs") read_inline_ports(entry.value, Direction::output, component.interface, mistakes);
    if (key == "script") script = entry.value;
    if (key == "command") command = entry.value;
    if (key == "args") args = entry.value;
    if (key == "description" && !entry.value.is_null()) {
      component.description = read_text(entry.value, "`description`", mistakes).value_or("");
    }
    if (key == "image") {
      if (auto image = read_image(entry.value, mistakes)) container.image = *std::move(image);
      container.image_where = entry.value.where();
    }
  }
  check_variable_clashes(component.interface, mistakes);
  // Whatever a component has that is misspelt, or was forgotten, the task may take and give.
  bool is_inline = defaults.image.has_value();
  for (YamlEntry entry : task.value.entries()) is_inline = is_inline || is_inline_key(entry.key.text());
  auto may_have = [&](std::string_view key) {
    if (task.value.find(key)) return false;
    if (!is_inline) return true;
    return mistakes.any_error() && has_misspelt(task.value, task_keys(), {key, "component", "import"});  // was told
  };
  if (may_have("inputs")) component.interface.unread_inputs.all = true;
  if (may_have("outputs")) component.interface.unread_outputs.all = true;
  if (!defaults.image && defaults.is_image_known && !task.value.find("image") &&
      !has_misspelt(task.value, task_keys(), {"image", "component", "import"})) {
    mistakes.error(component.where,
                   fmt::format("task {} says no `component`, `import` or `image`", ticked(component.name)),
                   "image: python:3.11-slim makes it an inline one");
  }
  if (script && (command || args)) {
    mistakes.error(script->where(), "`script` cannot stand beside `command` and `args`",
                   "a script's first line says what runs it: #!/usr/bin/env python3");
  }
  if (script && read_filled_text(*script, "`script`", mistakes)) {
    container.script = read_template(*script, "`script`", mistakes);
  }
  if (command) {
    container.command = read_words(*command, "`command`", Texts::with_expressions, component.interface, mistakes);
    container.has_command = !container.command.empty();
  }
  if (args) container.args = read_words(*args, "`args`", Texts::with_expressions, component.interface, mistakes);
  component.implementation = std::move(container);
  return component;
}

ComponentSpec read_importer(YamlNode node, const std::filesystem::path& directory, Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"uri", "type", "metadata"};
  ImporterSpec importer{.uri = {}, .folder = directory.string(), .metadata = {}};
  bool is_mapping = expect_mapping(node, "`import`", mistakes);
  bool has_type = is_mapping && !has_misspelt(node, k_keys, {"type"});
  for (YamlEntry entry : node.entries()) {
    std::string_view key = entry.key.text();
    if (key == "uri") {
      if (auto uri = read_uri(entry.value, directory, mistakes)) importer.uri = *std::move(uri);
    } else if (key == "type") {
      std::optional<std::string> type = read_artifact_type(entry.value, mistakes);
      has_type = type.has_value();
      if (type) importer.type = *std::move(type);
    } else if (key == "metadata") {
      if (entry.value.is_null() || !expect_mapping(entry.value, "`metadata`", mistakes)) continue;
      importer.metadata = read_value(entry.value, mistakes).value_or(Value());
    } else {
      unknown_key(entry.key, "`import`", k_keys, mistakes);
    }
  }
  if (is_mapping && !node.find("uri") && !has_misspelt(node, k_keys, {"uri"}))
    mistakes.error(node.where(), "`import` has no `uri`", "import: {uri: data/table.csv, type: Dataset}");
  ComponentSpec component;
  if (has_type) {
    component.interface.output_artifacts.push_back({.name = "artifact", .type = importer.type, .where = node.where()});
  } else {
    component.interface.unread_outputs.names.emplace_back("artifact");
  }
  component.implementation = std::move(importer);
  return component;
}

}  // namespace mlpipe::spec
