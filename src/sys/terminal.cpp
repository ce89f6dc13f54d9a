#include "mlpipe/sys/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "mlpipe/sys/env.hpp"
#include "sigpipe_guard.hpp"

namespace mlpipe::sys {

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::optional<TerminalSize> terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return std::nullopt;
  return TerminalSize{.columns = size.ws_col, .rows = size.ws_row};
}

TerminalEnvironment terminal_environment() {
  return {.no_color = environment("NO_COLOR"),
          .term = environment("TERM"),
          .clicolor_force = environment("CLICOLOR_FORCE")};
}

bool wants_color(bool on_terminal, const TerminalEnvironment& environment) {
  if (environment.no_color && !environment.no_color->empty()) return false;
  if (environment.clicolor_force && !environment.clicolor_force->empty() && *environment.clicolor_force != "0")
    return true;
  return can_redraw(on_terminal, environment);
}

bool can_redraw(bool on_terminal, const TerminalEnvironment& environment) {
  return on_terminal && environment.term && !environment.term->empty() && *environment.term != "dumb";
}

Result<> write_all(int fd, std::string_view text) {
  const SigpipeGuard guard;
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd polled{fd, POLLOUT, 0};
      ::poll(&polled, 1, -1);
    } else if (errno != EINTR) {
      return fail_errno(fmt::format("writing to descriptor {}", fd), errno);
    }
  }
  return {};
}

bool is_writable_now(int fd) {
  pollfd polled{fd, POLLOUT, 0};
  return ::poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT) != 0;
}

}  // namespace mlpipe::sys
