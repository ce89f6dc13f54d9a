#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/spec/expression.hpp"

// Any bytes as a template: no crash; canonical text parses back to itself; evaluating it twice gives the same.
namespace {

using namespace mlpipe;

Result<Value> lookup(const spec::Reference& reference) {
  const std::string& root = reference.path.front();
  if (root == "parameters") return Value(static_cast<std::int64_t>(reference.path.back().size()));
  if (root == "tasks") return Value(Value::List{1, 2.5, "three", Value::List{true}});
  if (root == "item") return Value(Value::Struct{{"a", 1}, {"b", Value::List{1}}});
  if (root == "inputs") return Value(R"({"k": [1, "v"]})");
  return fail(ErrorCode::not_found, "no {}", to_string(reference));
}

void check(const spec::Expression& expression) {
  std::string text = expression.text();
  auto again = spec::parse_expression(text, spec::Where{1, 1, 0});
  // Spaces and escapes may make the canonical text longer than is allowed.
  if (!again && again.error().message.find("bytes;") != std::string::npos) return;
  MLPIPE_ASSERT(again.has_value());
  MLPIPE_ASSERT(again->text() == text);
  MLPIPE_ASSERT(again->references().size() == expression.references().size());
  Result<Value> value = evaluate(expression, lookup);
  Result<Value> value_again = evaluate(*again, lookup);
  MLPIPE_ASSERT(value.has_value() == value_again.has_value());
  if (value) MLPIPE_ASSERT(to_json(*value) == to_json(*value_again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto expression = spec::parse_expression(text, spec::Where{1, 1, 0})) check(*expression);
  if (auto parsed = spec::parse_template(text, spec::Where{1, 1, 0})) {
    for (const spec::Template::Part& part : parsed->parts) {
      if (const auto* expression = std::get_if<spec::Expression>(&part)) check(*expression);
    }
    (void)render(*parsed, lookup).has_value();
  }
  return 0;
}
