#pragma once

#include "app/options.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {

// How a run was started, as far as going on with it needs to know; kept in the record (RunRow::options).
Value options_value(const RunCommand& command);

// The same back, over what `command` has: options that an older mlpipe did not record stay as they are there.
void apply_options(const Value& options, RunCommand& command);

}  // namespace mlpipe::app
