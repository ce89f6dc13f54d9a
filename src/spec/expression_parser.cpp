#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "mlpipe/base/text.hpp"
#include "spec/expression_lexer.hpp"
#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Node = Expression::Node;
using Parsed = tl::expected<Node, Diagnostic>;
using Step = std::optional<Diagnostic>;  // nothing: went well

// What follows a root, before `.member` and `[key]` look into the value itself.
struct Shape {
  std::string_view root;
  int names;       // how many names; for tasks the middle one is the word "outputs"
  bool has_parts;  // `.path` and `.uri` may follow
  std::string_view form;
};
constexpr std::array<Shape, 7> k_shapes = {{
    {"parameters", 1, false, "parameters.NAME"},
    {"tasks", 3, true, "tasks.TASK.outputs.NAME"},
    {"run", 1, false, "run.id"},
    {"item", 0, false, "item"},
    {"inputs", 1, true, "inputs.NAME"},
    {"outputs", 1, true, "outputs.NAME.path"},
    {"executor_input", 0, false, "executor_input"},
}};

struct WrongWord {
  std::string_view word;
  std::string_view hint;
};
constexpr std::array<WrongWord, 9> k_wrong_words = {{
    {"and", "for \"and\", write &&"},
    {"or", "for \"or\", write ||"},
    {"not", "for \"not\", write !"},
    {"True", "write true"},
    {"False", "write false"},
    {"None", "write null"},
    {"nil", "write null"},
    {"is", "to compare, write =="},
    {"if", "a choice is written CONDITION ? VALUE : OTHER"},
}};

constexpr std::array<Operator, 14> k_binary = {
    Operator::logical_or, Operator::logical_and, Operator::equal,         Operator::not_equal, Operator::less,
    Operator::less_equal, Operator::greater,     Operator::greater_equal, Operator::in,        Operator::add,
    Operator::subtract,   Operator::multiply,    Operator::divide,        Operator::modulo};
constexpr std::array<Function, 5> k_functions = {Function::to_integer, Function::to_double, Function::to_string,
                                                 Function::size, Function::parse_json};

const Shape* shape_of(std::string_view root) {
  for (const Shape& shape : k_shapes) {
    if (shape.root == root) return &shape;
  }
  return nullptr;
}

std::optional<Function> function_of(std::string_view name) {
  for (Function function : k_functions) {
    if (name_of(function) == name) return function;
  }
  return std::nullopt;
}

std::string wrong_word_hint(std::string_view word) {
  for (const WrongWord& wrong : k_wrong_words) {
    if (wrong.word == word) return std::string(wrong.hint);
  }
  return {};
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> guess = closest(word, candidates);
  return guess ? fmt::format("did you mean \"{}\"?", *guess) : std::string();
}

std::string described(const Token& token) {
  switch (token.kind) {
    case TokenKind::end: return "the end of the expression";
    case TokenKind::string: return fmt::format("the text {}", shorten(quoted_literal(token.text), 40));
    default: return fmt::format("\"{}\"", shorten(token.text, 40));
  }
}

Node literal(Value value) { return Node{.form = Node::Literal{std::move(value)}, .children = {}}; }

class Parser final {
 public:
  Parser(std::string_view text, Where start) : lexer_(text, start) {}

  Parsed parse();

 private:
  Step advance();
  bool at(std::string_view symbol) const { return token_.kind == TokenKind::symbol && token_.text == symbol; }
  std::optional<Operator> operator_at(Level level) const;
  Parsed close(Node node, std::string_view symbol, const Token& opener);
  Parsed grown(Node node, Where where) const;

  Parsed conditional();
  Parsed binary(Level level);
  Parsed unary();
  Parsed negative_number();
  Parsed postfix();
  Parsed primary();
  Parsed number();
  Parsed name();
  Parsed call(const Token& name);
  Parsed list();
  Parsed reference(const Token& root, const Shape& shape);
  tl::expected<Token, Diagnostic> member();
  Step items(std::vector<Node>& items, std::string_view closing, const Token& opener);

  Lexer lexer_;
  Token token_;
  std::size_t depth_ = 0;
};

Step Parser::advance() {
  tl::expected<Token, Diagnostic> token = lexer_.next();
  if (!token) return std::move(token).error();
  token_ = *std::move(token);
  return std::nullopt;
}

// Gives the node its height, and refuses it when the tree would be too deep to walk.
Parsed Parser::grown(Node node, Where where) const {
  for (const Node& child : node.children) node.height = std::max(node.height, child.height + 1);
  if (node.height <= k_max_depth) return node;
  return mistake(where, fmt::format("the expression nests deeper than {} levels", k_max_depth));
}

Parsed Parser::close(Node node, std::string_view symbol, const Token& opener) {
  if (!at(symbol)) {
    return mistake(token_.where, fmt::format("expected \"{}\", found {}", symbol, described(token_)),
                   fmt::format("it closes the \"{}\" at {}:{}", opener.text, opener.where.line, opener.where.column));
  }
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  return node;
}

Parsed Parser::parse() {
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  if (token_.kind == TokenKind::end) return mistake(token_.where, "the expression is empty");
  Parsed node = conditional();
  if (!node || token_.kind == TokenKind::end) return node;
  if (at("("))
    return mistake(token_.where, "a call cannot stand here", "functions are called as size(x), not x.size()");
  return mistake(token_.where, fmt::format("expected an operator, found {}", described(token_)),
                 token_.kind == TokenKind::name ? wrong_word_hint(token_.text) : std::string());
}

Parsed Parser::conditional() {
  if (++depth_ > k_max_depth) {
    return mistake(token_.where, fmt::format("the expression nests deeper than {} levels", k_max_depth));
  }
  Parsed condition = binary(Level::logical_or);
  if (condition && at("?")) {
    Token mark = token_;
    Node node{.form = Node::Conditional{}, .children = {}};
    node.children.push_back(*std::move(condition));
    if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
    Parsed chosen = conditional();
    if (!chosen) return chosen;
    Parsed colon = close(*std::move(chosen), ":", mark);
    if (!colon) return colon;
    node.children.push_back(*std::move(colon));
    Parsed otherwise = conditional();
    if (!otherwise) return otherwise;
    node.children.push_back(*std::move(otherwise));
    condition = grown(std::move(node), mark.where);
  }
  --depth_;
  return condition;
}

std::optional<Operator> Parser::operator_at(Level level) const {
  if (token_.kind != TokenKind::symbol && token_.kind != TokenKind::name) return std::nullopt;
  for (Operator op : k_binary) {
    if (level_of(op) == level && symbol_of(op) == token_.text) return op;
  }
  return std::nullopt;
}

Parsed Parser::binary(Level level) {
  auto operand = [&] {
    return level == Level::product ? unary() : binary(static_cast<Level>(static_cast<int>(level) + 1));
  };
  Where where = token_.where;
  Parsed first = operand();
  if (!first || !operator_at(level)) return first;
  Node::Chain chain;
  Node node;
  node.children.push_back(*std::move(first));
  while (std::optional<Operator> op = operator_at(level)) {
    if (level == Level::relation && !chain.operators.empty()) {
      return mistake(token_.where, "comparisons cannot be chained", "join them: a < b && b < c");
    }
    if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
    Parsed next = operand();
    if (!next) return next;
    chain.operators.push_back(*op);
    node.children.push_back(*std::move(next));
  }
  node.form = std::move(chain);
  return grown(std::move(node), where);
}

Parsed Parser::unary() {
  std::vector<Operator> prefixes;
  Where where = token_.where;
  while (at("!") || at("-")) {
    prefixes.push_back(at("!") ? Operator::logical_not : Operator::negate);
    if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  }
  // A minus right before a number is part of it: -9223372036854775808 has no positive counterpart.
  bool is_number = (token_.kind == TokenKind::integer && token_.magnitude > 0) || token_.kind == TokenKind::number;
  bool negative = is_number && !prefixes.empty() && prefixes.back() == Operator::negate;
  if (negative) prefixes.pop_back();
  Parsed node = negative ? negative_number() : postfix();
  while (node && !prefixes.empty()) {
    Node outer{.form = Node::Unary{prefixes.back()}, .children = {}};
    prefixes.pop_back();
    outer.children.push_back(*std::move(node));
    node = grown(std::move(outer), where);
  }
  return node;
}

Parsed Parser::negative_number() {
  Token number = token_;
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  if (at("[") || at(".")) return mistake(token_.where, "a number has no members");
  if (number.kind == TokenKind::number) return literal(Value(-number.number));
  return literal(Value(static_cast<std::int64_t>(~number.magnitude + 1)));
}

Parsed Parser::postfix() {
  bool can_have_parts = token_.kind == TokenKind::name;
  Parsed node = primary();
  while (node && (at(".") || at("["))) {
    Token opener = token_;
    Node index{.form = Node::Index{}, .children = {}};
    if (at(".")) {
      tl::expected<Token, Diagnostic> name = member();
      if (!name) return tl::make_unexpected(std::move(name).error());
      auto* reference = std::get_if<Reference>(&node->form);
      const Shape* shape = reference != nullptr ? shape_of(reference->path.front()) : nullptr;
      if (can_have_parts && shape != nullptr && shape->has_parts && (name->text == "path" || name->text == "uri")) {
        reference->path.push_back(name->text);
        can_have_parts = false;
        continue;
      }
      index.children.push_back(*std::move(node));
      index.children.push_back(literal(Value(name->text)));
    } else {
      if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
      Parsed key = conditional();
      if (key) key = close(*std::move(key), "]", opener);
      if (!key) return key;
      index.children.push_back(*std::move(node));
      index.children.push_back(*std::move(key));
    }
    can_have_parts = false;
    node = grown(std::move(index), opener.where);
  }
  return node;
}

Parsed Parser::primary() {
  Token token = token_;
  switch (token.kind) {
    case TokenKind::integer:
    case TokenKind::number: return number();
    case TokenKind::name: return name();
    case TokenKind::string:
      if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
      return literal(Value(std::move(token.text)));
    default: break;
  }
  if (at("[")) return list();
  if (!at("(")) return mistake(token.where, fmt::format("expected a value, found {}", described(token)));
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  Parsed inner = conditional();
  if (!inner) return inner;
  return close(*std::move(inner), ")", token);
}

Parsed Parser::number() {
  Token token = token_;
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  if (token.kind == TokenKind::number) return literal(Value(token.number));
  if (token.magnitude > static_cast<std::uint64_t>(INT64_MAX)) {
    return mistake(token.where, fmt::format("the number {} is out of range", token.text),
                   "integers have 64 bits; write 1e30 for a larger number");
  }
  return literal(Value(static_cast<std::int64_t>(token.magnitude)));
}

Parsed Parser::name() {
  Token token = token_;
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  if (at("(")) return call(token);
  if (token.text == "true") return literal(Value(true));
  if (token.text == "false") return literal(Value(false));
  if (token.text == "null") return literal(Value(nullptr));
  if (const Shape* shape = shape_of(token.text)) return reference(token, *shape);
  if (function_of(token.text)) {
    return mistake(token.where, fmt::format("\"{}\" is a function", token.text),
                   fmt::format("give it a value: {}(...)", token.text));
  }
  std::vector<std::string> roots{"parameters", "tasks", "run", "item", "inputs", "outputs"};
  std::string hint = wrong_word_hint(token.text);
  if (hint.empty()) hint = did_you_mean(token.text, roots);
  if (hint.empty()) hint = fmt::format("text stands in quotes: '{}'", shorten(token.text, 40));
  return mistake(
      token.where,
      fmt::format("unknown name \"{}\"; a reference begins with one of {}", shorten(token.text, 40), join(roots, ", ")),
      hint);
}

// token_ is the "(" after the name.
Parsed Parser::call(const Token& name) {
  std::optional<Function> function = function_of(name.text);
  if (!function) {
    std::vector<std::string> names;
    for (Function known : k_functions) names.emplace_back(name_of(known));
    return mistake(name.where,
                   fmt::format("unknown function \"{}\"; there are {}", shorten(name.text, 40), join(names, ", ")),
                   did_you_mean(name.text, names));
  }
  Token opener = token_;
  Node node{.form = Node::Call{*function}, .children = {}};
  if (Step failed = items(node.children, ")", opener)) return tl::make_unexpected(*std::move(failed));
  if (node.children.size() != 1) {
    return mistake(name.where, fmt::format("{}() takes one argument, not {}", name.text, node.children.size()));
  }
  return grown(std::move(node), name.where);
}

Parsed Parser::list() {
  Token opener = token_;
  Node node{.form = Node::List{}, .children = {}};
  if (Step failed = items(node.children, "]", opener)) return tl::make_unexpected(*std::move(failed));
  return grown(std::move(node), opener.where);
}

// Expressions between commas up to `closing`; token_ is the opener.
Step Parser::items(std::vector<Node>& items, std::string_view closing, const Token& opener) {
  do {
    if (Step failed = advance()) return failed;
    if (items.empty() && at(closing)) break;
    Parsed item = conditional();
    if (!item) return std::move(item).error();
    items.push_back(*std::move(item));
  } while (at(","));
  Parsed closed = close(Node{}, closing, opener);
  if (!closed) return std::move(closed).error();
  return std::nullopt;
}

// `.name`; token_ is the dot.
tl::expected<Token, Diagnostic> Parser::member() {
  tl::expected<Token, Diagnostic> name = lexer_.next_member();
  if (!name) return name;
  if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
  return name;
}

Parsed Parser::reference(const Token& root, const Shape& shape) {
  Reference reference{.path = {root.text}, .where = root.where};
  for (int i = 0; i < shape.names; ++i) {
    Token name;
    if (at(".")) {
      tl::expected<Token, Diagnostic> found = member();
      if (!found) return tl::make_unexpected(std::move(found).error());
      name = *std::move(found);
    } else if (at("[")) {
      Token opener = token_;
      if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
      name = token_;
      if (name.kind != TokenKind::string) {
        return mistake(name.where, fmt::format("expected a name in quotes, found {}", described(name)),
                       fmt::format("which value is meant must be written out: {}", shape.form));
      }
      if (Step failed = advance()) return tl::make_unexpected(*std::move(failed));
      Parsed closed = close(Node{}, "]", opener);
      if (!closed) return closed;
    } else {
      return mistake(root.where, fmt::format("\"{}\" alone is no value", to_string(reference)),
                     fmt::format("write {}", shape.form));
    }
    if (shape.root == "tasks" && i == 1 && name.text != "outputs") {
      return mistake(name.where, fmt::format("a task has \"outputs\", not \"{}\"", shorten(name.text, 40)),
                     fmt::format("write {}.outputs.NAME", to_string(reference)));
    }
    reference.path.push_back(std::move(name.text));
  }
  return Node{.form = std::move(reference), .children = {}};
}

}  // namespace

tl::expected<Expression, Diagnostic> parse_expression(std::string_view text, Where where) {
  if (text.size() > k_max_length) {
    return mistake(where, fmt::format("the expression has {} bytes; {} are allowed", text.size(), k_max_length));
  }
  if (!is_valid_utf8(text)) return mistake(where, "the expression is not valid UTF-8");
  Parsed node = Parser(text, where).parse();
  if (!node) return tl::make_unexpected(std::move(node).error());
  return Expression(std::make_shared<const Node>(*std::move(node)));
}

}  // namespace mlpipe::spec
