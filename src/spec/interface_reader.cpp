#include "spec/interface_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "mlpipe/base/text.hpp"
#include "mlpipe/spec/reader.hpp"
#include "spec/node_reader.hpp"

namespace mlpipe::spec {
namespace {

const std::vector<std::string> k_type_names = {"String",
                                               "Integer",
                                               "Float",
                                               "Boolean",
                                               "List",
                                               "Struct",
                                               "Artifact",
                                               "Dataset",
                                               "Model",
                                               "Metrics",
                                               "ClassificationMetrics",
                                               "SlicedClassificationMetrics",
                                               "HTML",
                                               "Markdown"};
const std::vector<std::string> k_parameter_type_names(k_type_names.begin(), k_type_names.begin() + 6);

// What is written of one input, output or parameter, before it is known to be a parameter or an artifact.
struct Port {
  std::string name;
  Where where;
  std::optional<YamlNode> type, default_value, path;
  std::string description;
  bool optional = false;
};

std::string_view word(Direction direction) { return direction == Direction::input ? "input" : "output"; }

// `List[str]` means `List`.
std::string_view outer_type(std::string_view name) {
  std::string_view outer = name.substr(0, name.find('['));
  return name.ends_with(']') ? trim(outer) : name;
}

void read_port_key(YamlEntry entry, Port& port, std::string_view what, std::span<const std::string> known,
                   Mistakes& mistakes) {
  std::string_view key = entry.key.text();
  if (std::find(known.begin(), known.end(), key) == known.end()) return unknown_key(entry.key, what, known, mistakes);
  if (key == "type") port.type = entry.value;
  if (key == "default") port.default_value = entry.value;
  if (key == "path") port.path = entry.value;
  if (key == "optional") port.optional = read_flag(entry.value, "`optional`", mistakes).value_or(false);
  if (key == "description" && !entry.value.is_null()) {
    port.description = read_text(entry.value, "`description`", mistakes).value_or("");
  }
}

void add_parameter(Port port, ParameterType type, Direction direction, Interface& interface,
                   std::optional<Value> default_value) {
  bool optional = port.optional;
  auto& list = direction == Direction::input ? interface.input_parameters : interface.output_parameters;
  list.push_back(
      {std::move(port.name), type, std::move(default_value), optional, std::move(port.description), port.where});
}

void add_artifact(Port port, std::string type, Direction direction, Interface& interface, Mistakes& mistakes) {
  ArtifactSpec artifact{std::move(port.name),        std::move(type), port.optional,
                        std::move(port.description), "data",          port.where};
  if (port.default_value && !port.default_value->is_null()) {
    mistakes.error(port.default_value->where(), "an artifact has no default",
                   "optional: true lets a task leave it out");
  }
  if (port.path && read_filled_text(*port.path, "`path`", mistakes) &&
      check_name(*port.path, "the file of an output", mistakes)) {
    artifact.file_name = port.path->text();
  }
  auto& list = direction == Direction::input ? interface.input_artifacts : interface.output_artifacts;
  list.push_back(std::move(artifact));
}

std::optional<Value> read_default(const Port& port, ParameterType type, Mistakes& mistakes) {
  if (!port.default_value) return std::nullopt;
  return read_parameter_value(*port.default_value, type, "`default`", mistakes);
}

// A default in a component.yaml: KFP writes them as text, to be read by type.
std::optional<Value> read_text_default(const Port& port, ParameterType type, Mistakes& mistakes) {
  if (!port.default_value || port.default_value->is_null()) return std::nullopt;
  if (!port.default_value->is_scalar()) return read_default(port, type, mistakes);
  Result<Value> value = parse_parameter(port.default_value->text(), type);
  if (value) return *std::move(value);
  mistakes.error(port.default_value->where(), "`default`: " + value.error().message);
  return std::nullopt;
}

void reject_parameter_path(const Port& port, Mistakes& mistakes) {
  if (!port.path) return;
  mistakes.error(port.path->where(), "`path` names the file of an artifact; this is a parameter");
}

void reject_status_type(YamlNode type, Mistakes& mistakes) {
  mistakes.error(type.where(), fmt::format("{} is not supported by this version", ticked(type.text())));
}

bool is_status_type(std::string_view name) { return name == "PipelineTaskFinalStatus" || name == "TaskConfig"; }

ParameterType type_of(const Value& value) {
  if (value.is_bool()) return ParameterType::boolean;
  if (value.is_integer()) return ParameterType::integer;
  if (value.is_double()) return ParameterType::floating;
  if (value.is_list()) return ParameterType::list;
  return value.is_struct() ? ParameterType::structure : ParameterType::string;
}

void tell_untyped(const Port& port, YamlNode value, Mistakes& mistakes) {
  mistakes.error(
      value.where(), fmt::format("parameter {} has neither type nor default", ticked(port.name)),
      fmt::format("{0}: {{type: String}} must be given; {0}: \"\" has the empty text for default", port.name));
}

// A parameter that says no type has that of its default.
void add_typed_by_default(Port port, YamlNode value, Interface& interface, Mistakes& mistakes) {
  if (value.is_null()) return tell_untyped(port, value, mistakes);
  std::optional<Value> default_value = read_value(value, mistakes);
  if (!default_value) return;
  ParameterType type = type_of(*default_value);
  add_parameter(std::move(port), type, Direction::input, interface, std::move(default_value));
}

void read_parameter(YamlEntry entry, Interface& interface, Mistakes& mistakes) {
  static const std::vector<std::string> k_known = {"type", "default", "description", "optional"};
  if (!check_name(entry.key, "a parameter", mistakes)) return;
  Port port{.name = std::string(entry.key.text()),
            .where = entry.key.where(),
            .type = {},
            .default_value = {},
            .path = {},
            .description = {}};
  if (!entry.value.is_mapping()) return add_typed_by_default(std::move(port), entry.value, interface, mistakes);
  std::string what = fmt::format("parameter {}", ticked(port.name));
  std::size_t before = mistakes.errors();
  for (YamlEntry member : entry.value.entries()) read_port_key(member, port, what, k_known, mistakes);
  if (!port.type && !port.default_value) {
    if (mistakes.errors() > before || entry.value.is_shortened()) return;  // whatever else it says is no key of these
    return tell_untyped(port, entry.value, mistakes);
  }
  if (!port.type) return add_typed_by_default(port, *port.default_value, interface, mistakes);
  std::string_view name = outer_type(port.type->text());
  std::optional<ParameterType> type = parameter_type_of(name);
  if (!type) {
    std::string hint = artifact_type_of(name) ? "to bring in data, use a task with `import`"
                                              : mistakes.did_you_mean(name, k_parameter_type_names,
                                                                      "types: " + join(k_parameter_type_names, ", "));
    mistakes.error(port.type->where(), fmt::format("{} is no type of a parameter", ticked(port.type->text())), hint);
    return;
  }
  std::optional<Value> default_value = read_default(port, *type, mistakes);
  add_parameter(std::move(port), *type, Direction::input, interface, std::move(default_value));
}

void read_inline_port(YamlEntry entry, Direction direction, Interface& interface, Mistakes& mistakes) {
  static const std::vector<std::string> k_input = {"type", "description", "default", "optional"};
  static const std::vector<std::string> k_output = {"type", "description", "optional", "path"};
  if (!check_name(entry.key, direction == Direction::input ? "an input" : "an output", mistakes)) return;
  Port port{.name = std::string(entry.key.text()),
            .where = entry.key.where(),
            .type = {},
            .default_value = {},
            .path = {},
            .description = {}};
  std::string what = fmt::format("{} {}", word(direction), ticked(port.name));
  if (entry.value.is_mapping()) {
    const auto& known = direction == Direction::input ? k_input : k_output;
    for (YamlEntry member : entry.value.entries()) read_port_key(member, port, what, known, mistakes);
  } else {
    port.type = entry.value;
  }
  if (!port.type || !port.type->is_scalar()) {
    if (entry.value.has_lost()) return;
    mistakes.error(port.type ? port.type->where() : port.where, fmt::format("{} has no type", what),
                   "types: " + join(k_type_names, ", "));
    return;
  }
  std::string_view name = outer_type(port.type->text());
  if (is_status_type(name)) return reject_status_type(*port.type, mistakes);
  if (std::optional<ParameterType> type = parameter_type_of(name)) {
    reject_parameter_path(port, mistakes);
    std::optional<Value> default_value = read_default(port, *type, mistakes);
    return add_parameter(std::move(port), *type, direction, interface, std::move(default_value));
  }
  if (std::optional<std::string> type = artifact_type_of(name)) {
    return add_artifact(std::move(port), *std::move(type), direction, interface, mistakes);
  }
  mistakes.error(port.type->where(), fmt::format("{} is no type", ticked(port.type->text())),
                 mistakes.did_you_mean(name, k_type_names, "types: " + join(k_type_names, ", ")));
}

void read_listed_port(YamlNode item, Direction direction, Interface& interface, Mistakes& mistakes) {
  static const std::vector<std::string> k_input = {"name", "type", "description", "default", "optional", "annotations"};
  static const std::vector<std::string> k_output = {"name", "type", "description", "optional", "path", "annotations"};
  if (!expect_mapping(item, fmt::format("an {}", word(direction)), mistakes)) return;
  std::optional<YamlNode> name = item.find("name");
  if (!name || !name->is_scalar()) {
    mistakes.error(item.where(), fmt::format("this {} has no name", word(direction)), "write {name: x, type: Dataset}");
    return;
  }
  // A name that can be a folder and a reference stays; others become KFP's key.
  std::string key(name->text());
  if (name_problem(key)) key = normalized_name(key);
  if (name_problem(key)) {
    check_name(*name, fmt::format("an {}", word(direction)), mistakes);
    return;
  }
  Port port{.name = key, .where = name->where(), .type = {}, .default_value = {}, .path = {}, .description = {}};
  std::string what = fmt::format("{} {}", word(direction), ticked(name->text()));
  const auto& known = direction == Direction::input ? k_input : k_output;
  for (YamlEntry member : item.entries()) read_port_key(member, port, what, known, mistakes);

  // In KFP, no type, a mapping or an unknown name is an artifact of any kind.
  std::string_view type_name = port.type ? outer_type(port.type->text()) : "Artifact";
  if (is_status_type(type_name)) return reject_status_type(*port.type, mistakes);
  if (std::optional<ParameterType> type = parameter_type_of(type_name)) {
    reject_parameter_path(port, mistakes);
    std::optional<Value> default_value = read_text_default(port, *type, mistakes);
    return add_parameter(std::move(port), *type, direction, interface, std::move(default_value));
  }
  add_artifact(std::move(port), artifact_type_of(type_name).value_or("system.Artifact"), direction, interface,
               mistakes);
}

template <class Visit>
void for_each_port(const Interface& interface, Direction direction, const Visit& visit) {
  bool inputs = direction == Direction::input;
  for (const ParameterSpec& port : inputs ? interface.input_parameters : interface.output_parameters) {
    visit(port.name, port.where);
  }
  for (const ArtifactSpec& port : inputs ? interface.input_artifacts : interface.output_artifacts) {
    visit(port.name, port.where);
  }
}

UnreadPorts& unread_of(Interface& interface, Direction direction) {
  return direction == Direction::input ? interface.unread_inputs : interface.unread_outputs;
}
const UnreadPorts& unread_of(const Interface& interface, Direction direction) {
  return direction == Direction::input ? interface.unread_inputs : interface.unread_outputs;
}

// Reads one declaration, `node`. Of one with a mistake in it nothing is sure but the name: its type, or whether it has a
// default, may be what is wrong.
template <class Read>
void read_declared(std::string_view name, YamlNode node, UnreadPorts& unread, Mistakes& mistakes, const Read& read) {
  std::size_t before = mistakes.errors();
  read();
  if (mistakes.errors() > before || node.has_lost()) unread.names.push_back(normalized_name(name));
}

// Of `node`, which declares them all. Sorts the names, for is_unread().
void finish_unread(YamlNode node, UnreadPorts& unread) {
  if (node.is_shortened()) unread.all = true;
  std::ranges::sort(unread.names);
}

}  // namespace

void read_parameters(YamlNode node, Interface& interface, Mistakes& mistakes) {
  UnreadPorts& unread = interface.unread_inputs;
  if (node.is_null()) return;
  if (!expect_mapping(node, "`parameters`", mistakes)) {
    unread.all = true;
    return;
  }
  for (YamlEntry entry : node.entries()) {
    read_declared(entry.key.text(), entry.value, unread, mistakes, [&] { read_parameter(entry, interface, mistakes); });
  }
  finish_unread(node, unread);
}

void read_inline_ports(YamlNode node, Direction direction, Interface& interface, Mistakes& mistakes) {
  UnreadPorts& unread = unread_of(interface, direction);
  if (node.is_null()) return;
  if (!expect_mapping(node, fmt::format("`{}s`", word(direction)), mistakes)) {
    unread.all = true;
    return;
  }
  std::set<std::string_view> seen;  // one that is there twice has been told of
  for (YamlEntry entry : node.entries()) {
    if (!seen.insert(entry.key.text()).second) continue;
    read_declared(entry.key.text(), entry.value, unread, mistakes,
                  [&] { read_inline_port(entry, direction, interface, mistakes); });
  }
  finish_unread(node, unread);
}

void read_listed_ports(YamlNode node, Direction direction, Interface& interface, Mistakes& mistakes) {
  UnreadPorts& unread = unread_of(interface, direction);
  if (node.is_null()) return;
  if (!expect_sequence(node, fmt::format("`{}s`", word(direction)), mistakes)) {
    unread.all = true;
    return;
  }
  for (YamlNode item : node.items()) {
    std::optional<YamlNode> name = item.find("name");
    read_declared(name ? name->text() : "", item, unread, mistakes,
                  [&] { read_listed_port(item, direction, interface, mistakes); });
    if (!name) unread.all = true;
  }
  finish_unread(node, unread);
}

void check_variable_clashes(const Interface& interface, Mistakes& mistakes) {
  for (Direction direction : {Direction::input, Direction::output}) {
    std::unordered_map<std::string, std::string> seen;
    for_each_port(interface, direction, [&](const std::string& name, Where where) {
      auto [found, is_new] = seen.emplace(variable_suffix(name), name);
      if (is_new) return;
      if (found->second == name) {
        mistakes.error(where, fmt::format("there are two {}s {}", word(direction), ticked(name)));
      } else {
        mistakes.error(where,
                       fmt::format("{0}s {1} and {2} are both MLPIPE_{3}_{4} in the container", word(direction),
                                   ticked(found->second), ticked(name),
                                   direction == Direction::input ? "INPUT" : "OUTPUT", found->first),
                       "give one of them another name");
      }
    });
  }
}

std::optional<std::string> find_port(const Interface& interface, Direction direction, std::string_view name) {
  std::optional<std::string> exact, alike;
  for_each_port(interface, direction, [&](const std::string& port, Where) {
    if (port == name) exact = port;
  });
  if (exact) return exact;
  std::string normalized = normalized_name(name);
  for_each_port(interface, direction, [&](const std::string& port, Where) {
    if (!alike && normalized_name(port) == normalized) alike = port;
  });
  return alike;
}

bool is_unread(const Interface& interface, Direction direction, std::string_view name) {
  const UnreadPorts& unread = unread_of(interface, direction);
  if (unread.all || unread.names.empty()) return unread.all;
  return std::ranges::binary_search(unread.names, normalized_name(name));
}

std::vector<std::string> inputs_called(const Interface& interface, std::string_view name) {
  const std::string key = normalized_name(name);
  std::vector<std::string> alike;
  const std::vector<std::string> names = port_names(interface, Direction::input);
  for (std::string_view wanted : {name, std::string_view(key)}) {
    if (std::ranges::find(names, wanted) != names.end()) return {std::string(wanted)};
  }
  std::ranges::copy_if(names, std::back_inserter(alike),
                       [&](const std::string& each) { return normalized_name(each) == key; });
  return alike;
}

std::vector<std::string> port_names(const Interface& interface, Direction direction) {
  std::vector<std::string> names;
  for_each_port(interface, direction, [&](const std::string& port, Where) { names.push_back(port); });
  const std::vector<std::string>& unread = unread_of(interface, direction).names;
  if (unread.empty()) return names;
  std::set<std::string> known;
  for (const std::string& name : names) known.insert(normalized_name(name));
  std::ranges::copy_if(unread, std::back_inserter(names),
                       [&](const std::string& name) { return !name.empty() && !known.contains(name); });
  return names;
}

}  // namespace mlpipe::spec
