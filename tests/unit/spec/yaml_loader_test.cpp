#include <fmt/format.h>
#include <gtest/gtest.h>

#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {
namespace {

struct Loaded {
  std::string text;
  std::optional<YamlTree> tree;
  std::string problems;
};

// `text` stays where it is: the tree has views into it.
std::unique_ptr<Loaded> load(std::string text) {
  auto loaded = std::make_unique<Loaded>();
  loaded->text = std::move(text);
  Mistakes mistakes;
  loaded->tree = load_yaml(loaded->text, 0, mistakes);
  loaded->problems = render(mistakes.take(), {{"f", loaded->text.substr(0, 1000)}});
  return loaded;
}

std::string message(std::string text) {
  std::string problems = load(std::move(text))->problems;
  return problems.substr(0, problems.find('\n'));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(YamlLoader, KeepsOrderTextsAndPlaces) {
  auto loaded = load("b: x\na: [1, 'it''s', \"\\t\"]\nü: {k: v}\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode root(*loaded->tree, 0);
  std::string keys;
  for (YamlEntry entry : root.entries()) keys += std::string(entry.key.text()) + ",";
  EXPECT_EQ(keys, "b,a,ü,");
  std::vector<std::string> items;
  for (YamlNode item : root.find("a")->items()) items.emplace_back(item.text());
  EXPECT_EQ(items, (std::vector<std::string>{"1", "it's", "\t"}));
  EXPECT_EQ(root.find("ü")->find("k")->where(), (Where{3, 8, 0}));  // columns are code points
}

TEST(YamlLoader, MergeKeysBringMembersThatAreNotThereYet) {
  auto loaded = load("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3, z: 4}\nc: {<<: [*b, {x: 5, w: 6}], v: 7}\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  EXPECT_EQ(loaded->problems, "");
  auto members = [&](std::string_view key) {
    std::string all;
    for (YamlEntry entry : YamlNode(*loaded->tree, 0).find(key)->entries()) {
      all += fmt::format("{}{} ", entry.key.text(), entry.value.text());
    }
    return all;
  };
  EXPECT_EQ(members("a"), "x1 y2 ");
  EXPECT_EQ(members("b"), "y3 z4 x1 ");
  EXPECT_EQ(members("c"), "v7 y3 z4 x1 w6 ");
}

TEST(YamlLoader, GoesOnBehindWhatItCannotUse) {
  auto loaded = load("a: !!str 5\n{b: c}: d\n~: e\nf: {[g]: h, i: !x [j]}\n---\nk: l\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode root(*loaded->tree, 0);
  EXPECT_TRUE(root.is_shortened());
  EXPECT_EQ(root.find("a")->text(), "5");
  EXPECT_TRUE(root.find("a")->is_plain());
  EXPECT_FALSE(root.find("k"));
  ASSERT_TRUE(root.find("f"));
  EXPECT_TRUE(root.find("f")->is_shortened());
  EXPECT_TRUE(root.find("f")->find("i")->is_sequence());
}

TEST(YamlLoader, PlacesInsideBlockTextsAreThoseOfTheFile) {
  auto loaded = load("a:\n  s: |\n\n    one\n      two\n  q: 'text'\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode block = *YamlNode(*loaded->tree, 0).find("a")->find("s");
  EXPECT_EQ(block.text(), "\none\n  two\n");
  EXPECT_EQ(block.text_where(2, 1), (Where{4, 5, 0}));
  EXPECT_EQ(block.text_where(3, 3), (Where{5, 7, 0}));
  EXPECT_EQ(YamlNode(*loaded->tree, 0).find("a")->find("q")->text_where(), (Where{6, 7, 0}));
}

TEST(YamlLoader, PlacesInsideQuotesCountWhatIsWritten) {
  auto loaded = load("a: \"x\\\"\\u00e9ü y\"\nb: 'it''s y'\nc: \"x\n  y\"\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode root(*loaded->tree, 0);
  EXPECT_EQ(root.find("a")->text(), "x\"éü y");
  EXPECT_EQ(root.find("a")->text_where(1, 6), (Where{1, 16, 0}));
  EXPECT_EQ(root.find("b")->text_where(1, 6), (Where{2, 11, 0}));
  EXPECT_EQ(root.find("c")->text_where(1, 3), (Where{3, 4, 0}));
}

TEST(YamlLoader, ByteOrderMarkAndCarriageReturnsAreNoPartOfTheTexts) {
  auto loaded = load(
      "\xEF\xBB\xBF"
      "a: x\r\nb: |\r\n  y\r\n  z\r\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode root(*loaded->tree, 0);
  EXPECT_EQ(root.find("a")->text(), "x");
  EXPECT_EQ(root.find("a")->where(), (Where{1, 4, 0}));
  EXPECT_EQ(root.find("b")->text(), "y\nz\n");
}

TEST(YamlLoader, NestingIsRefusedAtAHundredInEveryStyle) {
  EXPECT_TRUE(load(repeated("[", 100) + repeated("]", 100))->tree);
  EXPECT_EQ(message(repeated("[", 101) + repeated("]", 101)), "f:1:101: error: nested deeper than 100 levels");
  for (std::string_view opening : {"[", "{a: ", "- ", "? ", "[{a: "}) {
    EXPECT_NE(message(repeated(opening, 50'000)).find("nested deeper than 100 levels"), std::string::npos) << opening;
  }
  std::string block;
  for (std::size_t i = 0; i < 3000; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_NE(message(block).find("f:101:101: error: nested deeper"), std::string::npos);
}

TEST(YamlLoader, AliasesCountTowardsNesting) {
  std::string text =
      "a: &a " + repeated("[", 60) + repeated("]", 60) + "\nb: " + repeated("[", 60) + "*a" + repeated("]", 60) + "\n";
  EXPECT_NE(message(text).find("f:2:64: error: nested deeper than 100 levels"), std::string::npos) << message(text);
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 200; ++i)
    chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  EXPECT_NE(message(chain).find("nested deeper than 100 levels"), std::string::npos);
}

TEST(YamlLoader, AliasBombsAndCyclesAreRefused) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i > 0 ? "," : "") + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  auto loaded = load(bomb);
  EXPECT_FALSE(loaded->tree);
  EXPECT_NE(loaded->problems.find("aliases grow this file beyond 1000000 values"), std::string::npos);
  EXPECT_NE(message("a: &a [*a]\n").find("this alias stands inside what it is an alias of"), std::string::npos);
}

TEST(YamlLoader, HarmlessAliasesAreCopies) {
  auto loaded = load("a: &a {x: 1, y: [2, 3]}\nb: *a\nc: [*a, *a]\n");
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  YamlNode root(*loaded->tree, 0);
  EXPECT_EQ(root.find("b")->find("x")->text(), "1");
  int count = 0;
  for (YamlNode item : root.find("c")->items()) {
    for (YamlNode number : item.find("y")->items()) count += number.text() == "2" || number.text() == "3";
  }
  EXPECT_EQ(count, 4);
}

TEST(YamlLoader, DuplicateKeysAreFoundInSmallAndLargeMappings) {
  EXPECT_EQ(message("a: 1\nb: 2\na: 3\n"), "f:3:1: error: `a` is here twice");
  std::string large;
  for (int i = 0; i < 1000; ++i) large += "k" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(load(large)->problems.empty());
  EXPECT_EQ(message(large + "k5: 2\n"), "f:1001:1: error: `k5` is here twice");
}

TEST(YamlLoader, BytesThatAreNoTextAreRefusedWithTheirPlace) {
  EXPECT_EQ(message("a: caf\xe9\n"), "f:1:7: error: byte 0xe9 is not UTF-8");
  EXPECT_EQ(message(std::string(100'000, 'a') + ": 1\nb: \xc3\x28\n"), "f:2:4: error: byte 0xc3 is not UTF-8");
  EXPECT_EQ(message("a: ü\xed\xa0\x80\n"), "f:1:5: error: byte 0xed is not UTF-8");  // a surrogate
  EXPECT_EQ(message(std::string("a: \0b\n", 6)), "f:1:4: error: a NUL byte: this is not a text file");
  EXPECT_EQ(message(""), "f:1:1: error: the file is empty");
}

TEST(YamlLoader, TextsAreNeverShortened) {
  std::string text = "a: \"" + std::string(3'000'000, 'x') + "\\n\"\nb: " + std::string(3'000'000, 'y') + "\n";
  auto loaded = load(text);
  ASSERT_TRUE(loaded->tree) << loaded->problems;
  EXPECT_EQ(YamlNode(*loaded->tree, 0).find("a")->text().size(), 3'000'001U);
  EXPECT_EQ(YamlNode(*loaded->tree, 0).find("b")->text().size(), 3'000'000U);
}

TEST(YamlLoader, ANodeTakesSixteenBytes) { EXPECT_EQ(sizeof(YamlTree::Node), 16U); }

}  // namespace
}  // namespace mlpipe::spec
