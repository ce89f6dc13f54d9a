#pragma once

#include "mlpipe/engine/run.hpp"

namespace mlpipe::engine {

// What `task` is given: its bindings' values, each of its input's type. Inputs of a value that is absent (an optional
// parameter, the output of a task that did not succeed) are left out when the component can do without them. The
// Error names the input.
Result<TaskData> resolve_inputs(const Run& run, TaskId task);

// Does the condition of `task` hold? An Error when it has no value or its value is no Boolean. `task` has a condition.
Result<bool> condition_holds(const Run& run, TaskId task);

}  // namespace mlpipe::engine
