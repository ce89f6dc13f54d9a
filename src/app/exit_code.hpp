#pragma once

#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

// What the program's exit code says; documented in docs/manual.md.
enum class ExitCode : int {
  succeeded = 0,
  run_failed = 1,
  usage = 2,        // wrong usage, or a mistake in the spec
  environment = 3,  // engine, image, root, disk or credentials
  bug = 70,
  hung_up = 129,
  interrupted = 130,
  terminated = 143,
};

// The exit code for an error that stopped a command.
constexpr ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_input:
    case ErrorCode::not_found:
    case ErrorCode::conflict: return ExitCode::usage;
    case ErrorCode::internal: return ExitCode::bug;
    default: return ExitCode::environment;
  }
}

}  // namespace mlpipe::app
