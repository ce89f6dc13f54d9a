#include "app/console.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "app/print.hpp"
#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {

Console standard_console(const Clock& clock) {
  const bool on_terminal = sys::is_terminal(STDOUT_FILENO);
  const bool color = sys::wants_color(on_terminal, sys::terminal_environment());
  const std::optional<sys::TerminalSize> size = on_terminal ? sys::terminal_size(STDOUT_FILENO) : std::nullopt;
  return {.out = print,
          .err = [](std::string_view text) { (void)sys::write_all(STDERR_FILENO, text); },
          .destination = on_terminal ? Destination::terminal : Destination::pipe,
          .color = color ? report::Color::yes : report::Color::no,
          .columns = size ? static_cast<std::size_t>(size->columns) : 0,
          .clock = clock};
}

ExitCode report_error(const Console& console, const Error& error) {
  console.err(fmt::format("mlpipe: {}\n", error.message));
  if (!error.hint.empty()) console.err(fmt::format("  hint: {}\n", error.hint));
  return exit_code_of(error.code);
}

std::string styled(std::string_view text, Style style, report::Color color) {
  if (color == report::Color::no || style == Style::plain || text.empty()) return std::string(text);
  const char* code = "0";
  switch (style) {
    case Style::plain: break;
    case Style::strong: code = "1"; break;
    case Style::faint: code = "2"; break;
    case Style::good: code = "32"; break;
    case Style::bad: code = "31"; break;
    case Style::warning: code = "33"; break;
    case Style::active: code = "36"; break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

}  // namespace mlpipe::app
