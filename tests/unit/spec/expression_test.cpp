#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Where k_start{.line = 1, .column = 1, .file = 0};

Result<Value> lookup(const Reference& reference) {
  static const Value scope = *parse_json(R"json({
    "inputs.x": 5, "inputs.half": 0.5, "inputs.text": "heads", "inputs.flag": true, "inputs.nothing": null,
    "inputs.big": 9223372036854775807, "inputs.list": [1, 2.5, "three", [4]],
    "inputs.map": {"a": {"b-c": [10, 20]}, "path": "p", "my key": 7, "2nd": "two"},
    "inputs.json": "{\"field\": [1, {\"k\": \"v\"}]}", "inputs.data.path": "/in/data", "inputs.data": "/in",
    "inputs.a": 9, "inputs.a-1": 100, "inputs.pipelinechannel--flip-coin-Output": "tails",
    "parameters.map": {"path": "from-the-map"}, "item": {"name": "n1"}, "run.id": "r-1",
    "tasks['my task'].outputs.train-set": "t", "tasks.2nd.outputs.in": "i"
  })json",
                                         "scope");
  const Value* value = scope.find(to_string(reference));
  if (value == nullptr) return fail(ErrorCode::not_found, "no {}", to_string(reference));
  return *value;
}

// The value as JSON, or what went wrong.
std::string outcome(std::string_view text) {
  auto expression = parse_expression(text, k_start);
  if (!expression) return "diagnostic: " + expression.error().message;
  Result<Value> value = evaluate(*expression, lookup);
  if (!value) return "error: " + value.error().message;
  return to_json(*value);
}

struct Case {
  std::string text;
  std::string expected;
};

void expect_outcomes(std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(outcome(c.text), c.expected) << c.text;
}

TEST(Expression, LiteralsStandForThemselves) {
  expect_outcomes({
      {"42", "42"},
      {"007", "7"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"1.5", "1.5"},
      {"1e3", "1000"},
      {"2.5E-1", "0.25"},
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
      {"''", "\"\""},
      {"'it\\'s'", "\"it's\""},
      {"\"say \\\"hi\\\"\"", R"("say \"hi\"")"},
      {R"('a\\b\n\r\t')", R"("a\\b\n\r\t")"},
      {R"('\u00e4\U0001F600')", "\"ä😀\""},
      {"'ä € 😀'", "\"ä € 😀\""},
      {"[]", "[]"},
      {"[1, 'two', [3.5], null]", "[1,\"two\",[3.5],null]"},
  });
}

TEST(Expression, ReferencesAreLookedUp) {
  expect_outcomes({
      {"inputs.x", "5"},
      {" inputs . x ", "5"},
      {"inputs['x']", "5"},
      {"run.id", "\"r-1\""},
      {"item", "{\"name\":\"n1\"}"},
      {"item.name", "\"n1\""},
      {"tasks['my task'].outputs.train-set", "\"t\""},
      {"tasks[\"my task\"][\"outputs\"]['train-set']", "\"t\""},
      {"tasks.2nd.outputs.in", "\"i\""},
      {"inputs.pipelinechannel--flip-coin-Output", "\"tails\""},
      {"inputs.gone", "error: no inputs.gone"},
  });
}

TEST(Expression, AHyphenWithoutSpacesBelongsToTheName) {
  expect_outcomes({
      {"inputs.a-1", "100"},
      {"inputs.a - 1", "8"},
      {"inputs.a -1", "8"},
      {"inputs.a- 1", "8"},
      {"inputs.a-(1)", "8"},
      {"inputs.a-1-1", "error: no inputs.a-1-1"},
      {"inputs['a']-1", "8"},
      {"2-1", "1"},
  });
}

TEST(Expression, PathAndUriAreTheArtifactsAndBracketsReachIntoTheValue) {
  expect_outcomes({
      {"inputs.data.path", "\"/in/data\""},
      {"inputs.map['path']", "\"p\""},
      {"(inputs.map).path", "\"p\""},
      {"inputs.map.path", "error: no inputs.map.path"},
      {"parameters.map.path", "\"from-the-map\""},
  });
}

TEST(Expression, IndexesStructsAndLists) {
  expect_outcomes({
      {"inputs.map.a.b-c[1]", "20"},
      {"inputs.map['a']['b-c'][0]", "10"},
      {"inputs.map['my key']", "7"},
      {"inputs.map.2nd", "\"two\""},
      {"inputs.list[3][0]", "4"},
      {"inputs.list[inputs.list[0]]", "2.5"},
      {"inputs.list[1.0]", "2.5"},
      {"[10, 20][1]", "20"},
      {"parseJson(inputs.json)['field'][1].k", "\"v\""},
      {"inputs.map.b", "error: no such key 'b' in `inputs.map.b`"},
      {"inputs.map['my keys']", "error: no such key 'my keys' (did you mean 'my key'?) in `inputs.map['my keys']`"},
      {"inputs.map.nowhere", "error: no such key 'nowhere' in `inputs.map.nowhere`"},
      {"inputs.list[4]", "error: no item 4: the List has 4, counted from 0, in `inputs.list[4]`"},
      {"inputs.list[-1]", "error: no item -1: the List has 4, counted from 0, in `inputs.list[-1]`"},
      {"inputs.list[1.5]", "error: cannot index a List with 1.5 in `inputs.list[1.5]`"},
      {"inputs.list['a']", "error: cannot index a List with a String in `inputs.list.a`"},
      {"inputs.text[0]", "error: cannot index a String with an Integer in `inputs.text[0]`"},
      {"inputs.nothing.k", "error: cannot index null with a String in `inputs.nothing.k`"},
      {"inputs.map[0]", "error: cannot index a Struct with an Integer in `inputs.map[0]`"},
  });
}

TEST(Expression, ComparesNumbersAcrossKinds) {
  expect_outcomes({
      {"1 == 1.0", "true"},
      {"1 != 1.0", "false"},
      {"1 < 1.5", "true"},
      {"2 <= 2.0", "true"},
      {"2.0 >= 3", "false"},
      {"9007199254740993 == 9007199254740992.0", "false"},
      {"9007199254740993 > 9007199254740992.0", "true"},
      {"inputs.big < 9223372036854775808.0", "true"},
      {"'a' < 'b'", "true"},
      {"'a' == \"a\"", "true"},
      {"false < true", "true"},
      {"[1, 'a'] == [1.0, 'a']", "true"},
      {"inputs.nothing == null", "true"},
      {"inputs.x == null", "false"},
      {"inputs.x != null", "true"},
  });
}

TEST(Expression, ComparingUnlikeKindsIsAnErrorAndNotFalse) {
  expect_outcomes({
      {"'1' == 1", "error: cannot compare a String with an Integer in `'1' == 1`"},
      {"'1' != 1.5", "error: cannot compare a String with a Float in `'1' != 1.5`"},
      {"true == 1", "error: cannot compare a Boolean with an Integer in `true == 1`"},
      {"inputs.list == inputs.map", "error: cannot compare a List with a Struct in `inputs.list == inputs.map`"},
      {"[1] < [2]", "error: cannot compare a List with a List in `[1] < [2]`"},
      {"null < 1", "error: cannot compare null with an Integer in `null < 1`"},
  });
}

// Every shape of condition that the KFP SDK writes.
TEST(Expression, EvaluatesTheConditionsOfCompiledPipelines) {
  expect_outcomes({
      {"inputs.text == 'heads'", "true"},
      {"!(inputs.text == 'heads')", "false"},
      {"inputs.text != 'no-such-result'", "true"},
      {"int(inputs.half) > 5", "false"},
      {"int(inputs.x) <= 15", "true"},
      {"inputs.flag == true", "true"},
      {"int(inputs.x) >= int(inputs.a)", "false"},
      {"int(inputs.x) == 5", "true"},
      {"inputs.text == inputs.text", "true"},
      {"int(inputs.x) < 5000", "true"},
      {"!(inputs.flag == true)", "false"},
      {"!(inputs.text == 'heads') && inputs.text == 'tails'", "false"},
      {"!(inputs.text == 'x') && !(inputs.text == 'tails')", "true"},
      {"!(int(inputs.x) < 5) && int(inputs.x) > 4", "true"},
      {"!(int(inputs.x) < 5000) && !(int(inputs.x) > 5000)", "false"},
      {"parseJson(inputs.json)[\"field\"]", "[1,{\"k\":\"v\"}]"},
  });
}

TEST(Expression, AndOrAndChoicesStopAtWhatDecides) {
  expect_outcomes({
      {"true || inputs.gone", "true"},
      {"false && inputs.gone", "false"},
      {"true && false || true", "true"},
      {"true || false && false", "true"},
      {"(true || false) && false", "false"},
      {"true && true && false && inputs.gone", "false"},
      {"false || inputs.gone", "error: no inputs.gone"},
      {"inputs.gone || true", "error: no inputs.gone"},
      {"true ? 1 : inputs.gone", "1"},
      {"false ? inputs.gone : 2", "2"},
      {"false ? 1 : true ? 2 : 3", "2"},
      {"true ? false ? 1 : 2 : 3", "2"},
      {"true && 1", "error: `1` must be true or false, not an Integer, in `true && 1`"},
      {"!'a'", "error: `'a'` must be true or false, not a String, in `!'a'`"},
      {"null ? 1 : 2", "error: `null` must be true or false, not null, in `null ? 1 : 2`"},
      {"!!true", "true"},
  });
}

TEST(Expression, Calculates) {
  expect_outcomes({
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"10 - 3 - 2", "5"},
      {"7 / 2", "3"},
      {"-7 / 2", "-3"},
      {"-7 % 3", "-1"},
      {"7 / 2.0", "3.5"},
      {"1 + 0.5", "1.5"},
      {"--5", "5"},
      {"-inputs.x", "-5"},
      {"2 - -3", "5"},
      {"'a' + 'b' + 'c'", "\"abc\""},
      {"[1] + [2, 3] + []", "[1,2,3]"},
      {"1 / 0", "error: division by zero in `1 / 0`"},
      {"1 % 0", "error: division by zero in `1 % 0`"},
      {"1.0 / 0", "error: division by zero in `1.0 / 0`"},
      {"1 / 0.0", "error: division by zero in `1 / 0.0`"},
      {"1.5 % 1", "error: % needs two Integers, not a Float; write int(...) in `1.5 % 1`"},
      {"1e308 * 10", "error: the result is too large for a Float in `1e+308 * 10`"},
      {"'a' * 2", "error: cannot apply * to a String and an Integer in `'a' * 2`"},
      {"'n=' + 1", "error: cannot add a String and an Integer; string(...) makes text of a value in `'n=' + 1`"},
      {"-'a'", "error: cannot negate a String in `-'a'`"},
      {"1 + true", "error: cannot apply + to an Integer and a Boolean in `1 + true`"},
  });
}

TEST(Expression, IntegerOverflowIsAnError) {
  expect_outcomes({
      {"inputs.big + 1", "error: integer overflow: 9223372036854775807 + 1 in `inputs.big + 1`"},
      {"-inputs.big - 2", "error: integer overflow: -9223372036854775807 - 2 in `-inputs.big - 2`"},
      {"inputs.big * 2", "error: integer overflow: 9223372036854775807 * 2 in `inputs.big * 2`"},
      {"-9223372036854775808 / -1",
       "error: integer overflow: -9223372036854775808 / -1 in `-9223372036854775808 / -1`"},
      {"-9223372036854775808 % -1",
       "error: integer overflow: -9223372036854775808 % -1 in `-9223372036854775808 % -1`"},
      {"-(-9223372036854775808)", "error: integer overflow: 0 - -9223372036854775808 in `--9223372036854775808`"},
  });
}

TEST(Expression, LooksIntoListsAndStructs) {
  expect_outcomes({
      {"1 in [1, 2]", "true"},
      {"1.0 in [1]", "true"},
      {"'1' in [1]", "false"},
      {"'a' in inputs.map", "true"},
      {"'z' in inputs.map", "false"},
      {"!('a' in [])", "true"},
      {"'a' in 'abc'", "error: cannot look for a String in a String in `'a' in 'abc'`"},
      {"1 in inputs.map", "error: cannot look for an Integer in a Struct in `1 in inputs.map`"},
  });
}

TEST(Expression, FunctionsConvertAndMeasure) {
  expect_outcomes({
      {"int(2.9)", "2"},
      {"int(-2.9)", "-2"},
      {"int('12')", "12"},
      {"int('-3')", "-3"},
      {"int(1e18)", "1000000000000000000"},
      {"int(1e19)", "error: 10000000000000000000 is out of range for an Integer in `int(1e+19)`"},
      {"int('2.9')", "error: the text '2.9' is no Integer in `int('2.9')`"},
      {"int(' 1')", "error: the text ' 1' is no Integer in `int(' 1')`"},
      {"int('')", "error: the text '' is no Integer in `int('')`"},
      {"int('9223372036854775808')",
       "error: 9223372036854775808 is out of range for an Integer in `int('9223372036854775808')`"},
      {"int(true)", "error: cannot make an Integer of a Boolean in `int(true)`"},
      {"double(3) / 2", "1.5"},
      {"double('2.5e-1')", "0.25"},
      {"double('inf')", "error: the text 'inf' is no number in `double('inf')`"},
      {"double('1e999')", "error: 1e999 is out of range for a Float in `double('1e999')`"},
      {"double(null)", "error: cannot make a Float of null in `double(null)`"},
      {"string(1.0)", "\"1\""},
      {"string(0.5)", "\"0.5\""},
      {"string(true)", "\"true\""},
      {"string([1, 'a'])", R"("[1,\"a\"]")"},
      {"string('a')", "\"a\""},
      {"size('äöü')", "3"},
      {"size([])", "0"},
      {"size(inputs.map)", "4"},
      {"size(1)", "error: an Integer has no size in `size(1)`"},
      {"parseJson('[1, 2]')[1]", "2"},
      {"parseJson('{\"a\": 1, \"a\": 2}')",
       "error: JSON:1:12: duplicate key \"a\" in `parseJson('{\"a\": 1, \"a\": 2}')`"},
      {"parseJson(1)", "error: parseJson() takes text, not an Integer, in `parseJson(1)`"},
  });
  EXPECT_THAT(outcome("parseJson('[1')"), HasSubstr("error: JSON:1:"));
}

TEST(Expression, ResultsCannotFillTheMemory) {
  std::string text = "inputs.text";
  for (int i = 0; i < 40; ++i) text += " + inputs.text";
  Lookup huge = [](const Reference&) { return Result<Value>(Value(std::string(std::size_t{1} << 20U, 'x'))); };
  Result<Value> value = evaluate(*parse_expression(text, k_start), huge);
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message, HasSubstr("the text grows beyond 16.0 MiB"));
}

TEST(Expression, ErrorsQuoteOnlyTheStartOfALongExpression) {
  Result<Value> value = evaluate(*parse_expression("1 + '" + std::string(10'000, 'x') + "'", k_start), lookup);
  ASSERT_FALSE(value.has_value());
  EXPECT_LT(value.error().message.size(), 250U);
}

TEST(Expression, TellsItsReferencesInOrder) {
  Expression expression = *parse_expression("inputs.b > 1 ? [inputs.a][tasks.t.outputs.o.uri] : size(item.x)", k_start);
  std::vector<std::string> names;
  std::vector<int> columns;
  for (const Reference& reference : expression.references()) {
    names.push_back(to_string(reference));
    columns.push_back(reference.where.column);
  }
  EXPECT_THAT(names, ElementsAre("inputs.b", "inputs.a", "tasks.t.outputs.o.uri", "item"));
  EXPECT_THAT(columns, ElementsAre(1, 17, 27, 57));
  EXPECT_EQ(expression.as_reference(), nullptr);

  Expression lone = *parse_expression(" (tasks.t.outputs.o) ", k_start);
  ASSERT_NE(lone.as_reference(), nullptr);
  EXPECT_THAT(lone.as_reference()->path, ElementsAre("tasks", "t", "outputs", "o"));
  EXPECT_EQ(parse_expression("item.x", k_start)->as_reference(), nullptr);
}

TEST(Expression, IsMadeOfAReference) {
  Expression expression = Expression::of(Reference{{"inputs", "my data", "path"}, Where{2, 3, 0}});
  EXPECT_EQ(expression.text(), "inputs['my data'].path");
  ASSERT_NE(expression.as_reference(), nullptr);
  EXPECT_EQ(expression.as_reference()->where, (Where{2, 3, 0}));
  EXPECT_EQ(parse_expression(expression.text(), k_start)->as_reference()->path, expression.as_reference()->path);
}

}  // namespace
}  // namespace mlpipe::spec
