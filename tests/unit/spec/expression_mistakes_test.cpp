#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

using testing::HasSubstr;

struct Mistake {
  std::string text;
  std::string message;
  int column;
  std::string hint;
};

TEST(ExpressionMistakes, SayWhatIsWrongWhereAndWhatToDo) {
  const Mistake cases[] = {
      {"", "the expression is empty", 1, ""},
      {"  ", "the expression is empty", 3, ""},
      {"1 +", "expected a value, found the end of the expression", 4, ""},
      {"1 2", "expected an operator, found \"2\"", 3, ""},
      {"1 'a'", "expected an operator, found the text 'a'", 3, ""},
      {"* 2", "expected a value, found \"*\"", 1, ""},
      {"(1 + 2", "expected \")\", found the end of the expression", 7, "it closes the \"(\" at 1:1"},
      {"[1, 2", "expected \"]\", found the end of the expression", 6, "it closes the \"[\" at 1:1"},
      {"item[1", "expected \"]\", found the end of the expression", 7, "it closes the \"[\" at 1:5"},
      {"[1,]", "expected a value, found \"]\"", 4, ""},
      {"true ? 1", "expected \":\", found the end of the expression", 9, "it closes the \"?\" at 1:6"},
      {"inputs.a = 1", "unexpected character =", 10, "to compare, write =="},
      {"item & item", "unexpected character &", 6, "for \"and\", write &&"},
      {"item | upper", "unexpected character |", 6, "for \"or\", write ||"},
      {"item and item", "expected an operator, found \"and\"", 6, "for \"and\", write &&"},
      {"not item", "unknown name \"not\"; a reference begins with one of parameters, tasks, run, item, inputs, outputs",
       1, "for \"not\", write !"},
      {"item == True",
       "unknown name \"True\"; a reference begins with one of parameters, tasks, run, item, inputs, outputs", 9,
       "write true"},
      {"task.a", "unknown name \"task\"; a reference begins with one of parameters, tasks, run, item, inputs, outputs",
       1, "did you mean \"tasks\"?"},
      {"1 + parameter.x",
       "unknown name \"parameter\"; a reference begins with one of parameters, tasks, run, item, inputs, outputs", 5,
       "did you mean \"parameters\"?"},
      {"inputs.x == heads",
       "unknown name \"heads\"; a reference begins with one of parameters, tasks, run, item, inputs, outputs", 13,
       "text stands in quotes: 'heads'"},
      {"“a”", "unexpected character “", 1, "text stands between ' or \""},
      {"'äöü' @", "unexpected character @", 7, ""},
      {"item == 'abc", "the text that begins with ' here has no end", 9,
       "end it with ' on the same line; write \\n for a line break"},
      {"'a\\qb'", "\"\\q\" is no escape", 3, R"(escapes are \\ \' \" \n \r \t \b \f \uXXXX \UXXXXXXXX)"},
      {"'\\u12'", "\\u takes 4 hexadecimal digits", 2, ""},
      {"'\\ud800'", "\\ud800 is no character", 2, "characters beyond U+FFFF are written as \\U and 8 digits"},
      {"'\\u0000'", "\\u0000 is no character", 2, "characters beyond U+FFFF are written as \\U and 8 digits"},
      {"12ab", "\"12ab\" is neither a number nor a name", 1, "numbers are decimal, like 42, 0.5 or 1e-3"},
      {"0x10", "\"0x10\" is neither a number nor a name", 1, "numbers are decimal, like 42, 0.5 or 1e-3"},
      {"9223372036854775808", "the number 9223372036854775808 is out of range", 1,
       "integers have 64 bits; write 1e30 for a larger number"},
      {"-9223372036854775809", "the number 9223372036854775809 is out of range", 2,
       "integers have 64 bits; write 1e30 for a larger number"},
      {"1e999", "the number 1e999 is out of range", 1, ""},
      {"1 < 2 < 3", "comparisons cannot be chained", 7, "join them: a < b && b < c"},
      {"lenght('a')", "unknown function \"lenght\"; there are int, double, string, size, parseJson", 1, ""},
      {"Int(1)", "unknown function \"Int\"; there are int, double, string, size, parseJson", 1,
       "did you mean \"int\"?"},
      {"size()", "size() takes one argument, not 0", 1, ""},
      {"int(1, 2)", "int() takes one argument, not 2", 1, ""},
      {"size + 1", "\"size\" is a function", 1, "give it a value: size(...)"},
      {"item.size()", "a call cannot stand here", 10, "functions are called as size(x), not x.size()"},
      {"parameters", "\"parameters\" alone is no value", 1, "write parameters.NAME"},
      {"tasks.split", "\"tasks.split\" alone is no value", 1, "write tasks.TASK.outputs.NAME"},
      {"tasks.split.outputs", "\"tasks.split.outputs\" alone is no value", 1, "write tasks.TASK.outputs.NAME"},
      {"tasks.split.output.train", "a task has \"outputs\", not \"output\"", 13, "write tasks.split.outputs.NAME"},
      {"inputs[item]", "expected a name in quotes, found \"item\"", 8,
       "which value is meant must be written out: inputs.NAME"},
      {"inputs.", "a name is missing after the dot", 8,
       "names with other characters than letters, digits, _ and - stand in brackets: tasks['my task']"},
      {"inputs.-a", "no name can begin here, after the dot", 8,
       "names with other characters than letters, digits, _ and - stand in brackets: tasks['my task']"},
      {"tasks.größe.outputs.x", "a task has \"outputs\"", 0, ""},
      {"-5.k", "a number has no members", 3, ""},
      {"item }", "unexpected character }", 6, ""},
      {"item\x1b[2J", "unexpected character ", 5, ""},
  };
  for (const Mistake& c : cases) {
    auto parsed = parse_expression(c.text, Where{1, 1, 0});
    ASSERT_FALSE(parsed.has_value()) << c.text;
    if (c.column == 0) continue;  // any diagnostic will do
    EXPECT_EQ(parsed.error().message, c.message) << c.text;
    EXPECT_EQ(parsed.error().where, (Where{1, static_cast<std::uint16_t>(c.column), 0}))
        << c.text << ": " << parsed.error().where.column;
    EXPECT_EQ(parsed.error().hint, c.hint) << c.text;
  }
}

TEST(ExpressionMistakes, PointIntoLaterLines) {
  auto parsed = parse_expression("inputs.a +\n  'ü' +\n  )", Where{7, 20, 2});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().where, (Where{9, 3, 2}));
}

TEST(ExpressionMistakes, StayNowhereWhenTheStartIsNowhere) {
  auto parsed = parse_expression("1 +\n", Where{});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().where, Where{});
}

TEST(ExpressionMistakes, ColumnsBeyondTheirTypeSaturate) {
  auto parsed = parse_expression(std::string(60'000, ' ') + ")", Where{1, 60'000, 0});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().where.column, 65'535);
}

TEST(ExpressionMistakes, InvalidUtf8IsRefused) {
  auto parsed = parse_expression("'\xff'", Where{1, 1, 0});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().message, "the expression is not valid UTF-8");
  EXPECT_FALSE(parse_expression(std::string_view("1\0", 2), Where{1, 1, 0}).has_value());
  EXPECT_FALSE(parse_expression(std::string_view("'a\0b'", 5), Where{1, 1, 0}).has_value());
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(ExpressionMistakes, DeepNestingIsADiagnosticAndNoCrash) {
  for (std::string_view piece :
       {"(", "[", "!", "-", "- ", "!(-", "size(", "item[", "true ? ", "true ? 1 : ", "1 + (", "[1, ["}) {
    std::string text = repeated(piece, 60'000 / piece.size());
    auto open = parse_expression(text, Where{1, 1, 0});
    ASSERT_FALSE(open.has_value()) << piece;
    auto whole = parse_expression(text + "true", Where{1, 1, 0});
    ASSERT_FALSE(whole.has_value()) << piece;
    EXPECT_THAT(whole.error().message, HasSubstr("nests deeper than 100 levels")) << piece;
  }
  auto members = parse_expression("item" + repeated(".a", 30'000), Where{1, 1, 0});
  ASSERT_FALSE(members.has_value());
  EXPECT_THAT(members.error().message, HasSubstr("nests deeper than 100 levels"));
}

TEST(ExpressionMistakes, NestingUpToTheLimitIsFine) {
  EXPECT_TRUE(parse_expression(repeated("(", 99) + "1" + repeated(")", 99), Where{1, 1, 0}).has_value());
  EXPECT_TRUE(parse_expression(repeated("[", 99) + "1" + repeated("]", 99), Where{1, 1, 0}).has_value());
  EXPECT_FALSE(parse_expression(repeated("[", 100) + "1" + repeated("]", 100), Where{1, 1, 0}).has_value());
}

TEST(ExpressionMistakes, LongChainsAreNoNesting) {
  Lookup none = [](const Reference& reference) -> Result<Value> {
    return fail(ErrorCode::not_found, "no {}", to_string(reference));
  };
  Expression sum = *parse_expression("1" + repeated("+1", 30'000), Where{1, 1, 0});
  EXPECT_EQ(*evaluate(sum, none), Value(30'001));
  Expression all = *parse_expression("true" + repeated("&&true", 10'000), Where{1, 1, 0});
  EXPECT_EQ(*evaluate(all, none), Value(true));
  EXPECT_EQ(parse_expression(sum.text(), Where{1, 1, 0}).error().message,
            "the expression has 120001 bytes; 65536 are allowed");
  EXPECT_EQ(parse_expression(all.text().substr(0, 45), Where{1, 1, 0})->text(), all.text().substr(0, 44));
}

}  // namespace
}  // namespace mlpipe::spec
