#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// Carries out a command.
ExitCode dispatch(const Command& command);

}  // namespace mlpipe::app
