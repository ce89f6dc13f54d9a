#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "mlpipe/spec/expression.hpp"
#include "spec/expression_lexer.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::string_view k_open = "${{";

// Bytes of `text` before the `}}` that ends the expression it begins with; npos when there is none before the next
// expression. A `}}` within quotes ends nothing; quotes end with their line, as the lexer has it.
std::size_t expression_length(std::string_view text) {
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote != '\0') {
      if (c == quote || c == '\n') quote = '\0';
      if (c == '\\') ++i;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (text.substr(i).starts_with("}}")) {
      return i;
    } else if (text.substr(i).starts_with(k_open)) {
      return std::string_view::npos;
    }
  }
  // A quote left open on the one line hides the `}}`: parsing the whole line says so.
  return quote != '\0' && text.find('\n') == std::string_view::npos ? text.size() : std::string_view::npos;
}

}  // namespace

bool Template::is_literal() const {
  for (const Part& part : parts) {
    if (std::holds_alternative<Expression>(part)) return false;
  }
  return true;
}

const Expression* Template::whole() const {
  return parts.size() == 1 ? std::get_if<Expression>(&parts.front()) : nullptr;
}

std::vector<Reference> Template::references() const {
  std::vector<Reference> found;
  for (const Part& part : parts) {
    const auto* expression = std::get_if<Expression>(&part);
    if (expression == nullptr) continue;
    std::vector<Reference> more = expression->references();
    found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return found;
}

std::string Template::text() const {
  std::string out;
  std::string literal;
  const auto add_literal = [&] {
    for (std::size_t at = 0; (at = literal.find(k_open, at)) != std::string::npos; at += k_open.size() + 1) {
      literal.insert(at, 1, '$');
    }
    out += literal;
    literal.clear();
  };
  for (const Part& part : parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      literal += *text;
      continue;
    }
    // A dollar right before an expression would make it a literal.
    const std::size_t dollars = literal.size() - (literal.find_last_not_of('$') + 1);
    literal.resize(literal.size() - dollars);
    add_literal();
    if (dollars > 0) out += fmt::format("${{{{ '{}' }}}}", std::string(dollars, '$'));
    out += "${{ " + std::get<Expression>(part).text() + " }}";
  }
  add_literal();
  return out;
}

Template Template::literal(std::string text) {
  Template result;
  if (!text.empty()) result.parts.emplace_back(std::move(text));
  return result;
}

ParsedTemplate parse_template_parts(std::string_view text, Where where) {
  ParsedTemplate result;
  std::string literal;
  Cursor cursor(text, where);
  while (!cursor.at_end()) {
    std::size_t plain = std::min(cursor.rest().find(k_open), cursor.rest().size());
    literal += cursor.rest().substr(0, plain);
    cursor.advance(plain);
    if (cursor.at_end()) break;
    Where open = cursor.where();
    cursor.advance(k_open.size());
    if (plain > 0 && literal.back() == '$') {
      literal += "{{";
      continue;
    }
    std::string_view inside = cursor.rest();
    std::size_t length = expression_length(inside);
    if (length == std::string_view::npos) {
      result.mistakes.push_back(
          {Severity::error, open, "\"${{\" has no closing \"}}\"", "write $${{ for a literal ${{"});
      cursor.advance(std::min({inside.find('\n'), inside.find(k_open), inside.size()}));
      continue;
    }
    tl::expected<Expression, Diagnostic> expression = parse_expression(inside.substr(0, length), cursor.where());
    cursor.advance(std::min(length + 2, inside.size()));
    if (!expression) {
      result.mistakes.push_back(std::move(expression).error());
      continue;
    }
    if (!literal.empty()) result.text.parts.emplace_back(std::move(literal));
    literal.clear();
    result.text.parts.emplace_back(*std::move(expression));
  }
  if (!literal.empty()) result.text.parts.emplace_back(std::move(literal));
  return result;
}

tl::expected<Template, Diagnostic> parse_template(std::string_view text, Where where) {
  ParsedTemplate read = parse_template_parts(text, where);
  if (!read.mistakes.empty()) return tl::make_unexpected(std::move(read.mistakes.front()));
  return std::move(read.text);
}

Result<std::string> render(const Template& text, const Lookup& lookup) {
  std::string out;
  for (const Template::Part& part : text.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      out += *literal;
      continue;
    }
    Result<Value> value = evaluate(std::get<Expression>(part), lookup);
    if (!value) return Failure(std::move(value).error());
    out += parameter_text(*value);
  }
  return out;
}

Result<Value> evaluate(const Template& text, const Lookup& lookup) {
  if (const Expression* expression = text.whole()) return evaluate(*expression, lookup);
  Result<std::string> rendered = render(text, lookup);
  if (!rendered) return Failure(std::move(rendered).error());
  return Value(*std::move(rendered));
}

}  // namespace mlpipe::spec
