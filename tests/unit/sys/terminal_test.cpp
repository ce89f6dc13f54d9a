#include "mlpipe/sys/terminal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "mlpipe/sys/fd.hpp"

namespace mlpipe::sys {
namespace {

struct Pty {
  Fd master;
  Fd slave;
};

Pty open_pty() {
  Pty pty;
  pty.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 128> name{};
  if (::grantpt(pty.master.get()) == 0 && ::unlockpt(pty.master.get()) == 0 &&
      ::ptsname_r(pty.master.get(), name.data(), name.size()) == 0) {
    pty.slave.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  return pty;
}

TEST(Terminal, KnowsATerminalAndItsSizeAsItChanges) {
  const Pty pty = open_pty();
  ASSERT_TRUE(pty.slave);
  EXPECT_TRUE(is_terminal(pty.slave.get()));
  EXPECT_FALSE(terminal_size(pty.slave.get()));  // a new one says 0 x 0
  for (const int columns : {100, 40}) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = 30;
    ASSERT_EQ(::ioctl(pty.master.get(), TIOCSWINSZ, &size), 0);
    ASSERT_TRUE(terminal_size(pty.slave.get()));
    EXPECT_EQ(terminal_size(pty.slave.get())->columns, columns);
    EXPECT_EQ(terminal_size(pty.slave.get())->rows, 30);
  }
}

TEST(Terminal, KnowsWhatIsNone) {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(is_terminal(null.get()));
  EXPECT_FALSE(terminal_size(null.get()));
  EXPECT_FALSE(is_terminal(-1));
}

TEST(Terminal, StoppedOutputIsNotWritableNow) {
  const Pty pty = open_pty();
  ASSERT_TRUE(pty.slave);
  EXPECT_TRUE(is_writable_now(pty.slave.get()));
  ASSERT_EQ(::tcflow(pty.slave.get(), TCOOFF), 0);  // what Ctrl-S does
  EXPECT_FALSE(is_writable_now(pty.slave.get()));
  ASSERT_EQ(::tcflow(pty.slave.get(), TCOON), 0);
  EXPECT_TRUE(is_writable_now(pty.slave.get()));
}

TEST(Terminal, ColourFollowsTheEnvironment) {
  struct Case {
    bool terminal;
    TerminalEnvironment environment;
    bool color;
    bool redraw;
  };
  const std::vector<Case> cases{
      {true, {.no_color = {}, .term = "xterm", .clicolor_force = {}}, true, true},
      {false, {.no_color = {}, .term = "xterm", .clicolor_force = {}}, false, false},
      {true, {.no_color = "1", .term = "xterm", .clicolor_force = {}}, false, true},
      {true, {.no_color = "", .term = "xterm", .clicolor_force = {}}, true, true},
      {true, {.no_color = {}, .term = "dumb", .clicolor_force = {}}, false, false},
      {true, {.no_color = {}, .term = {}, .clicolor_force = {}}, false, false},
      {false, {.no_color = {}, .term = {}, .clicolor_force = "1"}, true, false},
      {false, {.no_color = "1", .term = {}, .clicolor_force = "1"}, false, false},
      {false, {.no_color = {}, .term = {}, .clicolor_force = "0"}, false, false},
  };
  for (const Case& c : cases) {
    const auto index = &c - cases.data();
    EXPECT_EQ(wants_color(c.terminal, c.environment), c.color) << index;
    EXPECT_EQ(can_redraw(c.terminal, c.environment), c.redraw) << index;
  }
}

TEST(WriteAll, WritesMoreThanANonBlockingPipeHolds) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  ::fcntl(write_end.get(), F_SETFL, O_NONBLOCK);
  std::string got;
  std::thread reader([&] {
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;) {
      got.append(buffer.data(), static_cast<std::size_t>(n));
    }
  });
  const std::string text(1'000'000, 'x');
  EXPECT_TRUE(write_all(write_end.get(), text));
  write_end.reset();
  reader.join();
  EXPECT_EQ(got, text);
}

TEST(WriteAll, ToAReaderThatIsGoneIsAnErrorAndNotTheEnd) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd write_end(ends[1]);
  ::close(ends[0]);
  EXPECT_EQ(write_all(write_end.get(), "x").error().code, ErrorCode::unavailable);
  EXPECT_EQ(write_all(write_end.get(), "x").error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace mlpipe::sys
