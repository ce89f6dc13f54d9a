#include "mlpipe/base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace mlpipe {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

TEST(Text, SplitsJoinsAndTrims) {
  EXPECT_THAT(split("a,b,,c", ','), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
  EXPECT_EQ(join(std::vector<std::string>{"a", "b", "{}"}, ", "), "a, b, {}");
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(to_lower("AbZ-Ä9"), "abz-Ä9");
}

TEST(Text, ClosestFindsWhatWasMeant) {
  std::vector<std::string> names = {"dataset_train", "dataset_test", "model", "size"};
  EXPECT_EQ(closest("dataset_trian", names), "dataset_train");
  EXPECT_EQ(closest("dataset_tes", names), "dataset_test");
  EXPECT_EQ(closest("Model", names), "model");
  EXPECT_EQ(closest("szie", names), "size");
  EXPECT_EQ(closest("modle", names), "model");
}

TEST(Text, ClosestKeepsSilentWhenNothingIsNear) {
  std::vector<std::string> names = {"dataset", "model", "b", ""};
  EXPECT_EQ(closest("metrics", names), std::nullopt);
  EXPECT_EQ(closest("a", names), std::nullopt);
  EXPECT_EQ(closest("", names), std::nullopt);
  EXPECT_EQ(closest("x", {}), std::nullopt);
  EXPECT_EQ(closest(std::string(10'000, 'a'), std::vector<std::string>{std::string(10'001, 'a')}), std::nullopt);
}

TEST(Text, ClosestTakesTheNearestAndThenTheFirst) {
  EXPECT_EQ(closest("trains", std::vector<std::string>{"strain", "train", "trainz"}), "train");
  EXPECT_EQ(closest("data", std::vector<std::string>{"date", "datb", "data"}), "data");
}

TEST(Text, Utf8IsChecked) {
  for (std::string_view text : {"", "a", "ä", "€", "😀", "\xf4\x8f\xbf\xbf", "\xee\x80\x80", "\x7f"}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
  }
  for (std::string_view text :
       {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe4z", "\xe2\x28\xa1"}) {
    EXPECT_FALSE(is_valid_utf8(text)) << text;
  }
}

TEST(Text, PrintableLetsPlainTextThrough) { EXPECT_EQ(printable("Grüße, 世界 😀 ~"), "Grüße, 世界 😀 ~"); }

TEST(Text, PrintableTakesTerminalSequencesAway) {
  struct Case {
    std::string text;
    std::string expected;
  };
  for (const Case& c : {
           Case{"\x1b[31mred\x1b[0m", "red"},
           Case{"\x1b[38;5;196;1mx", "x"},
           Case{"\x1b[?25lx\x1b[2K", "x"},
           Case{"a\x1b]0;title\x07"
                "b",
                "ab"},
           Case{"a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"},
           Case{"\x1bP1$r\x1b\\x\x1b_apc\x1b\\y\x1b^pm\x1b\\z", "xyz"},
           Case{"\x1b(Bx\x1b#8\x1b=y\x1b"
                "7",
                "xy"},
           Case{"end\x1b", "end"},
           Case{"end\x1b[", "end"},
           Case{"end\x1b[31", "end"},
           Case{"\x1b[31\nnext", "\\x0anext"},
           Case{"\x1b[ä", "ä"},
           Case{"\x1b"
                "ä",
                "ä"},
           Case{"\x1b]no end", "no end"},
           Case{"\x1b]x\x1b[31my", "y"},
       }) {
    EXPECT_EQ(printable(c.text), c.expected);
  }
}

TEST(Text, PrintableShowsOtherControlsAndInvalidBytes) {
  EXPECT_EQ(printable("a\tb"), "a b");
  EXPECT_EQ(printable("a\r\nb"), "a\\x0ab");
  EXPECT_EQ(printable(std::string_view("\0\x07\x08\x7f", 4)), "\\x00\\x07\\x08\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("\xc2\x80\xc2\xa0"), "\\x80\xc2\xa0");
  EXPECT_EQ(printable("\xff\xfe"
                      "a\xc3"),
            "\\xff\\xfea\\xc3");
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b31m");
}

TEST(Text, PrintableOfRandomBytesIsValidAndHoldsNoControl) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 12, '\0');
    for (char& c : bytes)
      c = random() % 3 == 0 ? "\x1b[]\\\x07\xc2\x9b;m\n"[random() % 10] : static_cast<char>(random());
    std::string text = printable(bytes);
    ASSERT_TRUE(is_valid_utf8(text));
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto byte = static_cast<unsigned char>(text[i]);
      ASSERT_TRUE(byte >= 0x20 && byte != 0x7F);
      ASSERT_FALSE(byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    }
  }
}

TEST(Text, ShortenCountsCodePoints) {
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("abcd", 3), "ab…");
  EXPECT_EQ(shorten("äöüß", 3), "äö…");
  EXPECT_EQ(shorten("äöü", 3), "äöü");
  EXPECT_EQ(shorten("ab", 1), "…");
  EXPECT_EQ(shorten("a", 1), "a");
  EXPECT_EQ(shorten("ab", 0), "");
  EXPECT_EQ(shorten("", 0), "");
  EXPECT_EQ(shorten("\xff\xff\xff", 2), "\xff…");
}

TEST(Text, DurationsAreShownShort) {
  struct Case {
    std::int64_t ms;
    std::string text;
  };
  for (const Case& c :
       {Case{0, "0 ms"}, Case{340, "340 ms"}, Case{999, "999 ms"}, Case{1000, "1.0 s"}, Case{12'345, "12.3 s"},
        Case{59'949, "59.9 s"}, Case{59'999, "1m 00s"}, Case{60'000, "1m 00s"}, Case{245'000, "4m 05s"},
        Case{3'599'999, "1h 00m"}, Case{7'380'000, "2h 03m"}, Case{360'000'000, "100h 00m"}}) {
    EXPECT_EQ(duration_text(milliseconds(c.ms)), c.text);
  }
}

TEST(Text, SizesAreShownShort) {
  struct Case {
    std::uint64_t bytes;
    std::string text;
  };
  for (const Case& c :
       {Case{0, "0 B"}, Case{312, "312 B"}, Case{1023, "1023 B"}, Case{1024, "1.0 KiB"}, Case{1'468'006, "1.4 MiB"},
        Case{1'048'575, "1.0 MiB"}, Case{1'048'576, "1.0 MiB"}, Case{UINT64_MAX, "16384.0 PiB"}}) {
    EXPECT_EQ(bytes_text(c.bytes), c.text);
  }
}

TEST(Text, DurationsAreRead) {
  struct Case {
    std::string text;
    std::int64_t ms;
  };
  for (const Case& c : {Case{"30s", 30'000}, Case{"1h30m", 5'400'000}, Case{"500ms", 500}, Case{"1.5h", 5'400'000},
                        Case{"90", 90'000}, Case{" 2m ", 120'000}, Case{"0", 0}, Case{"0s", 0},
                        Case{"1d2h3m4s5ms", 93'784'005}, Case{".5s", 500}, Case{"0.1", 100}}) {
    ASSERT_TRUE(parse_duration(c.text).has_value()) << c.text;
    EXPECT_EQ(parse_duration(c.text)->count(), c.ms) << c.text;
  }
  for (std::string_view text : {"",
                                " ",
                                "s",
                                "-5s",
                                "-0s",
                                "5 s",
                                "1h 30m",
                                "5x",
                                "1h30",
                                "0h30",
                                "30 ",
                                "inf",
                                "nan",
                                "1e3s",
                                "5sec",
                                "5S",
                                "999999999999999999h",
                                "1m-30s",
                                "0x10s",
                                "5s\xff"}) {
    bool is_padded_number = text == "30 ";
    EXPECT_EQ(parse_duration(text).has_value(), is_padded_number) << text;
  }
}

TEST(Text, QuantitiesAreRead) {
  struct Case {
    std::string text;
    std::uint64_t bytes;
  };
  for (const Case& c :
       {Case{"1024", 1024}, Case{"500M", 500'000'000}, Case{"4Gi", 4'294'967'296}, Case{"0.5Gi", 536'870'912},
        Case{"64Ki", 65'536}, Case{"1k", 1000}, Case{"2T", 2'000'000'000'000}, Case{"1E", 1'000'000'000'000'000'000},
        Case{"1Ei", 1'152'921'504'606'846'976}, Case{"12e6", 12'000'000}, Case{" 8Mi ", 8'388'608}, Case{"0", 0}}) {
    ASSERT_TRUE(parse_bytes(c.text).has_value()) << c.text;
    EXPECT_EQ(*parse_bytes(c.text), c.bytes) << c.text;
  }
  for (std::string_view text :
       {"", "Gi", "4GB", "4gi", "-1", "-0", "4 Gi", "1e30", "9Ei", "inf", "nan", "0x10", "1Gi1", "500m"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Text, ShellWordsAreQuotedOnlyWhenNeeded) {
  EXPECT_EQ(shell_quoted("plain-1.0_/a=b:c,d@e%f+"), "plain-1.0_/a=b:c,d@e%f+");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted("$(x)"), "'$(x)'");
  EXPECT_EQ(shell_quoted("~"), "'~'");
  EXPECT_EQ(shell_quoted("a\nb"), "'a\nb'");
}

}  // namespace
}  // namespace mlpipe
