#include "app/print.hpp"

#include <unistd.h>

#include <optional>

#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {

namespace {

// A process has one standard output; this is what became of it. The first error is the one that tells why.
std::optional<Error>& lost_output() {
  static std::optional<Error> lost;
  return lost;
}

}  // namespace

bool print(std::string_view text) {
  const Result<> written = sys::write_all(STDOUT_FILENO, text);
  if (!written) note_lost_output(written.error());
  return written.has_value();
}

void note_lost_output(const Error& error) {
  const bool reader_went_away = error.code == ErrorCode::unavailable;
  if (!reader_went_away && !lost_output()) lost_output() = error;
}

ExitCode code_after_output(ExitCode code) {
  if (!lost_output()) return code;
  return report_error({.code = lost_output()->code,
                       .message = "standard output could not be written: " + lost_output()->message,
                       .hint = "what was printed is not whole; free space, or send it elsewhere"},
                      code == ExitCode::succeeded ? ExitCode::environment : code);
}

void print_error(std::string_view text) { (void)sys::write_all(STDERR_FILENO, text); }

ExitCode report_error(const Error& error) { return report_error(error, exit_code_of(error.code)); }

ExitCode report_error(const Error& error, ExitCode code) {
  std::string text = "mlpipe: " + error.message + "\n";
  if (!error.hint.empty()) text += "  hint: " + error.hint + "\n";
  print_error(text);
  return code;
}

}  // namespace mlpipe::app
