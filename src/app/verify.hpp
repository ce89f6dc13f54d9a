#pragma once

#include "app/console.hpp"
#include "app/options.hpp"
#include "mlpipe/sys/stop_signal.hpp"

namespace mlpipe::app {

enum class ShowProgress { no, yes };

// `mlpipe verify`: reads every artifact of a run, or of one task, and compares it with the record. run_failed when one is
// changed or missing; environment when none is but one cannot be read; interrupted when `stop` was requested.
// Progress goes to the console's standard error as a line that is drawn again and again, when it takes long.
ExitCode verify(const VerifyCommand& command, const Console& console, const sys::StopSignal& stop,
                ShowProgress show_progress);

}  // namespace mlpipe::app
