#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe replay`: a run that has ended is run again as it was, with the same pipeline, arguments, images and data and no
// cache, or one of its tasks with the same inputs; says whether the outputs are the same, bytes and values.
ExitCode replay(const ReplayCommand& command, const Console& console);

}  // namespace mlpipe::app
