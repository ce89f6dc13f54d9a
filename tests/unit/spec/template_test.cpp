#include <gtest/gtest.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

constexpr Where k_start{.line = 3, .column = 10, .file = 0};

Result<Value> lookup(const Reference& reference) {
  std::string name = to_string(reference);
  if (name == "parameters.n") return Value(3);
  if (name == "parameters.lr") return Value(0.5);
  if (name == "parameters.text") return Value("${{ parameters.n }}");
  if (name == "parameters.list") return Value(Value::List{Value(1), Value("a")});
  if (name == "parameters.nothing") return Value(nullptr);
  return fail(ErrorCode::not_found, "no {}", name);
}

std::string rendered(std::string_view text) {
  auto parsed = parse_template(text, k_start);
  if (!parsed) return "diagnostic: " + parsed.error().message;
  Result<std::string> result = render(*parsed, lookup);
  return result ? *result : "error: " + result.error().message;
}

struct Case {
  std::string text;
  std::string expected;
};

TEST(Template, RendersEveryExpressionAsParameterText) {
  const Case cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"${{ parameters.n }}", "3"},
      {"${{parameters.n}}", "3"},
      {"a${{ parameters.n }}b${{ parameters.lr }}", "a3b0.5"},
      {"${{ parameters.n }}${{ parameters.n }}", "33"},
      {"${{ parameters.list }}", "[1,\"a\"]"},
      {"x${{ parameters.nothing }}y", "xy"},
      {"${{ parameters.n > 2 }}", "true"},
      {"${{\n  parameters.n\n  + 1\n}}", "4"},
      {"$ {{ x }} $x ${x} }} {{", "$ {{ x }} $x ${x} }} {{"},
  };
  for (const Case& c : cases) EXPECT_EQ(rendered(c.text), c.expected) << c.text;
}

TEST(Template, DoubledDollarIsALiteralOpening) {
  EXPECT_EQ(rendered("$${{ parameters.n }}"), "${{ parameters.n }}");
  EXPECT_EQ(rendered("a $${{ b }} ${{ parameters.n }}"), "a ${{ b }} 3");
  EXPECT_EQ(rendered("$$${{ x }}"), "$${{ x }}");
  EXPECT_EQ(rendered("$${{"), "${{");
  EXPECT_EQ(rendered("${{ '$' }}${{ parameters.n }}"), "$3");
  EXPECT_EQ(rendered("${{ parameters.n }}$${{"), "3${{");
}

TEST(Template, TextParsesBackToTheSame) {
  const char* const cases[] = {"",
                               "plain\ntext",
                               "a${{parameters.n}}b",
                               "$${{ x }}",
                               "$$${{ x }}${{ parameters.n }}$",
                               "${{ '$' }}${{ parameters.n }}",
                               "${{ '}}' }}",
                               "$ ${ {{ }}"};
  for (const char* source : cases) {
    const Template first = parse_template(source, k_start).value();
    const std::string text = first.text();
    EXPECT_EQ(rendered(text), rendered(source)) << source;
    EXPECT_EQ(parse_template(text, k_start).value().text(), text) << source;
  }
  EXPECT_EQ(parse_template("a${{parameters.n+1}}", k_start).value().text(), "a${{ parameters.n + 1 }}");
}

TEST(Template, TextOfPartsThatNoSourceCouldJoinRendersTheSame) {
  const Expression n = *parse_template("${{ parameters.n }}", k_start).value().whole();
  const std::vector<std::vector<Template::Part>> cases{
      {std::string("$"), n}, {std::string("a$$"), n, std::string("$")}, {std::string("$"), std::string("{{ x"), n}};
  for (const std::vector<Template::Part>& parts : cases) {
    const Template made{parts};
    EXPECT_EQ(rendered(made.text()), render(made, lookup).value()) << made.text();
  }
}

TEST(Template, ClosingBracesInQuotesDoNotEndTheExpression) {
  EXPECT_EQ(rendered("${{ '}}' }}"), "}}");
  EXPECT_EQ(rendered("${{ \"}}\" + '}}' }}!"), "}}}}!");
  EXPECT_EQ(rendered("${{ 'it\\'s }}' }}"), "it's }}");
  EXPECT_EQ(rendered("${{ '\\\\' }}}}"), "\\}}");
}

TEST(Template, ValuesAreNotScannedAgain) { EXPECT_EQ(rendered("<${{ parameters.text }}>"), "<${{ parameters.n }}>"); }

TEST(Template, OneLoneExpressionKeepsItsType) {
  auto typed = [](std::string_view text) { return evaluate(*parse_template(text, k_start), lookup).value(); };
  EXPECT_TRUE(typed("${{ parameters.n }}").is_integer());
  EXPECT_TRUE(typed("${{ parameters.list }}").is_list());
  EXPECT_TRUE(typed("${{ parameters.nothing }}").is_null());
  EXPECT_EQ(typed(" ${{ parameters.n }}"), Value(" 3"));
  EXPECT_EQ(typed("text"), Value("text"));
  EXPECT_EQ(typed(""), Value(""));
}

TEST(Template, TellsWhatItIsMadeOf) {
  Template literal = *parse_template("a $${{ b", k_start);
  EXPECT_TRUE(literal.is_literal());
  EXPECT_EQ(literal.whole(), nullptr);
  EXPECT_TRUE(Template::literal("").is_literal());
  EXPECT_EQ(Template::literal("").whole(), nullptr);

  Template whole = *parse_template("${{ item }}", k_start);
  EXPECT_FALSE(whole.is_literal());
  ASSERT_NE(whole.whole(), nullptr);
  EXPECT_EQ(whole.whole()->text(), "item");

  Template mixed = *parse_template("${{ tasks.a.outputs.x }}-${{ inputs.b + inputs.c }}", k_start);
  EXPECT_EQ(mixed.whole(), nullptr);
  std::vector<std::string> names;
  for (const Reference& reference : mixed.references()) names.push_back(to_string(reference));
  EXPECT_EQ(names, (std::vector<std::string>{"tasks.a.outputs.x", "inputs.b", "inputs.c"}));
}

struct Mistake {
  std::string text;
  std::string message;
  Where where;
};

TEST(Template, MistakesPointAtTheirPlace) {
  const Mistake cases[] = {
      {"ab ${{ item", R"("${{" has no closing "}}")", {3, 13, 0}},
      {"${{ 1 }} ${{ 2 }", R"("${{" has no closing "}}")", {3, 19, 0}},
      {"a\nb ${{ inputs.x\nit's fine", R"("${{" has no closing "}}")", {4, 3, 0}},
      {"${{ it's }}", R"(the text that begins with ' here has no end)", {3, 16, 0}},
      {"${{ 'abc\n }}", R"(the text that begins with ' here has no end)", {3, 14, 0}},
      {"${{}}", "the expression is empty", {3, 13, 0}},
      {"${{ item }} ${{ }}", "the expression is empty", {3, 26, 0}},
      {"äöü ${{ 1 + }}", "expected a value, found the end of the expression", {3, 22, 0}},
      {"x\n  ${{ item\n      $ }}", "unexpected character $", {5, 7, 0}},
  };
  for (const Mistake& c : cases) {
    auto parsed = parse_template(c.text, k_start);
    ASSERT_FALSE(parsed.has_value()) << c.text;
    EXPECT_EQ(parsed.error().message, c.message) << c.text;
    EXPECT_EQ(parsed.error().where, c.where)
        << c.text << ": " << parsed.error().where.line << ":" << parsed.error().where.column;
    EXPECT_EQ(parsed.error().severity, Severity::error);
  }
}

TEST(Template, ErrorsOfTheLookupPassUnchanged) {
  Result<std::string> result = render(*parse_template("a ${{ inputs.gone }}", k_start), lookup);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), (Error{ErrorCode::not_found, "no inputs.gone", ""}));
}

TEST(Template, LongTextsWithManyExpressionsTakeLinearTime) {
  std::string text;
  std::string expected;
  for (int i = 0; i < 20'000; ++i) {
    text += "line\n${{ parameters.n }} $${{ ";
    expected += "line\n3 ${{ ";
  }
  EXPECT_EQ(rendered(text), expected);
}

}  // namespace
}  // namespace mlpipe::spec
