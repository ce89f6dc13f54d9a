#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "mlpipe/base/text.hpp"
#include "mlpipe/spec/expression.hpp"

// docs/expressions.md stays true: every row of its table of examples is evaluated.
namespace mlpipe::spec {
namespace {

std::string page() {
  std::ostringstream text;
  text << std::ifstream(MLPIPE_SOURCE "/docs/expressions.md").rdbuf();
  return text.str();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string without_ticks(std::string_view text) {
  bool ticked = text.size() >= 2 && text.front() == '`' && text.back() == '`' && text.find('`', 1) == text.size() - 1;
  return std::string(ticked ? text.substr(1, text.size() - 2) : text);
}

std::string outcome(const std::string& text, const Value& scope) {
  auto expression = parse_expression(text, Where{1, 1, 0});
  if (!expression) return "mistake: " + expression.error().message;
  Result<Value> value = evaluate(*expression, [&](const Reference& reference) -> Result<Value> {
    const Value* found = scope.find(join(reference.path, "."));
    if (found == nullptr) return fail(ErrorCode::not_found, "no {}", to_string(reference));
    return *found;
  });
  return value ? to_json(*value) : "error: " + value.error().message;
}

TEST(ExpressionDocs, EveryExampleGivesWhatThePageSays) {
  std::string text = page();
  std::size_t examples = text.find("## Examples");
  ASSERT_NE(examples, std::string::npos);
  std::size_t json = text.find("```json\n", examples) + 8;
  Result<Value> scope = parse_json(text.substr(json, text.find("```", json) - json), "docs/expressions.md");
  ASSERT_TRUE(scope.has_value()) << scope.error().message;

  int rows = 0;
  std::istringstream lines(text.substr(text.find("|---|---|", json)));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("| ") && line.ends_with(" |")) {
    std::size_t middle = line.find(" | ");
    ASSERT_NE(middle, std::string::npos) << line;
    std::string expression = replaced(without_ticks(line.substr(2, middle - 2)), "\\|", "|");
    std::string expected = without_ticks(line.substr(middle + 3, line.size() - middle - 5));
    EXPECT_EQ(outcome(expression, *scope), expected) << expression;
    ++rows;
  }
  EXPECT_GE(rows, 30);
}

// Every function there is stands in the grammar and in the table of functions.
TEST(ExpressionDocs, TheGrammarNamesWhatTheParserKnows) {
  std::string text = page();
  auto unknown = parse_expression("nofunction(1)", Where{1, 1, 0});
  ASSERT_FALSE(unknown.has_value());
  std::string message = unknown.error().message;
  std::string known = replaced(message.substr(message.find("there are ") + 10), ", ", ",");
  for (std::string_view name : split(known, ',')) {
    EXPECT_NE(text.find("\"" + std::string(name) + "\""), std::string::npos) << name;
    EXPECT_NE(text.find("| `" + std::string(name) + "(x)` |"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mlpipe::spec
