#pragma once

#include <string_view>

#include "app/exit_code.hpp"
#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

// To standard output; a reader that went away is no error.
void print(std::string_view text);
// To standard error.
void print_error(std::string_view text);
// "mlpipe: <message>" and the hint, to standard error; the exit code that goes with it.
ExitCode report_error(const Error& error);
// The same, leaving with `code`.
ExitCode report_error(const Error& error, ExitCode code);

}  // namespace mlpipe::app
