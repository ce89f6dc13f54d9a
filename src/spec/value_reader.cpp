#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "mlpipe/base/text.hpp"
#include "spec/expression_rename.hpp"
#include "spec/node_reader.hpp"

namespace mlpipe::spec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The tree is at most 100 deep: recursion is safe.
std::optional<Value> read_list(YamlNode node, Mistakes& mistakes) {
  Value::List items;
  bool good = true;
  for (YamlNode item : node.items()) {
    std::optional<Value> value = read_value(item, mistakes);
    good = good && value;
    if (value) items.push_back(*std::move(value));
  }
  if (!good) return std::nullopt;
  return Value(std::move(items));
}

std::optional<Value> read_struct(YamlNode node, Mistakes& mistakes) {
  Value::Struct members;
  bool good = true;
  for (YamlEntry entry : node.entries()) {
    std::optional<Value> value = read_value(entry.value, mistakes);
    good = good && value;
    if (value) members.emplace(entry.key.text(), *std::move(value));
  }
  if (!good) return std::nullopt;
  return Value(std::move(members));
}

}  // namespace

Result<Value> plain_value(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return Value(true);
  if (text == "false" || text == "False" || text == "FALSE") return Value(false);
  std::string_view digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || (!is_digit(digits[0]) && digits[0] != '.')) return Value(text);
  int base = digits.starts_with("0x") ? 16 : digits.starts_with("0o") ? 8 : 10;
  if (base != 10 && digits.size() == text.size()) {
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(digits.data() + 2, digits.data() + digits.size(), number, base);
    if (error == std::errc{} && end == digits.data() + digits.size()) return Value(number);
    return Value(text);
  }
  if (std::all_of(digits.begin(), digits.end(), is_digit)) return parse_parameter(text, ParameterType::integer);
  std::string lower = to_lower(digits);
  if (lower == ".inf" || lower == ".nan") {
    return fail(ErrorCode::invalid_input, "{} is no finite number", text);
  }
  if (digits.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return Value(text);
  if (digits[0] == '.' && (digits.size() == 1 || !is_digit(digits[1]))) return Value(text);
  std::string_view signless = text.starts_with('+') ? text.substr(1) : text;
  double number = 0;
  auto [end, error] = std::from_chars(signless.data(), signless.data() + signless.size(), number);
  if (end != signless.data() + signless.size()) return Value(text);
  if (error != std::errc{} || !std::isfinite(number)) {
    return fail(ErrorCode::invalid_input, "{} does not fit into a Float", shorten(text, 40));
  }
  return Value(number);
}

std::optional<Value> read_value(YamlNode node, Mistakes& mistakes) {
  if (node.has_lost()) return std::nullopt;  // told already
  switch (node.kind()) {
    case YamlKind::null: return Value(nullptr);
    case YamlKind::sequence: return read_list(node, mistakes);
    case YamlKind::mapping: return read_struct(node, mistakes);
    case YamlKind::scalar: break;
  }
  if (!node.is_plain()) return Value(node.text());
  Result<Value> value = plain_value(node.text());
  if (value) return *std::move(value);
  mistakes.error(node.where(), value.error().message, "put quotes around it if it shall be text");
  return std::nullopt;
}

std::optional<Value> read_parameter_value(YamlNode node, ParameterType type, std::string_view what,
                                          Mistakes& mistakes) {
  if (node.is_scalar() && type == ParameterType::string) return Value(node.text());
  std::optional<Value> value = read_value(node, mistakes);
  if (!value) return std::nullopt;
  Result<Value> fit = coerce(*value, type);
  if (fit) return *std::move(fit);
  std::string hint;
  if (node.is_null()) hint = "write a value, or \"\" for an empty text";
  if (node.style() == YamlStyle::quoted && node.is_scalar() && parse_parameter(node.text(), type)) {
    hint = "leave the quotes out";
  }
  mistakes.error(node.where(), fmt::format("{}: {}", what, fit.error().message), hint);
  return std::nullopt;
}

std::optional<Template> read_template(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (!node.is_scalar()) {
    read_text(node, what, mistakes);  // says what is wrong
    return std::nullopt;
  }
  if (node.text().find("${{") == std::string_view::npos) return Template::literal(std::string(node.text()));
  bool as_written = !node.tree().nodes[node.index()].is_spelled;
  auto place = [&](Where inside) { return as_written ? inside : node.text_where(inside.line, inside.column); };
  Where begin = as_written ? node.text_where() : Where{1, 1, node.tree().file};
  ParsedTemplate parsed = parse_template_parts(node.text(), begin);
  for (Diagnostic& problem : parsed.mistakes) {
    problem.where = place(problem.where);
    mistakes.add(std::move(problem));
  }
  if (as_written) return std::move(parsed.text);
  return renamed(parsed.text, [&](const Reference& reference) {
    return Reference{reference.path, place(reference.where)};
  });
}

}  // namespace mlpipe::spec
