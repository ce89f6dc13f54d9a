#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe component show`: a component's interface.
ExitCode component_show(const ComponentShowCommand& command);

}  // namespace mlpipe::app
