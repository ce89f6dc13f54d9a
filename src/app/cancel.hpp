#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe cancel`: asks the mlpipe that runs a run to end it, as Ctrl-C in its terminal would, and waits until it has. A
// run whose mlpipe is gone is ended here: its containers go, and its record says cancelled.
ExitCode cancel(const CancelCommand& command, const Console& console);

}  // namespace mlpipe::app
