#pragma once

#include "app/exit_code.hpp"

namespace mlpipe::app {

// Says that there is no memory left, which itself takes none; the exit code that goes with it.
ExitCode report_out_of_memory();

// Where an allocation that fails cannot be caught (a thread, a destructor), the process ends as it does elsewhere: with
// report_out_of_memory(), at once. A run that was under way is interrupted then, as by a kill. Call once, at the start.
void end_when_out_of_memory();

}  // namespace mlpipe::app
