#include "report/log_tail.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "mlpipe/base/text.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::report::test {
namespace {

using mlpipe::test::TempDir;
using ::testing::ElementsAre;

TEST(LogTail, IsTheLastLinesInOrder) {
  EXPECT_THAT(tail_of("a\nb\nc\n", true, 2).lines, ElementsAre("b", "c"));
  EXPECT_FALSE(tail_of("a\nb\nc\n", true, 2).whole);
  EXPECT_THAT(tail_of("a\nb\nc\n", true, 3).lines, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(tail_of("a\nb\nc\n", true, 3).whole);
  EXPECT_THAT(tail_of("a\n\nb", true, 20).lines, ElementsAre("a", "", "b"));
  EXPECT_THAT(tail_of("\n\nb", true, 20).lines, ElementsAre("", "", "b"));
  EXPECT_THAT(tail_of("", true, 20).lines, ElementsAre());
  EXPECT_THAT(tail_of("a\r\nb\r\n", true, 20).lines, ElementsAre("a", "b"));
}

TEST(LogTail, OfALogThatIsCutInACharacterStartsAfterIt) {
  const std::string text = "日本\nend\n";
  EXPECT_THAT(tail_of(text.substr(1), false, 20).lines, ElementsAre("…本", "end"));
}

TEST(LogTail, ReadsOnlyTheEndOfAHugeLog) {
  TempDir folder;
  const auto log = folder.path() / "log";
  std::ofstream(log) << "start\n";
  std::filesystem::resize_file(log, std::uintmax_t{10} << 30);  // a hole of 10 GiB
  std::ofstream(log, std::ios::app) << "\nlast line\n";
  const LogTail tail = read_log_tail(log);
  ASSERT_TRUE(tail.readable);
  EXPECT_FALSE(tail.whole);
  EXPECT_EQ(tail.lines.back(), "last line");
}

TEST(LogTail, ShortensAnEndlessLine) {
  TempDir folder;
  const auto log = folder.write("log", std::string(1'000'000, 'x'));
  const LogTail tail = read_log_tail(log);
  ASSERT_EQ(tail.lines.size(), 1U);
  EXPECT_LT(tail.lines[0].size(), 1100U);
}

TEST(LogTail, OfWhatIsNoFileIsNothing) {
  TempDir folder;
  EXPECT_FALSE(read_log_tail(folder.path() / "absent").readable);
  EXPECT_FALSE(read_log_tail(folder.path()).readable);
  const auto fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_FALSE(read_log_tail(fifo).readable);
}

TEST(LastLines, FollowsAGrowingLogAndForgetsAnEarlierAttempt) {
  TempDir folder;
  LastLines lines;
  const engine::AttemptId first{.task = engine::TaskId{3}, .number = 1};
  const engine::AttemptId second{.task = engine::TaskId{3}, .number = 2};
  EXPECT_EQ(lines.of(first, folder.path() / "log"), "");
  const auto log = folder.write("log", "one\n");
  EXPECT_EQ(lines.of(first, log), "one");
  folder.write("log", "one\n  two  \n\n\n");
  EXPECT_EQ(lines.of(first, log), "two");
  EXPECT_EQ(lines.of(second, folder.path() / "log2"), "");
}

}  // namespace
}  // namespace mlpipe::report::test
