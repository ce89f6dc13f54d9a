#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "mlpipe/base/value.hpp"

namespace mlpipe {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

std::string error_of(std::string_view text) {
  Result<Value> value = parse_json(text, "file.json");
  return value ? "no error: " + to_json(*value) : value.error().message;
}

TEST(Json, ReadsAndWritesEveryKind) {
  for (std::string_view text : {"null", "true", "false", "0", "-7", "0.5", "\"\"", "\"ä😀\"", "[]", "{}",
                                "[1,[2,[3]],\"a\"]", R"({"a":{"b":[1,{"c":null}]},"d":"e"})", R"("\"\\\n\r\t\u0001")",
                                "9223372036854775807", "-9223372036854775808"}) {
    Result<Value> value = parse_json(text, "t");
    ASSERT_TRUE(value.has_value()) << value.error().message;
    EXPECT_EQ(to_json(*value), text);
  }
}

TEST(Json, NestedValuesKeepTheirPlacesWhileSiblingsAreAdded) {
  std::string text = "[";
  for (int i = 0; i < 500; ++i) text += "{\"k\":[" + std::to_string(i) + ",[{}]],\"l\":{\"m\":[[]]}},";
  text += "null]";
  EXPECT_EQ(to_json(*parse_json(text, "t")), text);
}

TEST(Json, SpaceAndEscapesAreRead) {
  EXPECT_EQ(to_json(*parse_json(" \r\n\t[ 1 , { \"a\" : 2 } ]\n", "t")), R"([1,{"a":2}])");
  EXPECT_EQ(parse_json(R"("\u00e4\ud83d\ude00\/\b\f")", "t")->as_string(), "ä😀/\b\f");
}

TEST(Json, IntegersAndDoublesAreToldApart) {
  EXPECT_TRUE(parse_json("1", "t")->is_integer());
  EXPECT_TRUE(parse_json("1.0", "t")->is_double());
  EXPECT_TRUE(parse_json("1e2", "t")->is_double());
  EXPECT_EQ(to_json(*parse_json("[1.0,1e2,-0.0]", "t")), "[1,100,0]");
}

TEST(Json, IntegersOfMoreThan64BitsBecomeDoubles) {
  EXPECT_EQ(parse_json("9223372036854775808", "t")->as_double(), 9223372036854775808.0);
  EXPECT_EQ(parse_json("18446744073709551615", "t")->as_double(), 18446744073709551615.0);
  EXPECT_EQ(parse_json("-9223372036854775809", "t")->as_double(), -9223372036854775808.0);
  EXPECT_EQ(parse_json("1" + repeated("0", 30), "t")->as_double(), 1e30);
  EXPECT_THAT(error_of("1e999"), HasSubstr("number overflow"));
}

TEST(Json, KeysAreSortedAndPrettyTextParsesBack) {
  Value value(Value::Struct{{"z", 1}, {"a", Value::List{1, Value::Struct{}, Value::List{}}}, {"m", "x"}});
  EXPECT_EQ(to_json(value), R"({"a":[1,{},[]],"m":"x","z":1})");
  EXPECT_EQ(to_pretty_json(value), "{\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"m\": \"x\",\n  \"z\": 1\n}\n");
  EXPECT_EQ(*parse_json(to_pretty_json(value), "t"), value);
}

TEST(Json, AValueIsAddedAsDeepAsItStands) {
  std::string text = "{\n  \"deep\": ";
  add_pretty_json(text, Value(Value::Struct{{"a", Value::List{1}}, {"b", Value::Struct{}}}), 1);
  text += "\n}\n";
  const Value whole = Value::Struct{{"deep", Value::Struct{{"a", Value::List{1}}, {"b", Value::Struct{}}}}};
  EXPECT_EQ(text, to_pretty_json(whole));
}

TEST(Json, WhatJsonCannotSayIsReplaced) {
  EXPECT_EQ(to_json(Value(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(to_json(Value("a\xff"
                          "b\"")),
            "\"a\uFFFDb\\\"\"");
  EXPECT_EQ(to_json(Value(std::string("\0\x1f\x7f", 3))), "\"\\u0000\\u001f\x7f\"");
}

TEST(Json, DepthIsBounded) {
  EXPECT_TRUE(parse_json(repeated("[", 200) + repeated("]", 200), "t").has_value());
  EXPECT_TRUE(parse_json(repeated("{\"a\":", 199) + "[]" + repeated("}", 199), "t").has_value());
  EXPECT_EQ(error_of(repeated("[", 201) + repeated("]", 201)), "file.json:1:201: nested deeper than 200 levels");
  EXPECT_THAT(error_of(repeated("[", 1'000'000)), HasSubstr("nested deeper than 200 levels"));
  EXPECT_THAT(error_of(repeated("{\"a\":", 50'000)), HasSubstr("nested deeper than 200 levels"));
}

TEST(Json, DuplicateKeysAreAnError) {
  EXPECT_EQ(error_of("{\"a\": 1,\n \"a\": 2}"), "file.json:2:4: duplicate key \"a\"");
  EXPECT_THAT(error_of(R"({"x": {"k\u001b": 1, "k\u001b": 1}})"), HasSubstr("duplicate key \"k\""));
  EXPECT_TRUE(parse_json(R"([{"a":1},{"a":1}])", "t").has_value());
  EXPECT_TRUE(parse_json(R"({"a":{"a":1}})", "t").has_value());
}

TEST(Json, MistakesTellTheirPlace) {
  struct Case {
    std::string text;
    std::string start;
  };
  for (const Case& c :
       {Case{"", "file.json:1:1: syntax error: it is empty"}, Case{"  ", "file.json:1:2: syntax error: it is empty"},
        Case{"[1,\n 2,\n x]", "file.json:3:2: syntax error"}, Case{"{\"a\" 1}", "file.json:1:6: syntax error"},
        Case{"[1] 2", "file.json:1:5: syntax error"}, Case{"[\"äöü\" x]", "file.json:1:8: syntax error"},
        Case{"[01]", "file.json:1:3: syntax error"}, Case{"NaN", "file.json:1:1: syntax error"},
        Case{"{'a': 1}", "file.json:1:2: syntax error"}, Case{"[1,]", "file.json:1:4: syntax error"},
        Case{"\"\\ud800\"", "file.json:1:8: syntax error"}}) {
    EXPECT_THAT(error_of(c.text), StartsWith(c.start)) << c.text;
  }
}

TEST(Json, NonUtf8AndNulBytesAreErrorsAndPrintSafely) {
  for (std::string_view text : {"\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\xfe", "\"\x1b[31m\""}) {
    std::string error = error_of(text);
    EXPECT_THAT(error, StartsWith("file.json:1:")) << error;
    for (char c : error) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << error;
  }
  EXPECT_EQ(error_of(std::string_view("[1]\0garbage", 11)), "file.json:1:4: a NUL byte is not allowed in JSON");
  EXPECT_EQ(error_of(std::string_view("\"a\0\"", 4)), "file.json:1:3: a NUL byte is not allowed in JSON");
}

// Makes values of every kind, from a seed.
Value random_value(std::mt19937& random, int depth) {
  auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  auto text = [&] {
    static const std::vector<std::string> pieces = {"a", "\"",     "\\", "\n",   "\x01", "ä",
                                                    "😀", "\u2028", "/",  "\x7f", " "};
    std::string out;
    for (unsigned i = pick(5); i > 0; --i) out += pieces[pick(static_cast<unsigned>(pieces.size()))];
    return out;
  };
  switch (pick(depth == 0 ? 6 : 8)) {
    case 0: return nullptr;
    case 1: return pick(2) == 0;
    case 2: return static_cast<int>(random());
    case 3: return static_cast<std::int64_t>(std::uint64_t{random()} << 32U | random());
    case 4: return static_cast<double>(static_cast<int>(random())) / 1000;
    case 5: return text();
    case 6: {
      Value::List items;
      for (unsigned i = pick(5); i > 0; --i) items.push_back(random_value(random, depth - 1));
      return items;
    }
    default: {
      Value::Struct members;
      for (unsigned i = pick(5); i > 0; --i) members.insert_or_assign(text(), random_value(random, depth - 1));
      return members;
    }
  }
}

TEST(Json, RandomValuesReadBackEqual) {
  for (unsigned seed = 0; seed < 5'000; ++seed) {
    std::mt19937 random(seed);
    Value value = random_value(random, 5);
    Result<Value> compact = parse_json(to_json(value), "t");
    ASSERT_TRUE(compact.has_value()) << seed << ": " << compact.error().message;
    ASSERT_EQ(*compact, value) << seed;
    ASSERT_EQ(*parse_json(to_pretty_json(value), "t"), value) << seed;
  }
}

}  // namespace
}  // namespace mlpipe
