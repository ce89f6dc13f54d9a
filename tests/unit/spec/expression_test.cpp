#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

constexpr Where k_start{.line = 1, .column = 1, .file = 0};

Result<Value> lookup(const Reference& reference) {
  static const Value scope = *parse_json(R"json({
    "inputs.x": 5, "inputs.half": 0.5, "inputs.text": "heads", "inputs.flag": true, "inputs.nothing": null,
    "inputs.big": 9223372036854775807, "inputs.small": -9223372036854775808,
    "inputs.list": [1, 2.0, "three", [4]], "inputs.map": {"a": {"b-c": [10, 20]}, "path": "p", "my key": 7},
    "inputs.json": "{\"field\": [1, {\"k\": \"v\"}]}", "inputs.data.path": "/in/data", "inputs.a-b": 8, "inputs.a": 3,
    "parameters.map": {"path": "from-the-map"}, "item": {"name": "n1"}
  })json", "scope");
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

TEST(Expression, SmokeEvaluates) {
  EXPECT_EQ(outcome("inputs.x + 1"), "6");
}

}  // namespace
}  // namespace mlpipe::spec
