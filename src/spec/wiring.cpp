#include "spec/wiring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "spec/condition.hpp"
#include "spec/cycles.hpp"
#include "spec/expression_rename.hpp"
#include "spec/implicit_inputs.hpp"
#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/task_reader.hpp"

namespace mlpipe::spec {
namespace {

bool parameter_fits(ParameterType from, ParameterType to) {
  return from == to || to == ParameterType::string || (from == ParameterType::integer && to == ParameterType::floating);
}

bool may_hold_expression(YamlNode node) {
  return node.is_scalar() && node.text().find("${{") != std::string_view::npos;
}

bool is_blank(const Template::Part& part) {
  const auto* text = std::get_if<std::string>(&part);
  return text != nullptr && trim(*text).empty();
}

std::optional<YamlNode> expression_inside(YamlNode node) {
  if (may_hold_expression(node)) return node;
  for (YamlNode item : node.items()) {
    if (auto found = expression_inside(item)) return found;
  }
  for (YamlEntry entry : node.entries()) {
    if (auto found = expression_inside(entry.value)) return found;
  }
  return std::nullopt;
}

// Where the task that `task` describes says `name` under `key`, which is one word or a list of them.
std::optional<Where> place_in(YamlNode task, std::string_view key, std::string_view name) {
  std::optional<YamlNode> words = task.find(key);
  if (!words) return std::nullopt;
  if (words->is_scalar() && words->text() == name) return words->where();
  for (YamlNode item : words->items()) {
    if (item.text() == name) return item.where();
  }
  return std::nullopt;
}

std::string short_type(std::string_view schema_title) {
  if (schema_title.starts_with("system.")) schema_title.remove_prefix(7);
  return std::string(schema_title);
}

}  // namespace

void Wiring::bind_task(std::size_t index, YamlNode node) {
  TaskSpec& task = dag_.tasks[index];
  nodes_.push_back(node);
  for (const std::string& name : task.after) {
    if (!scope_.task_index(name)) scope_.task(name, place_in(node, "after", name).value_or(task.where));
  }
  if (std::optional<YamlNode> when = node.find("when")) bind_when(task, *when);
  check_pools(task, node);
  std::optional<YamlNode> arguments = node.find("arguments");
  if (task.component == k_no_component) {
    if (arguments) check_references_in(*arguments);
    check_env(task);
    return;
  }
  bool is_importer = reading_.spec.component(task.component).is_importer();  // with arguments: said already
  if (arguments && is_importer) check_references_in(*arguments);
  if (arguments && !is_importer) bind_arguments(task, *arguments);
  check_missing(task, node);
  add_implicit_inputs(task, scope_, reading_);
}

// Of what cannot be bound, since that which would take it could not be read.
void Wiring::check_references_in(YamlNode value) {
  if (may_hold_expression(value)) {
    if (auto text = read_template(value, "an argument", reading_.mistakes)) check_references(*text);
  }
  for (YamlNode item : value.items()) check_references_in(item);
  for (YamlEntry entry : value.entries()) check_references_in(entry.value);
}

void Wiring::check_references(const Template& text) {
  for (const Reference& reference : text.references()) scope_.resolve(reference);
}

// Variables may name the inputs of the task, too, which are not known here.
void Wiring::check_env(const TaskSpec& task) {
  for (const EnvVariable& variable : task.settings->env) {
    for (const Reference& reference : variable.value.references()) {
      if (is_of_pipeline(reference)) scope_.resolve(reference);
    }
  }
}

void Wiring::bind_arguments(TaskSpec& task, YamlNode node) {
  if (node.is_null() || !expect_mapping(node, "`arguments`", reading_.mistakes)) return;
  for (YamlEntry entry : node.entries()) bind_argument(task, entry);
}

void Wiring::bind_argument(TaskSpec& task, YamlEntry entry) {
  const Interface& interface = reading_.spec.component(task.component).interface;
  std::optional<std::string> input = find_port(interface, Direction::input, entry.key.text());
  bool is_sure = input && !is_unread(interface, Direction::input, *input);
  if (!is_sure) check_references_in(entry.value);
  if (is_unread(interface, Direction::input, entry.key.text())) return;
  if (input && entry.value.has_lost()) {  // told already: it is wrong, not missing
    task.arguments.push_back({*std::move(input), Binding(Value()), entry.value.where()});
    return;
  }
  if (!input) {
    std::vector<std::string> names = port_names(interface, Direction::input);
    reading_.mistakes.error(
        entry.key.where(), fmt::format("task {} has no input {}", ticked(task.name), ticked(entry.key.text())),
        reading_.mistakes.did_you_mean(entry.key.text(), names, fmt::format("its inputs: {}", listed(names))));
    return;
  }
  bool is_given = std::any_of(task.arguments.begin(), task.arguments.end(),
                              [&](const Argument& argument) { return argument.input == *input; });
  if (is_given) {
    reading_.mistakes.error(entry.key.where(), fmt::format("input {} is given twice", ticked(*input)));
    return;
  }
  std::size_t before = reading_.mistakes.errors();
  std::optional<Binding> binding = bind(entry.value, *input, interface);
  // A wrong argument was said to be wrong; it is not missing as well.
  if (!binding && reading_.mistakes.errors() == before) return;
  task.arguments.push_back({*std::move(input), binding ? *std::move(binding) : Binding(Value()), entry.value.where()});
}

std::optional<Binding> Wiring::bind(YamlNode value, std::string_view input, const Interface& interface) {
  if (may_hold_expression(value)) return bind_template(value, input, interface);
  const ParameterSpec* parameter = interface.input_parameter(input);
  if (parameter == nullptr) {
    const ArtifactSpec* artifact = interface.input_artifact(input);
    reading_.mistakes.error(
        value.where(),
        fmt::format("input {} is an artifact ({}), not a value", ticked(input), short_type(artifact->type)),
        "give it ${{ tasks.TASK.outputs.NAME }}; a task with `import` brings in data from outside");
    return std::nullopt;
  }
  if (std::optional<YamlNode> inside = expression_inside(value)) {
    reading_.mistakes.error(inside->where(), "`${{ }}` inside a list or mapping is not evaluated",
                            "make the whole argument one expression: ${{ [parameters.a, 'b'] }}");
    return std::nullopt;
  }
  if (value.is_null()) {
    reading_.mistakes.error(value.where(), fmt::format("argument {} has no value", ticked(input)),
                            "leave it out to use the default, or write \"\" for an empty text");
    return std::nullopt;
  }
  std::optional<Value> constant =
      read_parameter_value(value, parameter->type, fmt::format("input {}", ticked(input)), reading_.mistakes);
  if (!constant) return std::nullopt;
  return Binding(*std::move(constant));
}

std::optional<Binding> Wiring::bind_template(YamlNode value, std::string_view input, const Interface& interface) {
  std::size_t before = reading_.mistakes.errors();
  std::optional<Template> text = read_template(value, fmt::format("input {}", ticked(input)), reading_.mistakes);
  if (!text) return std::nullopt;
  if (reading_.mistakes.errors() > before) {
    check_references(*text);
    return std::nullopt;
  }
  const Expression* whole = text->whole();
  const Reference* reference = whole != nullptr ? whole->as_reference() : nullptr;
  if (reference != nullptr && (reference->path[0] == "parameters" || reference->path[0] == "tasks")) {
    return bind_reference(*reference, input, interface);
  }
  const ParameterSpec* parameter = interface.input_parameter(input);
  if (parameter == nullptr) {
    reading_.mistakes.error(
        value.where(),
        fmt::format("input {} is an artifact ({})", ticked(input), short_type(interface.input_artifact(input)->type)),
        "give it ${{ tasks.TASK.outputs.NAME }} and nothing else");
    return std::nullopt;
  }
  if (!check_values_only(text->references())) return std::nullopt;
  if (whole == nullptr && parameter->type != ParameterType::string) {
    reading_.mistakes.error(value.where(),
                            fmt::format("input {} is {}, not text", ticked(input), to_string(parameter->type)),
                            "an argument that is one ${{ }} and nothing else keeps its type");
    return std::nullopt;
  }
  if (text->is_literal()) {  // `$${{` only
    std::string literal;
    for (const Template::Part& part : text->parts) literal += std::get<std::string>(part);
    return Binding(Value(std::move(literal)));
  }
  return Binding(renamed(*text, [&](const Reference& named) { return as_declared(named); }));
}

// Outputs may be named by another spelling of theirs ("Train set" for train_set); later stages know the declared one only.
Reference Wiring::as_declared(Reference reference) {
  if (reference.path[0] != "tasks") return reference;
  if (std::optional<Source> source = scope_.resolve(reference)) reference.path[3] = source->output;
  return reference;
}

std::optional<Binding> Wiring::bind_reference(const Reference& reference, std::string_view input,
                                              const Interface& interface) {
  std::optional<Source> source = scope_.resolve(reference);
  if (!source) return std::nullopt;
  if (reference.path.size() == 5) {
    reading_.mistakes.error(reference.where,
                            fmt::format("{} is known inside a container only", ticked(to_string(reference))),
                            fmt::format("make the input an artifact and give it {}",
                                        to_string({{reference.path.begin(), reference.path.begin() + 4}, {}})));
    return std::nullopt;
  }
  if (source->kind != Source::Kind::unknown && !check_fits(*source, reference, input, interface)) return std::nullopt;
  if (reference.path[0] == "parameters") return Binding(PipelineInput{reference.path[1]});
  return Binding(TaskOutput{reference.path[1], source->output});
}

bool Wiring::check_fits(const Source& source, const Reference& reference, std::string_view input,
                        const Interface& interface) {
  const ParameterSpec* parameter = interface.input_parameter(input);
  const ArtifactSpec* artifact = interface.input_artifact(input);
  std::string name = to_string(reference);
  if (artifact != nullptr && source.kind == Source::Kind::artifact) {
    if (artifact_fits(source.artifact_type, artifact->type)) {
      return !source.may_be_absent || artifact->optional || tell_of_absent(reference, input);
    }
    reading_.mistakes.error(reference.where, fmt::format("input {} takes {}, but {} is {}", ticked(input),
                                                         short_type(artifact->type), ticked(name), type_text(source)));
    return false;
  }
  if (artifact != nullptr) {
    reading_.mistakes.error(reference.where,
                            fmt::format("input {} is an artifact ({}), but {} is a parameter ({})", ticked(input),
                                        short_type(artifact->type), ticked(name), type_text(source)));
    return false;
  }
  if (source.kind == Source::Kind::artifact) {
    reading_.mistakes.error(reference.where,
                            fmt::format("input {} is a parameter ({}), but {} is an artifact ({})", ticked(input),
                                        to_string(parameter->type), ticked(name), type_text(source)),
                            "an artifact feeds inputs that are artifacts; its content is in a file");
    return false;
  }
  if (!parameter_fits(source.parameter_type, parameter->type)) {
    reading_.mistakes.error(reference.where,
                            fmt::format("input {} is {}, but {} is {}", ticked(input), to_string(parameter->type),
                                        ticked(name), type_text(source)),
                            parameter->type == ParameterType::integer ? "int(...) makes an Integer of it" : "");
    return false;
  }
  bool may_be_left_out = parameter->optional || parameter->default_value;
  return !source.may_be_absent || may_be_left_out || tell_of_absent(reference, input);
}

// False: there may be nothing for an input that must be given.
bool Wiring::tell_of_absent(const Reference& reference, std::string_view input) {
  bool is_parameter = reference.path[0] == "parameters";
  reading_.mistakes.error(reference.where,
                          fmt::format("input {} must be given, but {} is optional{}", ticked(input),
                                      ticked(to_string(reference)), is_parameter ? " and has no default" : ""),
                          is_parameter ? "" : "make the input optional, too, or the output not");
  return false;
}

bool Wiring::check_values_only(const std::vector<Reference>& references) {
  bool good = true;
  for (const Reference& reference : references) {
    std::optional<Source> source = scope_.resolve(reference);
    if (source && (source->kind == Source::Kind::artifact || reference.path.size() == 5)) {
      reading_.mistakes.error(reference.where,
                              fmt::format("{} is an artifact and has no value here", ticked(to_string(reference))),
                              "only parameters have values; let the task that makes it write an output parameter, too");
      good = false;
    }
    good = good && source;
  }
  return good;
}

void Wiring::bind_when(TaskSpec& task, YamlNode node) {
  std::size_t before = reading_.mistakes.errors();
  if (!read_filled_text(node, "`when`", reading_.mistakes)) return;
  std::optional<Expression> condition;
  if (may_hold_expression(node)) {
    std::optional<Template> text = read_template(node, "`when`", reading_.mistakes);
    if (text) std::erase_if(text->parts, is_blank);  // a block scalar ends with a line break
    if (text && reading_.mistakes.errors() > before) {
      check_references(*text);
    } else if (text && text->whole() != nullptr) {
      condition = *text->whole();
    }
  } else {
    tl::expected<Expression, Diagnostic> parsed = parse_expression(node.text(), node.text_where());
    if (parsed) {
      condition = *std::move(parsed);
    } else {
      reading_.mistakes.add(std::move(parsed).error());
    }
  }
  if (!condition && reading_.mistakes.errors() == before) {
    reading_.mistakes.error(node.where(), "`when` wants one condition and nothing around it",
                            "when: ${{ tasks.evaluate.outputs.rmse < 30000 }}");
  }
  if (!condition || !check_values_only(condition->references())) return;
  if (!spec::may_be_boolean(*condition, [&](const Reference& reference) { return may_be_boolean(reference); })) {
    reading_.mistakes.error(node.text_where(),
                            fmt::format("condition {} is neither true nor false", ticked(condition->text())),
                            "compare it with something: ${{ parameters.mode == 'fast' }}");
    return;
  }
  task.when = renamed(*condition, [&](const Reference& named) { return as_declared(named); });
}

bool Wiring::may_be_boolean(const Reference& reference) {
  std::optional<Source> source = scope_.resolve(reference);
  if (!source || source->kind == Source::Kind::unknown) return true;
  return source->kind == Source::Kind::parameter && source->parameter_type == ParameterType::boolean;
}

void Wiring::check_missing(const TaskSpec& task, YamlNode node) {
  const Interface& interface = reading_.spec.component(task.component).interface;
  auto is_given = [&](std::string_view input) {
    return std::any_of(task.arguments.begin(), task.arguments.end(),
                       [&](const Argument& argument) { return argument.input == input; });
  };
  auto missing = [&](const std::string& input, std::string_view type) {
    std::optional<YamlNode> arguments = node.find("arguments");
    if (has_misspelt(node, task_keys(), {"arguments"}) || (arguments && arguments->is_shortened())) return;
    reading_.mistakes.error(task.where,
                            fmt::format("task {} is not given {} ({})", ticked(task.name), ticked(input), type),
                            "add it under `arguments`");
  };
  auto may_be_missing = [&](const auto& input) {
    return !input.optional && !is_given(input.name) && !is_unread(interface, Direction::input, input.name);
  };
  for (const ParameterSpec& input : interface.input_parameters) {
    if (!input.default_value && may_be_missing(input)) missing(input.name, to_string(input.type));
  }
  for (const ArtifactSpec& input : interface.input_artifacts) {
    if (may_be_missing(input)) missing(input.name, short_type(input.type));
  }
}

void Wiring::check_pools(const TaskSpec& task, YamlNode node) {
  if (!reading_.are_pools_known) return;
  const std::vector<Pool>& pools = reading_.spec.pools;
  for (const std::string& name : task.settings->pools) {
    if (std::ranges::find(pools, name, &Pool::name) != pools.end()) continue;
    std::optional<Where> own = place_in(node, "pools", name);
    if (!own) own = place_in(node, "pool", name);
    std::vector<std::string> names;
    for (const Pool& pool : pools) names.push_back(pool.name);
    reading_.mistakes.error(
        own.value_or(task.where),
        fmt::format("task {} takes a place of pool {}, which there is not", ticked(task.name), ticked(name)),
        reading_.mistakes.did_you_mean(name, names, fmt::format("say how many places it has: pools: {{{}: 1}}", name)));
  }
}

// Only an inline script holds all that reads the inputs; a program in an image may read its environment.
void Wiring::warn_of_unread_inputs(const TaskSpec& task) {
  const ComponentSpec& component = reading_.spec.component(task.component);
  const ContainerSpec* container = component.container();
  if (container == nullptr || !container->script || component.where.file != 0) return;
  std::string script;
  for (const Template::Part& part : container->script->parts) {
    if (const auto* text = std::get_if<std::string>(&part)) script += *text;
  }
  std::vector<Reference> references = container->script->references();
  auto add_references = [&](const Template& text) {
    std::ranges::move(text.references(), std::back_inserter(references));
  };
  add_references(container->image);
  for (const EnvVariable& variable : task.settings->env) add_references(variable.value);
  auto warn = [&](const std::string& name, Where where) {
    bool referred = std::any_of(references.begin(), references.end(), [&](const Reference& reference) {
      return reference.path[0] == "inputs" && reference.path[1] == name;
    });
    if (referred || script.find("MLPIPE_INPUT_" + variable_suffix(name)) != std::string::npos) return;
    if (script.find("MLPIPE_INPUT_\"") != std::string::npos || script.find("MLPIPE_INPUT_'") != std::string::npos ||
        script.find("MLPIPE_INPUT_{") != std::string::npos || script.find("MLPIPE_INPUT_$") != std::string::npos ||
        script.find("MLPIPE_INPUT_*") != std::string::npos) {
      return;  // it looks the name up
    }
    reading_.mistakes.warning(where, fmt::format("the script does not read input {}", ticked(name)),
                              fmt::format("it is in $MLPIPE_INPUT_{}", variable_suffix(name)));
  };
  for (const ParameterSpec& input : component.interface.input_parameters) warn(input.name, input.where);
  for (const ArtifactSpec& input : component.interface.input_artifacts) warn(input.name, input.where);
}

// Without a #! line a script is one for sh. Python's begin with what sh takes for a program's name.
void Wiring::warn_of_missing_interpreter(const TaskSpec& task) {
  const ComponentSpec& component = reading_.spec.component(task.component);
  const ContainerSpec* container = component.container();
  if (container == nullptr || !container->script || component.where.file != 0 || container->script->parts.empty())
    return;
  const auto* text = std::get_if<std::string>(&container->script->parts.front());
  if (text == nullptr || text->starts_with("#!")) return;
  for (std::string_view line : split(*text, '\n')) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    const bool is_python =
        line.starts_with("import ") || (line.starts_with("from ") && line.find(" import ") != line.npos);
    if (!is_python) return;
    reading_.mistakes.warning(component.where, "the script looks like Python, but is run by sh: it has no `#!` line",
                              "begin it with #!/usr/bin/env python3");
    return;
  }
}

void Wiring::bind_outputs(YamlNode node) {
  if (node.is_null() || !expect_mapping(node, "`outputs`", reading_.mistakes)) return;
  for (YamlEntry entry : node.entries()) bind_output(entry);
}

void Wiring::bind_output(YamlEntry entry) {
  Mistakes& mistakes = reading_.mistakes;
  bool good_name = check_name(entry.key, "an output", mistakes);
  std::string what = fmt::format("output {}", ticked(entry.key.text()));
  std::size_t before = mistakes.errors();
  std::optional<Template> text = read_template(entry.value, what, mistakes);
  if (!text) return;
  if (mistakes.errors() > before) return check_references(*text);
  const Expression* whole = text->whole();
  const Reference* reference = whole != nullptr ? whole->as_reference() : nullptr;
  if (reference == nullptr || reference->path[0] != "tasks" || reference->path.size() != 4) {
    mistakes.error(entry.value.where(), fmt::format("{} is to be one output of a task", what),
                   fmt::format("{}: ${{{{ tasks.TASK.outputs.NAME }}}}", entry.key.text()));
    return;
  }
  std::optional<Source> source = scope_.resolve(*reference);
  if (!source || !good_name) return;
  std::string name(entry.key.text());
  if (source->kind == Source::Kind::artifact) {
    root_.interface.output_artifacts.push_back(
        {.name = name, .type = source->artifact_type, .where = entry.key.where()});
  } else {
    root_.interface.output_parameters.push_back(
        {.name = name, .type = source->parameter_type, .default_value = std::nullopt, .where = entry.key.where()});
  }
  dag_.outputs.push_back({name, {reference->path[1], source->output}, entry.key.where()});
}

// The place in task `waiting` that makes it wait for task `awaited`.
Where Wiring::waiting_place(std::size_t waiting, const std::string& awaited) const {
  const TaskSpec& task = dag_.tasks[waiting];
  auto names_it = [&](const Reference& reference) {
    return reference.path[0] == "tasks" && reference.path[1] == awaited;
  };
  if (std::optional<Where> after = place_in(nodes_[waiting], "after", awaited)) return *after;
  for (const Argument& argument : task.arguments) {
    if (const auto* output = std::get_if<TaskOutput>(&argument.binding); output != nullptr && output->task == awaited) {
      return argument.where;
    }
    const auto* text = std::get_if<Template>(&argument.binding);
    if (text != nullptr && std::ranges::any_of(text->references(), names_it)) return argument.where;
  }
  if (task.when) {
    for (const Reference& reference : task.when->references()) {
      if (names_it(reference)) return reference.where;
    }
  }
  return task.where;
}

void Wiring::check_cycles() {
  for (const std::vector<std::size_t>& cycle : find_cycles(dag_, scope_)) {
    const TaskSpec& first = dag_.tasks[cycle.front()];
    // An arrow points to what waits: the first one waits for the last.
    Where where = waiting_place(cycle.front(), dag_.tasks[cycle.back()].name);
    if (cycle.size() == 1) {
      reading_.mistakes.error(where, fmt::format("task {} waits for itself", ticked(first.name)));
      continue;
    }
    constexpr std::size_t k_most = 20;
    std::string path;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      if (i == k_most && cycle.size() > k_most + 1) {
        path += fmt::format("({} more) -> ", cycle.size() - k_most);
        break;
      }
      path += dag_.tasks[cycle[i]].name + " -> ";
    }
    reading_.mistakes.error(where, fmt::format("these tasks wait for each other: {}{}", path, first.name),
                            "an arrow points to what waits; take one of them out");
  }
}

// With a mistake anywhere, what uses it may not have been understood.
void Wiring::warn_of_unused() {
  if (reading_.mistakes.any_error()) return;
  for (const ParameterSpec* parameter : scope_.unused_parameters()) {
    reading_.mistakes.warning(parameter->where, fmt::format("nothing uses parameter {}", ticked(parameter->name)));
  }
  for (const TaskSpec& task : dag_.tasks) {
    warn_of_unread_inputs(task);
    warn_of_missing_interpreter(task);
  }
}

}  // namespace mlpipe::spec
