#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "mlpipe/sys/fd.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

struct Pipe {
  sys::Fd read;
  sys::Fd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {sys::Fd(ends[0]), sys::Fd(ends[1])};
}

std::string read_some(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t count = ::read(fd, text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

TEST(Output, ToAClosedPipeEndsQuietly) {
  Pipe pipe = make_pipe();
  Output output(make_fd_sink(pipe.write.get()));
  EXPECT_TRUE(output.write("one\n"));
  pipe.read.reset();
  EXPECT_FALSE(output.write("two\n"));
  EXPECT_TRUE(output.closed());
  EXPECT_FALSE(output.write("three\n"));
  output.finish(seconds{1});
}

TEST(Output, ToAPipeWhoseReaderIsGoneFromTheStartEndsQuietly) {
  Pipe pipe = make_pipe();
  pipe.read.reset();
  Output output(make_fd_sink(pipe.write.get()));
  output.write("one\n");
  EXPECT_TRUE(output.closed());
}

TEST(Output, NeverBlocksOnAFullPipeAndLosesNothingThatWasQueued) {
  Pipe pipe = make_pipe();
  Output output(make_fd_sink(pipe.write.get()));
  std::string written;
  for (int i = 0; i < 5000; ++i) {
    const std::string line = "line " + std::to_string(i) + " ...............................................\n";
    ASSERT_TRUE(output.write(line));
    written += line;
  }
  EXPECT_TRUE(output.has_queued());
  std::string seen;
  while (output.has_queued()) {
    seen += read_some(pipe.read.get());
    output.flush();
  }
  while (seen.size() < written.size()) seen += read_some(pipe.read.get());
  EXPECT_EQ(seen, written);
}

TEST(Output, LeavesTheFlagsOfTheSharedDescriptorAlone) {
  Pipe pipe = make_pipe();
  const int before = ::fcntl(pipe.write.get(), F_GETFL);
  Output output(make_fd_sink(pipe.write.get()));
  output.write("text\n");
  EXPECT_EQ(::fcntl(pipe.write.get(), F_GETFL), before);
}

TEST(Output, NeverBlocksOnAFullSocket) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  sys::Fd reader(ends[0]);
  sys::Fd writer(ends[1]);
  Output output(make_fd_sink(writer.get()));
  const std::string line(1000, 'x');
  for (int i = 0; i < 2000; ++i) output.write(line);
  EXPECT_TRUE(output.has_queued());
  EXPECT_FALSE(output.closed());
  reader.reset();
  output.flush();
  EXPECT_TRUE(output.closed());
}

TEST(Output, DropsWholeWritesWhenTheQueueIsFull) {
  auto sink = std::make_shared<StringSink::State>();
  sink->room = 0;
  Output output(std::make_unique<StringSink>(sink), 10);
  EXPECT_TRUE(output.write("12345\n"));
  EXPECT_FALSE(output.write("67890\n"));
  EXPECT_EQ(output.take_dropped(), 1U);
  sink->room = 100;
  output.flush();
  EXPECT_EQ(sink->text, "12345\n");
}

TEST(Output, WaitsAtTheEndAsLongAsTheReaderReads) {
  auto sink = std::make_shared<StringSink::State>();
  sink->room = 0;
  Output output(std::make_unique<StringSink>(sink));
  output.write("0123456789");
  int waits = 0;
  sink->on_wait = [&] { sink->room = ++waits <= 3 ? 2 : 0; };
  output.finish(seconds{1});
  EXPECT_EQ(sink->text, "012345");
  EXPECT_EQ(waits, 4);
}

}  // namespace
}  // namespace mlpipe::report::test
