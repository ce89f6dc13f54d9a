#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe runs`: the runs of a root, newest first.
ExitCode list_runs(const RunsCommand& command, const Console& console);

}  // namespace mlpipe::app
