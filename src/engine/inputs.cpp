#include "inputs.hpp"

#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/foresight.hpp"

namespace mlpipe::engine {
namespace {

// The output of a task: a parameter, an artifact, or nothing when it gave none.
struct Output {
  const Value* parameter = nullptr;
  const Artifact* artifact = nullptr;
};

Result<TaskId> find_task(const ValueSource& values, std::string_view name) {
  if (std::optional<TaskId> task = values.plan.find(name)) return *task;
  return fail(ErrorCode::not_found, "there is no task '{}'", name);
}

Output output_of(const ValueSource& values, TaskId task, std::string_view name) {
  const TaskData* outputs = values.outputs(task);
  if (outputs == nullptr) return {};
  Output output;
  if (auto found = outputs->parameters.find(name); found != outputs->parameters.end())
    output.parameter = &found->second;
  if (auto found = outputs->artifacts.find(name); found != outputs->artifacts.end()) output.artifact = &found->second;
  return output;
}

Failure no_such_output(const ValueSource& values, TaskId task, std::string_view output) {
  const std::string_view name = values.plan.task(task).path();
  if (values.state(task) == TaskState::succeeded) {
    return fail(ErrorCode::not_found, "task '{}' succeeded, but gave no output '{}'", name, output);
  }
  return fail(ErrorCode::not_found, "output '{}' of task '{}' does not exist: the task is {}", output, name,
              to_string(values.state(task)));
}

// Whether a task that succeeded may do without its output `name`.
bool may_lack(const ValueSource& values, TaskId task, std::string_view name) {
  const spec::Interface& interface = values.plan.component(task).interface;
  const spec::ParameterSpec* parameter = interface.output_parameter(name);
  const spec::ArtifactSpec* artifact = interface.output_artifact(name);
  return (parameter != nullptr && parameter->optional) || (artifact != nullptr && artifact->optional);
}

Result<Value> of_artifact(const Artifact& artifact, const spec::Reference& reference) {
  const std::string_view part = reference.path.size() == 5 ? std::string_view(reference.path[4]) : std::string_view();
  if (part == "uri") return Value(artifact.uri);
  if (part == "path") {
    if (artifact.uri.starts_with('/')) return Value(artifact.uri);
    return fail(ErrorCode::invalid_input, "{} is not a file on this machine: {}", to_string(reference), artifact.uri);
  }
  return fail(ErrorCode::invalid_input, "{} is an artifact: say .uri or .path after it", to_string(reference));
}

Result<Value> of_task(const ValueSource& values, const spec::Reference& reference) {
  if (reference.path.size() < 4 || reference.path[2] != "outputs") {
    return fail(ErrorCode::invalid_input, "{}: it should read tasks.<task>.outputs.<output>", to_string(reference));
  }
  Result<TaskId> task = find_task(values, reference.path[1]);
  if (!task) return Failure(std::move(task).error());
  const Output output = output_of(values, *task, reference.path[3]);
  if (output.parameter != nullptr && reference.path.size() == 4) return *output.parameter;
  if (output.parameter != nullptr) {
    return fail(ErrorCode::invalid_input, "{}: '{}' is a parameter, not an artifact", to_string(reference),
                reference.path[3]);
  }
  if (output.artifact != nullptr) return of_artifact(*output.artifact, reference);
  if (values.state(*task) == TaskState::succeeded && may_lack(values, *task, reference.path[3])) return Value();
  return no_such_output(values, *task, reference.path[3]);
}

Result<Value> of_run(const ValueSource& values, const spec::Reference& reference) {
  if (values.options.run_id.empty()) return fail(ErrorCode::not_found, "{}: there is no run yet", to_string(reference));
  if (reference.path.size() == 2 && reference.path[1] == "id") return Value(values.options.run_id);
  if (reference.path.size() == 2 && reference.path[1] == "root") return Value(values.options.run_root);
  return fail(ErrorCode::not_found, "{}: of the run there are run.id and run.root", to_string(reference));
}

Result<Value> look_up(const ValueSource& values, const spec::Reference& reference) {
  const std::string_view root = reference.path.empty() ? std::string_view() : std::string_view(reference.path[0]);
  if (root == "tasks") return of_task(values, reference);
  if (root == "run") return of_run(values, reference);
  if (root == "parameters" && reference.path.size() >= 2) {
    const Value::Struct& arguments = values.plan.arguments();
    auto found = arguments.find(reference.path[1]);
    if (found != arguments.end()) return found->second;
    const auto* parameter = values.plan.spec().root_component().interface.input_parameter(reference.path[1]);
    if (parameter != nullptr && parameter->optional) return Value();
    return fail(ErrorCode::not_found, "parameter '{}' was not given", reference.path[1]);
  }
  return fail(ErrorCode::not_found, "{}: nothing of that name exists here", to_string(reference));
}

// Resolves the bindings of one task, one by one, into its TaskData.
class Resolver final {
 public:
  Resolver(const ValueSource& values, TaskId task)
      : values_(values), spec_(*values.plan.task(task).spec), interface_(values.plan.component(task).interface) {}

  TaskData resolve_some() {
    for (const spec::Argument& argument : spec_.arguments) {
      // One that has no value yet adds nothing.
      (void)std::visit([&](const auto& binding) { return add(argument.input, binding); }, argument.binding);
    }
    return std::move(data_);
  }

  Result<TaskData> resolve() {
    for (const spec::Argument& argument : spec_.arguments) {
      Result<> added = std::visit([&](const auto& binding) { return add(argument.input, binding); }, argument.binding);
      if (!added) return within(fmt::format("input '{}'", argument.input), std::move(added).error());
    }
    return std::move(data_);
  }

 private:
  Result<> add(const std::string& input, const Value& value) { return add_parameter(input, value); }

  Result<> add(const std::string& input, const spec::PipelineInput& binding) {
    const Value::Struct& arguments = values_.plan.arguments();
    auto found = arguments.find(binding.name);
    if (found != arguments.end() && !found->second.is_null()) return add_parameter(input, found->second);
    return leave_out(input, fail(ErrorCode::not_found, "the pipeline's parameter '{}' was not given", binding.name));
  }

  Result<> add(const std::string& input, const spec::TaskOutput& binding) {
    Result<TaskId> task = find_task(values_, binding.task);
    if (!task) return Failure(std::move(task).error());
    const Output output = output_of(values_, *task, binding.output);
    if (output.parameter != nullptr) return add_parameter(input, *output.parameter);
    if (output.artifact != nullptr) return add_artifact(input, *output.artifact);
    return leave_out(input, no_such_output(values_, *task, binding.output));
  }

  Result<> add(const std::string& input, const spec::Template& text) {
    Result<Value> value =
        spec::evaluate(text, [this](const spec::Reference& reference) { return look_up(values_, reference); });
    if (!value) return Failure(std::move(value).error());
    if (value->is_null()) return leave_out(input, fail(ErrorCode::invalid_input, "{} gives null", text.text()));
    return add_parameter(input, *value);
  }

  Result<> add_parameter(const std::string& input, const Value& value) {
    const spec::ParameterSpec* parameter = interface_.input_parameter(input);
    if (parameter == nullptr && interface_.input_artifact(input) != nullptr) {
      return fail(ErrorCode::invalid_input, "it is an artifact, but a value is given: {}", shorten(to_json(value), 60));
    }
    if (parameter == nullptr) return fail(ErrorCode::invalid_input, "the component has no such input");
    Result<Value> coerced = spec::coerce(value, parameter->type);
    if (!coerced) return Failure(std::move(coerced).error());
    data_.parameters.insert_or_assign(input, std::move(*coerced));
    return {};
  }

  Result<> add_artifact(const std::string& input, const Artifact& artifact) {
    if (interface_.input_artifact(input) == nullptr) {
      return fail(ErrorCode::invalid_input, "it takes a value, but artifact '{}' is given", artifact.uri);
    }
    data_.artifacts.insert_or_assign(input, artifact);
    return {};
  }

  // Nothing to give: fine when the component does without (KFP: its default applies), else `reason`.
  Result<> leave_out(const std::string& input, Failure reason) {
    const spec::ParameterSpec* parameter = interface_.input_parameter(input);
    if (parameter != nullptr && (parameter->optional || parameter->default_value)) return {};
    const spec::ArtifactSpec* artifact = interface_.input_artifact(input);
    if (artifact != nullptr && artifact->optional) return {};
    return reason;
  }

  const ValueSource& values_;
  const spec::TaskSpec& spec_;
  const spec::Interface& interface_;
  TaskData data_;
};

}  // namespace

ValueSource values_of(const Run& run) {
  return {.plan = run.plan(),
          .options = run.options(),
          .outputs = [&run](TaskId task) { return run.outputs(task); },
          .state = [&run](TaskId task) { return run.state(task); }};
}

Result<TaskData> resolve_inputs(const ValueSource& values, TaskId task) { return Resolver(values, task).resolve(); }

TaskData with_defaults(TaskData inputs, const spec::Interface& interface) {
  for (const spec::ParameterSpec& parameter : interface.input_parameters) {
    if (!parameter.default_value) continue;
    const bool absent = inputs.parameters.try_emplace(parameter.name, *parameter.default_value).second;
    if (absent) inputs.defaults.insert(parameter.name);
  }
  return inputs;
}

TaskData inputs_known_beforehand(const plan::Plan& plan, TaskId task) {
  const RunOptions no_run{};
  const ValueSource values{.plan = plan,
                           .options = no_run,
                           .outputs = [](TaskId) { return nullptr; },
                           .state = [](TaskId) { return TaskState::waiting; }};
  return Resolver(values, task).resolve_some();
}

Result<bool> condition_holds(const ValueSource& values, TaskId task) {
  const spec::Expression& condition = *values.plan.task(task).spec->when;
  Result<Value> value =
      spec::evaluate(condition, [&](const spec::Reference& reference) { return look_up(values, reference); });
  if (!value) return within(fmt::format("condition '{}'", condition.text()), std::move(value).error());
  if (value->is_bool()) return value->as_bool();
  return fail(ErrorCode::invalid_input, "condition '{}' is {}, neither true nor false", condition.text(),
              shorten(to_json(*value), 60));
}

}  // namespace mlpipe::engine
