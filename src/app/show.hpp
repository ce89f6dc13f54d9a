#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe show`: a run, or one of its tasks in depth.
ExitCode show(const ShowCommand& command, const Console& console);

}  // namespace mlpipe::app
