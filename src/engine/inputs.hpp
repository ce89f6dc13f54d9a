#pragma once

#include <functional>

#include "mlpipe/engine/run.hpp"

namespace mlpipe::engine {

// Where the values of bindings and conditions come from: a Run, or what is foreseen of one. Borrows all.
struct ValueSource {
  const plan::Plan& plan;
  const RunOptions& options;
  std::function<const TaskData*(TaskId)> outputs;  // of a succeeded task, else null
  std::function<TaskState(TaskId)> state;
};
ValueSource values_of(const Run& run);

// What `task` is given: its bindings' values, each of its input's type. Inputs of a value that is absent (an optional
// parameter, the output of a task that did not succeed) are left out when the component can do without them. The
// Error names the input.
Result<TaskData> resolve_inputs(const ValueSource& values, TaskId task);

// `inputs` as they are recorded: with the component's defaults for what the task did not give.
TaskData with_defaults(TaskData inputs, const spec::Interface& interface);

// Does the condition of `task` hold? An Error when it has no value or its value is no Boolean. `task` has a condition.
Result<bool> condition_holds(const ValueSource& values, TaskId task);

}  // namespace mlpipe::engine
