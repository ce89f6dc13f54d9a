#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"

namespace mlpipe::sys {

bool is_terminal(int fd);

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

// The size of the terminal behind `fd` as it is now: a cheap system call, so ask before each frame instead of handling
// SIGWINCH. Nothing when it is no terminal or does not know its size.
std::optional<TerminalSize> terminal_size(int fd);

// What decides whether output is coloured or redrawn; from the environment, or from a test.
struct TerminalEnvironment {
  std::optional<std::string> no_color;        // NO_COLOR
  std::optional<std::string> term;            // TERM
  std::optional<std::string> clicolor_force;  // CLICOLOR_FORCE
};
TerminalEnvironment terminal_environment();

// Colours: never with a non-empty NO_COLOR or TERM=dumb; else on a terminal, or when CLICOLOR_FORCE is set and not "0".
bool wants_color(bool on_terminal, const TerminalEnvironment& environment);
// Moving the cursor: only on a terminal that is not dumb.
bool can_redraw(bool on_terminal, const TerminalEnvironment& environment);

// Writes all of `text`; waits where a non-blocking descriptor is full. Reader gone (EPIPE): unavailable.
Result<> write_all(int fd, std::string_view text);

// False while the reader is stuck (Ctrl-S, a stopped pager): a frame of a live display is better dropped then.
bool is_writable_now(int fd);

}  // namespace mlpipe::sys
