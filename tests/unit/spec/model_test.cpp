#include <gtest/gtest.h>

#include "mlpipe/spec/model.hpp"

namespace mlpipe::spec {
namespace {

using enum ParameterType;

std::string coerced(const Value& value, ParameterType type) {
  Result<Value> result = coerce(value, type);
  return result ? to_json(*result) : "error: " + result.error().message;
}

std::string parsed(std::string_view text, ParameterType type) {
  Result<Value> result = parse_parameter(text, type);
  return result ? to_json(*result) : "error: " + result.error().message;
}

TEST(Coerce, KeepsWhatFits) {
  EXPECT_EQ(coerced("x", string), "\"x\"");
  EXPECT_EQ(coerced(5, integer), "5");
  EXPECT_EQ(coerced(0.5, floating), "0.5");
  EXPECT_EQ(coerced(true, boolean), "true");
  EXPECT_EQ(coerced(Value::List{1}, list), "[1]");
  EXPECT_EQ(coerced(Value::Struct{{"a", 1}}, structure), "{\"a\":1}");
}

TEST(Coerce, IntegersWidenAndIntegralDoublesNarrow) {
  Result<Value> wide = coerce(5, floating);
  ASSERT_TRUE(wide);
  EXPECT_TRUE(wide->is_double());
  Result<Value> narrow = coerce(3.0, integer);
  ASSERT_TRUE(narrow);
  EXPECT_TRUE(narrow->is_integer());
  EXPECT_EQ(coerced(3.5, integer), "error: expected Integer, got a Float, 3.5");
  EXPECT_EQ(coerced(1e300, integer).substr(0, 6), "error:");
}

TEST(Coerce, AnythingBecomesAStringByItsParameterText) {
  EXPECT_EQ(coerced(1.0, string), "\"1\"");
  EXPECT_EQ(coerced(false, string), "\"false\"");
  EXPECT_EQ(coerced(Value::List{1, "a"}, string), R"("[1,\"a\"]")");
}

TEST(Coerce, TextIsNeverParsed) {
  EXPECT_EQ(coerced("5", integer), "error: expected Integer, got a String, \"5\"");
  EXPECT_EQ(coerced("[1]", list), "error: expected List, got a String, \"[1]\"");
  EXPECT_EQ(coerced("true", boolean), "error: expected Boolean, got a String, \"true\"");
  EXPECT_EQ(coerced(1, boolean), "error: expected Boolean, got an Integer, 1");
  EXPECT_EQ(coerced(nullptr, string), "error: expected String, got nothing");
}

TEST(ParseParameter, ReadsTextByType) {
  EXPECT_EQ(parsed(" raw ", string), "\" raw \"");
  EXPECT_EQ(parsed(" 42\n", integer), "42");
  EXPECT_EQ(parsed("+42", integer), "42");
  EXPECT_EQ(parsed("-9223372036854775808", integer), "-9223372036854775808");
  EXPECT_EQ(parsed("1e-3", floating), "0.001");
  EXPECT_EQ(parsed("3", floating), "3");
  EXPECT_EQ(parsed(" TRUE ", boolean), "true");
  EXPECT_EQ(parsed("off", boolean), "false");
  EXPECT_EQ(parsed("[1, \"a\"]", list), "[1,\"a\"]");
  EXPECT_EQ(parsed("{\"a\": null}", structure), "{\"a\":null}");
}

TEST(ParseParameter, RefusesTheRest) {
  for (auto [text, type] :
       std::initializer_list<std::pair<std::string_view, ParameterType>>{{"", integer},
                                                                         {"4x", integer},
                                                                         {"4.0", integer},
                                                                         {"9223372036854775808", integer},
                                                                         {"+-4", integer},
                                                                         {"", floating},
                                                                         {"x", floating},
                                                                         {"nan", floating},
                                                                         {"inf", floating},
                                                                         {"1e999", floating},
                                                                         {"", boolean},
                                                                         {"2", boolean},
                                                                         {"[1", list},
                                                                         {"{}", list},
                                                                         {"[]", structure},
                                                                         {"", structure}}) {
    EXPECT_EQ(parsed(text, type).substr(0, 6), "error:") << text << " as " << to_string(type);
  }
}

TEST(Types, SynonymsMeanTheSameInAnyCase) {
  EXPECT_EQ(parameter_type_of("INT"), integer);
  EXPECT_EQ(parameter_type_of("JsonObject"), structure);
  EXPECT_EQ(parameter_type_of("jsonarray"), list);
  EXPECT_EQ(parameter_type_of("NUMBER_DOUBLE"), floating);
  EXPECT_EQ(parameter_type_of("Dataset"), std::nullopt);
  EXPECT_EQ(artifact_type_of("dataset"), "system.Dataset");
  EXPECT_EQ(artifact_type_of("system.HTML"), "system.HTML");
  EXPECT_EQ(artifact_type_of("google.VertexModel"), "google.VertexModel");
  EXPECT_EQ(artifact_type_of("google."), std::nullopt);
  EXPECT_EQ(artifact_type_of("Integer"), std::nullopt);
}

TEST(Types, AnyArtifactFeedsAndTakesAll) {
  EXPECT_TRUE(artifact_fits("system.Model", "system.Artifact"));
  EXPECT_TRUE(artifact_fits("system.Artifact", "system.Model"));
  EXPECT_TRUE(artifact_fits("system.Model", "system.Model"));
  EXPECT_FALSE(artifact_fits("system.Model", "system.Dataset"));
}

}  // namespace
}  // namespace mlpipe::spec
