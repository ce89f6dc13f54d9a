#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {

// `mlpipe run`.
ExitCode run(const RunCommand& command);

// A run that goes on from another, `command.parent`, which had these arguments.
ExitCode run_from_parent(const RunCommand& command, Value::Struct arguments);

}  // namespace mlpipe::app
