#pragma once

#include "app/options.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {

// Mistakes that only the options together or the disk show, before anything runs: labels without a value, a JUnit file that
// could not be written at the end.
Result<> check_options(const RunCommand& command);

// How a run was started, as far as going on with it needs to know; kept in the record (RunRow::options).
Value options_value(const RunCommand& command);

// The same back, over what `command` has: options that an older mlpipe did not record stay as they are there.
void apply_options(const Value& options, RunCommand& command);

}  // namespace mlpipe::app
