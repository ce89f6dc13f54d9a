#include "spec/pipeline_scope.hpp"

#include <fmt/format.h>

#include "spec/interface_reader.hpp"
#include "spec/word_reader.hpp"

namespace mlpipe::spec {

std::string type_text(const Source& source) {
  if (source.kind == Source::Kind::run) return "String";
  if (source.kind == Source::Kind::parameter) return std::string(to_string(source.parameter_type));
  std::string_view type = source.artifact_type;
  if (type.starts_with("system.")) type.remove_prefix(7);
  return std::string(type);
}

bool is_of_pipeline(const Reference& reference) {
  return reference.path[0] == "parameters" || reference.path[0] == "tasks";
}

PipelineScope::PipelineScope(Reading& reading, const Interface& parameters, const DagSpec& dag)
    : reading_(reading), parameters_(parameters), dag_(dag), parameter_used_(parameters.input_parameters.size()) {
  for (std::size_t i = 0; i < parameters.input_parameters.size(); ++i) {
    parameter_index_.emplace(parameters.input_parameters[i].name, i);
  }
  task_index_.reserve(dag.tasks.size());
  for (std::size_t i = 0; i < dag.tasks.size(); ++i) task_index_.emplace(dag.tasks[i].name, i);
}

std::optional<Source> PipelineScope::resolve(const Reference& reference) {
  const std::string& root = reference.path[0];
  if (root == "parameters") return resolve_parameter(reference);
  if (root == "tasks") return resolve_output(reference);
  if (root == "inputs" || root == "outputs") {
    reading_.mistakes.error(reference.where,
                            fmt::format("{} is known inside a component only", ticked(to_string(reference))),
                            "here there are parameters.NAME, tasks.TASK.outputs.NAME and run.id");
    return std::nullopt;
  }
  if (root == "executor_input") {
    reading_.mistakes.error(reference.where, "`executor_input` is known inside a component only");
    return std::nullopt;
  }
  static const Interface k_nothing;
  if (!check_component_reference(reference, k_nothing, reading_.mistakes)) return std::nullopt;  // run.*, item
  return Source{.kind = Source::Kind::run, .artifact_type = {}, .output = {}};
}

std::optional<Source> PipelineScope::resolve_parameter(const Reference& reference) {
  const std::string& name = reference.path[1];
  auto found = parameter_index_.find(name);
  if (found == parameter_index_.end()) {
    if (is_unread(parameters_, Direction::input, name)) return Source{.artifact_type = {}, .output = {}};
    if (!parameter_names_) parameter_names_ = port_names(parameters_, Direction::input);
    reading_.mistakes.error(reference.where, fmt::format("there is no parameter {}", ticked(name)),
                            reading_.mistakes.did_you_mean(name, *parameter_names_,
                                                           fmt::format("parameters: {}", listed(*parameter_names_))));
    return std::nullopt;
  }
  parameter_used_[found->second] = true;
  if (is_unread(parameters_, Direction::input, name)) return Source{.artifact_type = {}, .output = {}};
  const ParameterSpec& parameter = parameters_.input_parameters[found->second];
  return Source{.kind = Source::Kind::parameter,
                .parameter_type = parameter.type,
                .artifact_type = {},
                .may_be_absent = parameter.optional && !parameter.default_value,
                .output = {}};
}

std::optional<Source> PipelineScope::resolve_output(const Reference& reference) {
  std::optional<std::size_t> producer = task(reference.path[1], reference.where);
  if (!producer) return std::nullopt;
  ComponentId id = dag_.tasks[*producer].component;
  if (id == k_no_component) return Source{.artifact_type = {}, .output = reference.path[3]};
  const Interface& interface = reading_.spec.component(id).interface;
  std::optional<std::string> output = find_port(interface, Direction::output, reference.path[3]);
  if (is_unread(interface, Direction::output, reference.path[3])) {
    return Source{.artifact_type = {}, .output = reference.path[3]};
  }
  if (!output) {
    std::vector<std::string> names = port_names(interface, Direction::output);
    reading_.mistakes.error(
        reference.where, fmt::format("task {} has no output {}", ticked(reference.path[1]), ticked(reference.path[3])),
        reading_.mistakes.did_you_mean(reference.path[3], names, fmt::format("its outputs: {}", listed(names))));
    return std::nullopt;
  }
  if (const ParameterSpec* parameter = interface.output_parameter(*output)) {
    return Source{.kind = Source::Kind::parameter,
                  .parameter_type = parameter->type,
                  .artifact_type = {},
                  .may_be_absent = parameter->optional,
                  .output = *std::move(output)};
  }
  const ArtifactSpec* artifact = interface.output_artifact(*output);
  return Source{.kind = Source::Kind::artifact,
                .artifact_type = artifact->type,
                .may_be_absent = artifact->optional,
                .output = *std::move(output)};
}

std::optional<std::size_t> PipelineScope::task_index(std::string_view name) const {
  auto found = task_index_.find(name);
  if (found == task_index_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::size_t> PipelineScope::task(std::string_view name, Where where) {
  if (std::optional<std::size_t> found = task_index(name)) return found;
  if (!reading_.are_tasks_known) return std::nullopt;
  if (task_names_.empty()) {
    for (const TaskSpec& task : dag_.tasks) task_names_.push_back(task.name);
  }
  reading_.mistakes.error(
      where, fmt::format("there is no task {}", ticked(name)),
      reading_.mistakes.did_you_mean(name, task_names_, fmt::format("tasks: {}", listed(task_names_))));
  return std::nullopt;
}

std::vector<const ParameterSpec*> PipelineScope::unused_parameters() const {
  std::vector<const ParameterSpec*> unused;
  for (std::size_t i = 0; i < parameter_used_.size(); ++i) {
    if (!parameter_used_[i]) unused.push_back(&parameters_.input_parameters[i]);
  }
  return unused;
}

}  // namespace mlpipe::spec
