#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe validate`: all mistakes of a pipeline at once.
ExitCode validate(const ValidateCommand& command);

}  // namespace mlpipe::app
