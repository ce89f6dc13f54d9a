#pragma once

#include <string>

#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe completion`: a script that makes the shell complete all that `command.commands` has; run ids and tasks it asks
// mlpipe for when they are needed.
std::string completion_script(const CompletionCommand& command);

}  // namespace mlpipe::app
