#include "mlpipe/base/value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace mlpipe {
namespace {

TEST(Value, KnowsItsKind) {
  EXPECT_TRUE(Value().is_null());
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_TRUE(Value(true).is_bool());
  EXPECT_TRUE(Value(1).is_integer());
  EXPECT_TRUE(Value(std::uint64_t{7}).is_integer());
  EXPECT_TRUE(Value(1.0).is_double());
  EXPECT_TRUE(Value("text").is_string());
  EXPECT_TRUE(Value(std::string_view("text")).is_string());
  EXPECT_TRUE(Value(Value::List{1, "a"}).is_list());
  EXPECT_TRUE(Value(Value::Struct{{"k", 1}}).is_struct());
  EXPECT_TRUE(Value(1).is_number());
  EXPECT_TRUE(Value(1.5).is_number());
  EXPECT_FALSE(Value(true).is_number());
  EXPECT_FALSE(Value("1").is_number());
}

TEST(Value, UnsignedNumbersBeyondTheIntegersBecomeDoubles) {
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()).as_double(), 18446744073709551615.0);
  EXPECT_EQ(Value(std::uint64_t{INT64_MAX}).as_integer(), INT64_MAX);
}

TEST(Value, EqualityIsDeepAndExactAcrossNumbers) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_EQ(Value(0.0), Value(-0.0));
  EXPECT_NE(Value(std::int64_t{9007199254740993}), Value(9007199254740992.0));
  EXPECT_NE(Value(INT64_MAX), Value(9223372036854775808.0));
  EXPECT_EQ(Value(INT64_MIN), Value(-9223372036854775808.0));
  EXPECT_NE(Value(1), Value(true));
  EXPECT_NE(Value(1), Value("1"));
  EXPECT_NE(Value(0), Value(nullptr));
  EXPECT_NE(Value(std::nan("")), Value(std::nan("")));
  EXPECT_EQ(Value(Value::List{1, Value::Struct{{"k", 2.0}}}), Value(Value::List{1.0, Value::Struct{{"k", 2}}}));
  EXPECT_NE(Value(Value::List{1}), Value(Value::List{1, 1}));
  EXPECT_NE(Value(Value::Struct{{"a", 1}}), Value(Value::Struct{{"b", 1}}));
}

TEST(Value, OrdersNumbersByTheirExactValues) {
  struct Case {
    Value left;
    Value right;
  };
  for (const Case& c :
       {Case{1, 2}, Case{1, 1.5}, Case{-1.5, -1}, Case{-2, -1.5}, Case{INT64_MAX, 9223372036854775808.0},
        Case{0, 5e-324}, Case{std::int64_t{9007199254740992}, 9007199254740994.0},
        Case{9007199254740992.0, std::int64_t{9007199254740993}}, Case{-1e300, INT64_MIN},
        Case{INT64_MAX, std::numeric_limits<double>::infinity()}}) {
    EXPECT_TRUE(compare_numbers(c.left, c.right) < 0) << to_json(c.left) << " " << to_json(c.right);
    EXPECT_TRUE(compare_numbers(c.right, c.left) > 0) << to_json(c.left) << " " << to_json(c.right);
  }
  EXPECT_TRUE(compare_numbers(3, 3.0) == 0);
  EXPECT_EQ(compare_numbers(1, std::nan("")), std::partial_ordering::unordered);
  EXPECT_EQ(compare_numbers(std::nan(""), 1), std::partial_ordering::unordered);
}

TEST(Value, MembersAreFoundOrHaveADefault) {
  Value value(Value::Struct{{"text", "a"}, {"number", 3}, {"flag", true}, {"half", 0.5}});
  EXPECT_EQ(*value.find("number"), Value(3));
  EXPECT_EQ(value.find("gone"), nullptr);
  EXPECT_EQ(Value(1).find("number"), nullptr);
  EXPECT_EQ(value.text_or("text", "b"), "a");
  EXPECT_EQ(value.text_or("number", "b"), "b");
  EXPECT_EQ(value.integer_or("number", 9), 3);
  EXPECT_EQ(value.integer_or("half", 9), 9);
  EXPECT_EQ(value.bool_or("flag", false), true);
  EXPECT_EQ(value.bool_or("gone", true), true);
}

TEST(ValueDeathTest, AskingForTheWrongKindIsABug) {
  EXPECT_DEATH((void)Value("1").as_integer(), "does not hold");
  EXPECT_DEATH((void)Value(1.0).as_integer(), "does not hold");
  EXPECT_DEATH((void)Value(nullptr).as_struct(), "does not hold");
}

TEST(Value, NumbersPrintShortAndPlain) {
  struct Case {
    double number;
    std::string text;
  };
  for (const Case& c :
       {Case{0, "0"}, Case{-0.0, "0"}, Case{1, "1"}, Case{-1, "-1"}, Case{0.5, "0.5"}, Case{0.1, "0.1"},
        Case{3e5, "300000"}, Case{1e15, "1000000000000000"}, Case{1e16, "10000000000000000"},
        Case{123456789012345680.0, "123456789012345680"}, Case{1e20, "100000000000000000000"}, Case{1e21, "1e+21"},
        Case{1.5e300, "1.5e+300"}, Case{0.0000015, "0.0000015"}, Case{1e-7, "0.0000001"}, Case{1e-8, "1e-08"},
        Case{5e-324, "5e-324"}, Case{-2.5e-7, "-0.00000025"}, Case{1.0 / 3, "0.3333333333333333"}}) {
    EXPECT_EQ(number_text(c.number), c.text);
  }
  EXPECT_EQ(number_text(std::nan("")), "NaN");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(Value, NumberTextReadsBackAsTheSameNumber) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    double number = std::ldexp(static_cast<double>(random()),
                               static_cast<int>(random() % (i % 2 == 0 ? 200 : 2000)) - (i % 2 == 0 ? 150 : 1100));
    if (!std::isfinite(number)) continue;
    ASSERT_EQ(std::strtod(number_text(number).c_str(), nullptr), number) << number_text(number);
  }
}

TEST(Value, ParameterTextIsWhatAContainerSees) {
  EXPECT_EQ(parameter_text("a \"b\"\n"), "a \"b\"\n");
  EXPECT_EQ(parameter_text(3), "3");
  EXPECT_EQ(parameter_text(3.0), "3");
  EXPECT_EQ(parameter_text(0.5), "0.5");
  EXPECT_EQ(parameter_text(true), "true");
  EXPECT_EQ(parameter_text(nullptr), "");
  EXPECT_EQ(parameter_text(Value::List{1.0, "<a>", nullptr}), R"([1,"<a>",null])");
  EXPECT_EQ(parameter_text(Value::Struct{{"b", false}, {"a", Value::List{}}}), R"({"a":[],"b":false})");
}

}  // namespace
}  // namespace mlpipe
