#include "app/print.hpp"

#include <unistd.h>

#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {

void print(std::string_view text) { (void)sys::write_all(STDOUT_FILENO, text); }

void print_error(std::string_view text) { (void)sys::write_all(STDERR_FILENO, text); }

ExitCode report_error(const Error& error) { return report_error(error, exit_code_of(error.code)); }

ExitCode report_error(const Error& error, ExitCode code) {
  std::string text = "mlpipe: " + error.message + "\n";
  if (!error.hint.empty()) text += "  hint: " + error.hint + "\n";
  print_error(text);
  return code;
}

}  // namespace mlpipe::app
