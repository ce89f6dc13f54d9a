#include "mlpipe/artifact/log_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::artifact {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::HasSubstr;
using namespace std::chrono_literals;

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const override { return MonotonicTime(passed_); }
  WallTime wall() const override { return WallTime(1'700'000'000'000ms + passed_); }
  void pass(std::chrono::milliseconds time) { passed_ += time; }

 private:
  std::chrono::milliseconds passed_{1000};
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class Log : public testing::Test {
 protected:
  const TempDir dir_;
  const fs::path path_ = dir_.path() / "log";
  FakeClock clock_;

  std::unique_ptr<LogWriter> create(LogOptions options = {}) const {
    return create_log(path_, options, clock_).value();
  }
  std::string read(LogFilter filter, std::uint64_t offset = 0) const {
    std::string text;
    EXPECT_TRUE(read_log(path_, offset, filter, [&](const LogPiece& piece) { text += piece.bytes; }));
    return text;
  }
  std::string tail(std::size_t lines, LogFilter filter) const {
    return read(filter, log_tail_offset(path_, lines, filter).value());
  }
  std::uintmax_t records() const { return fs::file_size(dir_.path() / "log.index") / 16; }
};

TEST_F(Log, KeepsTheBytesOfBothStreamsInOrder) {
  const auto log = create();
  const std::string binary("\0\xff\x1b[31m\r no newline", 19);
  log->write(LogStream::out, bytes("one\n"));
  log->write(LogStream::err, bytes("two\n"));
  log->write(LogStream::out, bytes(binary));
  const LogTotals totals = log->close();
  EXPECT_EQ(test::slurp(path_), "one\ntwo\n" + binary);
  EXPECT_EQ(totals.written, 8 + binary.size());
  EXPECT_EQ(totals.dropped, 0U);
  EXPECT_EQ(read(LogFilter::both), "one\ntwo\n" + binary);
  EXPECT_EQ(read(LogFilter::out), "one\n" + binary);
  EXPECT_EQ(read(LogFilter::err), "two\n");
}

TEST_F(Log, WritesTheIndexThatItsHeaderPromises) {
  const auto log = create();
  log->write(LogStream::out, bytes("one\n"));
  clock_.pass(5s);
  log->write(LogStream::err, bytes("two\n"));
  log->close();
  const std::string index = test::slurp(dir_.path() / "log.index");
  const auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8U | static_cast<unsigned char>(index.at(at + i));
    return value;
  };
  ASSERT_EQ(index.size(), 32U);
  EXPECT_EQ(number(0), 0U);
  EXPECT_EQ(number(8), 1'700'000'001'000'000'000U);
  EXPECT_EQ(number(16), (std::uint64_t{1} << 63U) + 4);
  EXPECT_EQ(number(24), 1'700'000'006'000'000'000U);
}

TEST_F(Log, CanBeReadWhileItIsWritten) {
  const auto log = create();
  log->write(LogStream::out, bytes("one\n"));
  std::uint64_t offset = read_log(path_, 0, LogFilter::both, [](const LogPiece&) {}).value();
  log->write(LogStream::err, bytes("two"));
  EXPECT_EQ(read(LogFilter::err, offset), "two");
  EXPECT_EQ(read(LogFilter::out, offset), "");
  offset = read_log(path_, offset, LogFilter::out, [](const LogPiece&) {}).value();
  EXPECT_EQ(offset, 7U);
  log->write(LogStream::err, bytes(" more"));
  EXPECT_EQ(read(LogFilter::both, offset), " more");
}

TEST_F(Log, TenThousandShortLinesShareAFewRecords) {
  const auto log = create();
  for (int i = 0; i < 10'000; ++i) {
    log->write(LogStream::out, bytes("line\n"));
    if (i % 1000 == 999) clock_.pass(200ms);
  }
  log->close();
  EXPECT_EQ(records(), 10U);
}

TEST_F(Log, ReadersLearnWhenAPieceBegan) {
  const auto log = create();
  log->write(LogStream::out, bytes("a"));
  clock_.pass(2s);
  log->write(LogStream::out, bytes("b"));
  std::vector<WallTime> times;
  ASSERT_TRUE(read_log(path_, 0, LogFilter::both, [&](const LogPiece& piece) { times.push_back(piece.time); }));
  EXPECT_THAT(times, testing::ElementsAre(WallTime(1'700'000'001'000ms), WallTime(1'700'000'003'000ms)));
}

TEST_F(Log, MasksSecretsOfEachStreamByItself) {
  const auto log = create({.secrets = {"hunter2"}});
  log->write(LogStream::out, bytes("out hun"));
  log->write(LogStream::err, bytes("err hunt"));
  log->write(LogStream::out, bytes("ter2 rest hunt"));
  log->write(LogStream::err, bytes("er2"));
  log->close();
  EXPECT_EQ(read(LogFilter::out), "out *** rest hunt");
  EXPECT_EQ(read(LogFilter::err), "err ***");
  EXPECT_THAT(test::slurp(path_), testing::Not(HasSubstr("hunter2")));
}

TEST_F(Log, StopsAtItsCapAndSaysSo) {
  const auto log = create({.max_bytes = 10});
  log->write(LogStream::out, bytes("12345678"));
  log->write(LogStream::out, bytes("90abc"));
  log->write(LogStream::err, bytes("more"));
  const LogTotals totals = log->close();
  EXPECT_EQ(test::slurp(path_), "1234567890\n[mlpipe] … truncated: this log may have 10 B\n");
  EXPECT_EQ(totals.written, 10U);
  EXPECT_EQ(totals.dropped, 7U);
  EXPECT_TRUE(totals.truncated);
  EXPECT_EQ(read(LogFilter::out), "1234567890");
}

TEST_F(Log, AnExactlyFullLogIsNotTruncated) {
  const auto log = create({.max_bytes = 10});
  log->write(LogStream::out, bytes("1234567890"));
  EXPECT_FALSE(log->close().truncated);
  EXPECT_EQ(test::slurp(path_), "1234567890");
}

TEST_F(Log, TailCountsLinesOfTheFilteredStream) {
  const auto log = create();
  for (int i = 1; i <= 5; ++i) {
    log->write(LogStream::out, bytes(fmt::format("out {}\n", i)));
    log->write(LogStream::err, bytes(fmt::format("err {}\n", i)));
  }
  log->write(LogStream::out, bytes("partial"));
  EXPECT_EQ(tail(2, LogFilter::both), "err 5\npartial");
  EXPECT_EQ(tail(3, LogFilter::both), "out 5\nerr 5\npartial");
  EXPECT_EQ(tail(2, LogFilter::out), "out 5\npartial");
  EXPECT_EQ(tail(2, LogFilter::err), "err 4\nerr 5\n");
  EXPECT_EQ(tail(0, LogFilter::both), "");
  EXPECT_EQ(tail(100, LogFilter::err), "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n");
}

TEST_F(Log, TailIsThatOfAPlainSearchOnRandomLogs) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    const auto log = create();
    std::string all;
    std::string err;
    for (int piece = 0; piece < 40; ++piece) {
      std::string text;
      for (auto n = random() % 6; n > 0; --n) text += random() % 3 == 0 ? "\n" : "x";
      if (round == 0) text += std::string(20'000, 'y');  // past a block
      const bool to_err = random() % 2 == 0;
      log->write(to_err ? LogStream::err : LogStream::out, bytes(text));
      all += text;
      if (to_err) err += text;
      if (random() % 4 == 0) clock_.pass(150ms);
    }
    const auto expected = [](const std::string& text, std::size_t lines) {
      std::size_t at = text.size();
      for (std::size_t i = text.size(); i-- > 0;) {
        if (text[i] == '\n' && i + 1 != text.size() && --lines == 0) return text.substr(at);
        at = i;
      }
      return text;
    };
    for (const std::size_t lines : {1U, 2U, 5U, 1000U}) {
      EXPECT_EQ(tail(lines, LogFilter::both), expected(all, lines));
      EXPECT_EQ(tail(lines, LogFilter::err), expected(err, lines));
    }
    EXPECT_EQ(read(LogFilter::both), all);
    EXPECT_EQ(read(LogFilter::err), err);
  }
}

TEST_F(Log, ManyRecordsAreReadInBlocks) {
  const auto log = create();
  std::string err;
  for (int i = 0; i < 20'000; ++i) {
    log->write(i % 2 == 0 ? LogStream::out : LogStream::err, bytes(std::to_string(i) + "\n"));
    if (i % 2 == 1) err += std::to_string(i) + "\n";
  }
  EXPECT_EQ(records(), 20'000U);
  EXPECT_EQ(read(LogFilter::err), err);
  EXPECT_EQ(tail(1, LogFilter::out), "19998\n");
}

TEST_F(Log, WithoutItsIndexIsAllStdout) {
  create()->write(LogStream::err, bytes("text\n"));
  fs::remove(dir_.path() / "log.index");
  EXPECT_EQ(read(LogFilter::out), "text\n");
  EXPECT_EQ(read(LogFilter::err), "");
  EXPECT_EQ(tail(1, LogFilter::both), "text\n");
}

TEST_F(Log, AnAbsentLogIsNotFound) {
  EXPECT_EQ(read_log(path_, 0, LogFilter::both, [](const LogPiece&) {}).error().code, ErrorCode::not_found);
  EXPECT_EQ(log_tail_offset(path_, 1, LogFilter::both).error().code, ErrorCode::not_found);
  EXPECT_EQ(last_line(path_), "");
}

TEST_F(Log, LastLineIsFitForATerminal) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {"one\ntwo\n", "two"},
      {"one\ntwo", "two"},
      {"one\n\n  \n", "one"},
      {"epoch 1\r\n", "epoch 1"},
      {"10%\r20%\r30%", "30%"},
      {"10%\r20%\r30%\r", "30%"},
      {"\x1b[32mgreen\x1b[0m\n", "green"},
      {"\n\n\n", ""},
      {"bell\a\n", "bell\\x07"},
  };
  for (const auto& [text, line] : cases) {
    dir_.write("log", text);
    EXPECT_EQ(last_line(path_), line) << text;
  }
}

TEST_F(Log, LastLineOfALongLineIsItsEnd) {
  dir_.write("log", std::string(100'000, 'x') + "ü" + std::string(4095, 'y'));  // the block begins within the ü
  EXPECT_EQ(last_line(path_), std::string(4095, 'y'));
}

TEST_F(Log, SaysWhyItCannotBeCreated) {
  const auto log = create_log(dir_.path() / "no" / "folder" / "log", {}, clock_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::not_found);
  EXPECT_THAT(log.error().message, HasSubstr("creating the log"));
}

TEST_F(Log, DoesNotWriteThroughALink) {
  const fs::path victim = dir_.write("victim", "kept");
  fs::create_symlink(victim, path_);
  EXPECT_FALSE(create_log(path_, {}, clock_));
  EXPECT_EQ(test::slurp(victim), "kept");
}

TEST(LogDisk, AFullDiskDropsAndCountsAndGoesOnWhenThereIsRoom) {
  test::SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const fs::path path = disk.path() / "log";
  FakeClock clock;
  const auto log = create_log(path, {}, clock).value();
  const fs::path filler = disk.path() / "filler";
  std::ofstream(filler) << std::string(40'000, 'f');
  const std::string piece(10'000, 'x');
  for (int i = 0; i < 10; ++i) log->write(LogStream::out, bytes(piece));
  fs::remove(filler);
  log->write(LogStream::out, bytes("after\n"));
  const LogTotals totals = log->close();
  EXPECT_EQ(totals.written + totals.dropped, 100'006U);
  EXPECT_GT(totals.dropped, 50'000U);
  EXPECT_FALSE(totals.truncated);
  const std::string text = test::slurp(path);
  EXPECT_TRUE(text.ends_with(" of this log lost here: the disk did not take it\nafter\n"))
      << text.substr(text.size() - 200);
  std::string err;
  ASSERT_TRUE(read_log(path, 0, LogFilter::err, [&](const LogPiece& p) { err += p.bytes; }));
  EXPECT_THAT(err, testing::MatchesRegex("\n?\\[mlpipe\\] .* of this log lost here: the disk did not take it\n"));
}

TEST(LogDisk, ADiskThatStaysFullIsToldInTheTotals) {
  test::SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  FakeClock clock;
  const auto log = create_log(disk.path() / "log", {}, clock).value();
  for (int i = 0; i < 100; ++i)
    log->write(i % 2 == 0 ? LogStream::out : LogStream::err, bytes(std::string(10'000, 'x')));
  const LogTotals totals = log->close();
  EXPECT_EQ(totals.written + totals.dropped, 1'000'000U);
  EXPECT_GT(totals.dropped, 900'000U);
  EXPECT_EQ(fs::file_size(disk.path() / "log"), totals.written);
}

}  // namespace
}  // namespace mlpipe::artifact
