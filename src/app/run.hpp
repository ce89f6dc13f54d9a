#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe run`.
ExitCode run(const RunCommand& command);

}  // namespace mlpipe::app
