#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe diff`: how two runs differ. succeeded, whether they do or not.
ExitCode diff(const DiffCommand& command, const Console& console);

}  // namespace mlpipe::app
