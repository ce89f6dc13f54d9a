#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe why`: why a task of a recorded run ran, was cached, or did neither.
ExitCode why(const WhyCommand& command, const Console& console);

}  // namespace mlpipe::app
