#pragma once

#include "app/options.hpp"

namespace mlpipe::app {

// Reads the command line. Never exits and prints nothing itself.
Command parse_arguments(int argc, const char* const* argv);

}  // namespace mlpipe::app
