#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe logs`: what the tasks of a run wrote.
ExitCode logs(const LogsCommand& command, const Console& console);

}  // namespace mlpipe::app
