#include "app/log_lines.hpp"

#include "listing_fixture.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {
namespace {

using artifact::LogStream;

struct LogLinesTest : ListingTest {
  std::string print(LogLook look, const std::vector<std::tuple<LogStream, int, std::string>>& pieces) {
    const Console to = console();
    LogLines lines(to, std::move(look));
    for (const auto& [stream, time, bytes] : pieces) {
      lines.take({.stream = stream, .time = time < 0 ? WallTime() : test::at_millisecond(time), .bytes = bytes});
    }
    lines.finish();
    return out;
  }
};

TEST_F(LogLinesTest, RawIsByteForByte) {
  const std::string bytes("a\r\n\x1b[1m\xff\0b", 10);
  EXPECT_EQ(print({}, {{LogStream::out, 0, bytes}, {LogStream::err, 1, "no line end"}}), bytes + "no line end");
}

TEST_F(LogLinesTest, LinesOfTheTwoStreamsDoNotMix) {
  EXPECT_EQ(
      print({.form = LogForm::lines, .prefix = "train | "},
            {{LogStream::out, 0, "one and "}, {LogStream::err, 1, "warning\nleft"}, {LogStream::out, 2, "a half\n\n"}}),
      "train | warning\ntrain | one and a half\ntrain | \ntrain | left\n");
}

TEST_F(LogLinesTest, ALineHasTheTimeItBeganAt) {
  EXPECT_EQ(print({.form = LogForm::lines, .timestamps = true},
                  {{LogStream::out, 5, "a\nb"}, {LogStream::out, 7, "c\n"}, {LogStream::out, -1, "d\n"}}),
            "2026-02-02T02:40:00.005Z a\n2026-02-02T02:40:00.005Z bc\n------------------------ d\n");
}

TEST_F(LogLinesTest, OnATerminalNothingEscapes) {
  destination = Destination::terminal;
  EXPECT_EQ(print({.form = LogForm::lines},
                  {{LogStream::out, 0, "\x1b]0;title\x07red \x1b[31mtext\x1b[0m \xff\n10%\r20%\r30%\r\n"}}),
            "red text \\xff\n30%\n");
}

TEST_F(LogLinesTest, JsonHasAnObjectForEachLine) {
  print({.form = LogForm::json, .task = "train", .attempt = 2}, {{LogStream::err, 0, "a \"b\"\r\n\xff\n"}});
  EXPECT_EQ(out,
            "{\"attempt\":2,\"stream\":\"stderr\",\"task\":\"train\",\"text\":\"a "
            "\\\"b\\\"\",\"time\":\"2026-02-02T02:40:00.000Z\"}\n"
            "{\"attempt\":2,\"stream\":\"stderr\",\"task\":\"train\",\"text\":\"\xef\xbf\xbd\",\"time\":\"2026-02-"
            "02T02:40:00.000Z\"}\n");
}

TEST_F(LogLinesTest, AHugeLineIsCutAndNeverInACharacter) {
  std::string huge;
  for (int count = 0; count < 100'000; ++count) huge += "ü";  // 200,000 bytes, two each
  print({.form = LogForm::lines, .prefix = "x"}, {{LogStream::out, 0, "a" + huge}, {LogStream::out, 0, "\n"}});
  std::size_t lines = 0;
  std::string joined;
  for (std::size_t at = 0; at < out.size(); ++lines) {
    const std::size_t end = out.find('\n', at);
    const std::string line = out.substr(at + 1, end - at - 1);
    EXPECT_LE(line.size(), 64u * 1024);
    EXPECT_TRUE(is_valid_utf8(line));
    joined += line;
    at = end + 1;
  }
  EXPECT_EQ(joined, "a" + huge);
  EXPECT_EQ(lines, 4u);
}

}  // namespace
}  // namespace mlpipe::app
