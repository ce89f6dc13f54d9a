#pragma once

#include <string_view>

#include "app/exit_code.hpp"
#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

// To standard output. False: it could not be written.
bool print(std::string_view text);
// Standard output could not be written because of `error`: code_after_output() will tell.
void note_lost_output(const Error& error);
// The code to leave with when all is done and `code` says how it went: tells of standard output that could not be written,
// which is a failure of what succeeded otherwise. A reader that went away is no error.
ExitCode code_after_output(ExitCode code);
// To standard error.
void print_error(std::string_view text);
// "mlpipe: <message>" and the hint, to standard error; the exit code that goes with it.
ExitCode report_error(const Error& error);
// The same, leaving with `code`.
ExitCode report_error(const Error& error, ExitCode code);

}  // namespace mlpipe::app
