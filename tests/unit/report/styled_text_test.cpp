#include "report/styled_text.hpp"

#include <gtest/gtest.h>

namespace mlpipe::report::test {
namespace {

TEST(StyledText, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);  // a combining accent
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("🎉"), 2U);
  EXPECT_EQ(display_width("ＡＢ"), 4U);  // full-width letters
  EXPECT_EQ(display_width("한국"), 4U);
  EXPECT_EQ(display_width("a\u200bb"), 2U);  // zero-width space
  EXPECT_EQ(display_width("☂\ufe0f"), 2U);   // made an emoji
  EXPECT_EQ(display_width("\xff\xfe"), 2U);  // malformed: one each
  EXPECT_EQ(display_width(""), 0U);
}

TEST(StyledText, CutsAtAColumnAndNeverInsideACharacter) {
  EXPECT_EQ(cut("abcdef", 6, Glyphs::unicode), "abcdef");
  EXPECT_EQ(cut("abcdef", 5, Glyphs::unicode), "abcd…");
  EXPECT_EQ(cut("abcdef", 5, Glyphs::ascii), "abcd~");
  EXPECT_EQ(cut("日本語", 6, Glyphs::unicode), "日本語");
  EXPECT_EQ(cut("日本語", 5, Glyphs::unicode), "日本…");
  EXPECT_EQ(cut("日本語", 4, Glyphs::unicode), "日…");
  EXPECT_EQ(cut("ae\u0301b", 2, Glyphs::unicode), "a…");
  EXPECT_EQ(cut("abc", 1, Glyphs::unicode), "…");
  EXPECT_EQ(cut("abc", 0, Glyphs::unicode), "");
}

TEST(StyledText, CutsALineOfSpansAsAWhole) {
  Line line;
  line.add(Style::good, "abc").add("def").add(Style::bad, "ghi");
  EXPECT_EQ(line.width(), 9U);
  EXPECT_EQ(line.text(Color::no, 9, Glyphs::unicode), "abcdefghi");
  EXPECT_EQ(line.text(Color::no, 8, Glyphs::unicode), "abcdefg…");
  EXPECT_EQ(line.text(Color::no, 6, Glyphs::unicode), "abcde…");
  EXPECT_EQ(line.text(Color::no, 3, Glyphs::unicode), "ab…");
  EXPECT_EQ(line.text(Color::no, 1, Glyphs::unicode), "…");
  EXPECT_EQ(line.text(Color::no, 0, Glyphs::unicode), "");
  EXPECT_EQ(line.text(Color::yes, 4, Glyphs::unicode), "\x1b[32mabc\x1b[0m…");
}

TEST(StyledText, CutLinesNeverExceedTheirColumns) {
  for (std::size_t columns = 0; columns < 20; ++columns) {
    Line line;
    line.add(Style::good, "日本").add("e\u0301").add(Style::dim, "語x").add("🎉🎉").pad_to(14).add("end");
    EXPECT_LE(display_width(line.text(Color::no, columns, Glyphs::unicode)), columns);
  }
}

std::string bar(std::size_t columns, std::size_t done, std::size_t failed, std::size_t total) {
  Line line;
  add_bar(line, columns, done, failed, total, Glyphs::ascii);
  return line.text(Color::no, 100, Glyphs::ascii);
}

TEST(StyledText, BarsAreFullOnlyWhenAllIsDone) {
  EXPECT_EQ(bar(10, 0, 0, 5), "----------");
  EXPECT_EQ(bar(10, 2, 0, 5), "====------");
  EXPECT_EQ(bar(10, 999, 0, 1000), "=========-");
  EXPECT_EQ(bar(10, 1000, 0, 1000), "==========");
  EXPECT_EQ(bar(10, 1, 1, 1000), "=---------");  // a failure shows, however little it is
  EXPECT_EQ(bar(10, 0, 0, 0), "----------");
  EXPECT_EQ(bar(0, 1, 0, 2), "");
}

}  // namespace
}  // namespace mlpipe::report::test
