#include "app/text_table.hpp"

#include <gtest/gtest.h>

namespace mlpipe::app {
namespace {

TEST(TextTable, AlignsByCodePointsAndLeavesEmptyColumnsOut) {
  TextTable table({{"NAME"}, {"EMPTY"}, {"N", Align::right}, {"REST"}});
  table.add({"zürich", "", "1", "x"});
  table.add({"b", "", "1000", ""});
  EXPECT_EQ(table.render(report::Color::no), "NAME       N  REST\nzürich     1  x\nb       1000\n");
}

TEST(TextTable, ColoursDoNotShiftColumns) {
  TextTable table({{""}, {""}});
  table.add({Cell("ok", Style::good), "x"});
  table.add({Cell("failed", Style::bad), "y"});
  EXPECT_EQ(table.render(report::Color::yes), "\x1b[32mok\x1b[0m      x\n\x1b[31mfailed\x1b[0m  y\n");
}

TEST(TextTable, ShortensTheLastColumnToTheWidth) {
  TextTable table({{""}, {""}});
  table.add({"ab", "0123456789abcdefghij"});
  EXPECT_EQ(table.render(report::Color::no, 2, 20), "  ab  0123456789abc…\n");
  EXPECT_EQ(table.render(report::Color::no, 0, 5), "ab  012345678…\n");  // never less than ten
}

TEST(TextTable, WithoutRowsIsNothing) { EXPECT_EQ(TextTable({{""}, {""}}).render(report::Color::no, 2), ""); }

}  // namespace
}  // namespace mlpipe::app
