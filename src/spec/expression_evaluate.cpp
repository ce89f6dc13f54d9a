#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <compare>
#include <limits>

#include "mlpipe/base/text.hpp"
#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Node = Expression::Node;

// A value computed from few and small ones must not fill the memory.
constexpr std::size_t k_max_text = std::size_t{16} * 1024 * 1024;
constexpr std::size_t k_max_items = 1'000'000;

template <class... Args>
Failure wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  std::string reason = fmt::format(format, std::forward<Args>(args)...);
  return fail(ErrorCode::invalid_input, "{} in `{}`", reason, printable(shorten(node_text(node), 100)));
}

// "a String", as messages want it.
std::string_view kind_of(const Value& value) {
  constexpr std::string_view k_kinds[] = {"null",     "a Boolean", "an Integer", "a Float",
                                          "a String", "a List",    "a Struct"};
  return k_kinds[value.variant().index()];
}

bool same_kind(const Value& a, const Value& b) {
  return (a.is_number() && b.is_number()) || a.variant().index() == b.variant().index();
}

class Evaluator final {
 public:
  explicit Evaluator(const Lookup& lookup) : lookup_(lookup) {}

  Result<Value> value(const Node& node) const;

 private:
  Result<bool> flag(const Node& node, const Node& inside) const;
  Result<Value> list(const Node& node) const;
  Result<Value> index(const Node& node) const;
  Result<Value> unary(const Node& node, Operator op) const;
  Result<Value> chain(const Node& node, const std::vector<Operator>& operators) const;
  Result<Value> logical(const Node& node, Operator op) const;
  Result<Value> conditional(const Node& node) const;
  Result<Value> call(const Node& node, Function function) const;

  const Lookup& lookup_;
};

Result<Value> relation(const Node& node, Operator op, const Value& left, const Value& right) {
  if (op == Operator::in) {
    if (right.is_list()) {
      for (const Value& item : right.as_list()) {
        if (item == left) return Value(true);
      }
      return Value(false);
    }
    if (right.is_struct() && left.is_string()) return Value(right.find(left.as_string()) != nullptr);
    return wrong(node, "cannot look for {} in {}", kind_of(left), kind_of(right));
  }
  bool only_equality = op == Operator::equal || op == Operator::not_equal;
  if (only_equality && (same_kind(left, right) || left.is_null() || right.is_null())) {
    return Value((left == right) == (op == Operator::equal));
  }
  std::partial_ordering order = std::partial_ordering::unordered;
  if (left.is_number() && right.is_number()) {
    order = compare_numbers(left, right);
  } else if (left.is_string() && right.is_string()) {
    order = left.as_string().compare(right.as_string()) <=> 0;
  } else if (left.is_bool() && right.is_bool()) {
    order = left.as_bool() <=> right.as_bool();
  } else {
    return wrong(node, "cannot compare {} with {}", kind_of(left), kind_of(right));
  }
  switch (op) {
    case Operator::less: return Value(order < 0);
    case Operator::less_equal: return Value(order <= 0);
    case Operator::greater: return Value(order > 0);
    default: return Value(order >= 0);
  }
}

Result<Value> integer_arithmetic(const Node& node, Operator op, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == Operator::divide || op == Operator::modulo) {
    if (right == 0) return wrong(node, "division by zero");
    overflow = left == std::numeric_limits<std::int64_t>::min() && right == -1;
    if (!overflow) result = op == Operator::divide ? left / right : left % right;
  } else if (op == Operator::add) {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (op == Operator::subtract) {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else {
    overflow = __builtin_mul_overflow(left, right, &result);
  }
  if (overflow) return wrong(node, "integer overflow: {} {} {}", left, symbol_of(op), right);
  return Value(result);
}

Result<Value> double_arithmetic(const Node& node, Operator op, double left, double right) {
  if (op == Operator::modulo) return wrong(node, "% needs two Integers, not a Float; write int(...)");
  if (op == Operator::divide && right == 0) return wrong(node, "division by zero");
  double result = op == Operator::add        ? left + right
                  : op == Operator::subtract ? left - right
                  : op == Operator::multiply ? left * right
                                             : left / right;
  if (!std::isfinite(result)) return wrong(node, "the result is too large for a Float");
  return Value(result);
}

// `left` op= `right`: `left` grows in place, so that a long concatenation costs its length only.
Result<> apply(const Node& node, Operator op, Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    Result<Value> result = left.is_integer() && right.is_integer()
                               ? integer_arithmetic(node, op, left.as_integer(), right.as_integer())
                               : double_arithmetic(node, op, left.as_double(), right.as_double());
    if (!result) return Failure(std::move(result).error());
    left = *std::move(result);
    return {};
  }
  if (op == Operator::add && left.is_string() && right.is_string()) {
    if (left.as_string().size() + right.as_string().size() > k_max_text) {
      return wrong(node, "the text grows beyond {}", bytes_text(k_max_text));
    }
    left = Value(std::move(const_cast<std::string&>(left.as_string())).append(right.as_string()));
    return {};
  }
  if (op == Operator::add && left.is_list() && right.is_list()) {
    if (left.as_list().size() + right.as_list().size() > k_max_items) {
      return wrong(node, "the list grows beyond {} items", k_max_items);
    }
    left.as_list().insert(left.as_list().end(), right.as_list().begin(), right.as_list().end());
    return {};
  }
  if (op == Operator::add && (left.is_string() || right.is_string())) {
    return wrong(node, "cannot add {} and {}; string(...) makes text of a value", kind_of(left), kind_of(right));
  }
  return wrong(node, "cannot apply {} to {} and {}", symbol_of(op), kind_of(left), kind_of(right));
}

Result<Value> to_integer(const Node& node, const Value& value) {
  if (value.is_integer()) return value;
  if (value.is_double()) {
    double whole = std::trunc(value.as_double());
    if (whole >= -0x1p63 && whole < 0x1p63) return Value(static_cast<std::int64_t>(whole));
    return wrong(node, "{} is out of range for an Integer", number_text(value.as_double()));
  }
  if (!value.is_string()) return wrong(node, "cannot make an Integer of {}", kind_of(value));
  const std::string& text = value.as_string();
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range)
    return wrong(node, "{} is out of range for an Integer", shorten(text, 40));
  if (error != std::errc{} || end != text.data() + text.size()) {
    return wrong(node, "the text {} is no Integer", quoted_literal(shorten(text, 40)));
  }
  return Value(number);
}

Result<Value> to_double(const Node& node, const Value& value) {
  if (value.is_number()) return Value(value.as_double());
  if (!value.is_string()) return wrong(node, "cannot make a Float of {}", kind_of(value));
  const std::string& text = value.as_string();
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return wrong(node, "{} is out of range for a Float", shorten(text, 40));
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) {
    return wrong(node, "the text {} is no number", quoted_literal(shorten(text, 40)));
  }
  return Value(number);
}

Result<Value> size_of(const Node& node, const Value& value) {
  std::size_t size = 0;
  if (value.is_string()) {
    for (char c : value.as_string()) size += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  } else if (value.is_list()) {
    size = value.as_list().size();
  } else if (value.is_struct()) {
    size = value.as_struct().size();
  } else {
    return wrong(node, "{} has no size", kind_of(value));
  }
  return Value(static_cast<std::int64_t>(size));
}

Result<Value> Evaluator::value(const Node& node) const {
  if (const auto* literal = std::get_if<Node::Literal>(&node.form)) return literal->value;
  if (const auto* reference = std::get_if<Reference>(&node.form)) return lookup_(*reference);
  if (std::holds_alternative<Node::List>(node.form)) return list(node);
  if (std::holds_alternative<Node::Index>(node.form)) return index(node);
  if (const auto* form = std::get_if<Node::Unary>(&node.form)) return unary(node, form->op);
  if (const auto* form = std::get_if<Node::Chain>(&node.form)) return chain(node, form->operators);
  if (const auto* form = std::get_if<Node::Call>(&node.form)) return call(node, form->function);
  return conditional(node);
}

// The value of `node`, which stands where `inside` needs a Boolean.
Result<bool> Evaluator::flag(const Node& node, const Node& inside) const {
  Result<Value> result = value(node);
  if (!result) return Failure(std::move(result).error());
  if (!result->is_bool()) {
    return wrong(inside, "`{}` must be true or false, not {},", printable(shorten(node_text(node), 60)),
                 kind_of(*result));
  }
  return result->as_bool();
}

Result<Value> Evaluator::list(const Node& node) const {
  Value::List items;
  items.reserve(node.children.size());
  for (const Node& child : node.children) {
    Result<Value> item = value(child);
    if (!item) return item;
    items.push_back(*std::move(item));
  }
  return Value(std::move(items));
}

Result<Value> Evaluator::index(const Node& node) const {
  Result<Value> base = value(node.children[0]);
  if (!base) return base;
  Result<Value> key = value(node.children[1]);
  if (!key) return key;
  if (base->is_struct() && key->is_string()) {
    const Value* member = base->find(key->as_string());
    if (member != nullptr) return *member;
    std::vector<std::string> names;
    for (const auto& [name, unused] : base->as_struct()) names.push_back(name);
    std::optional<std::string> guess = closest(key->as_string(), names);
    return wrong(node, "no such key {}{}", quoted_literal(shorten(key->as_string(), 60)),
                 guess ? fmt::format(" (did you mean {}?)", quoted_literal(*guess)) : "");
  }
  if (!base->is_list()) return wrong(node, "cannot index {} with {}", kind_of(*base), kind_of(*key));
  // KFP's numbers are doubles: an integral one is as good as an integer.
  if (!key->is_number() || key->as_double() != std::trunc(key->as_double())) {
    return wrong(node, "cannot index a List with {}",
                 key->is_number() ? number_text(key->as_double()) : std::string(kind_of(*key)));
  }
  const Value::List& items = base->as_list();
  double at = key->as_double();
  if (at < 0 || at >= static_cast<double>(items.size())) {
    return wrong(node, "no item {}: the List has {}, counted from 0,", number_text(at), items.size());
  }
  return Value(items[static_cast<std::size_t>(at)]);
}

Result<Value> Evaluator::unary(const Node& node, Operator op) const {
  if (op == Operator::logical_not) {
    Result<bool> operand = flag(node.children[0], node);
    if (!operand) return Failure(std::move(operand).error());
    return Value(!*operand);
  }
  Result<Value> operand = value(node.children[0]);
  if (!operand) return operand;
  if (operand->is_double()) return Value(-operand->as_double());
  if (!operand->is_integer()) return wrong(node, "cannot negate {}", kind_of(*operand));
  return integer_arithmetic(node, Operator::subtract, 0, operand->as_integer());
}

Result<Value> Evaluator::chain(const Node& node, const std::vector<Operator>& operators) const {
  Level level = level_of(operators.front());
  if (level == Level::logical_or || level == Level::logical_and) return logical(node, operators.front());
  Result<Value> left = value(node.children[0]);
  for (std::size_t i = 0; left && i < operators.size(); ++i) {
    Result<Value> right = value(node.children[i + 1]);
    if (!right) return right;
    if (level == Level::relation) {
      left = relation(node, operators[i], *left, *right);
    } else if (Result<> applied = apply(node, operators[i], *left, *right); !applied) {
      return Failure(std::move(applied).error());
    }
  }
  return left;
}

Result<Value> Evaluator::logical(const Node& node, Operator op) const {
  bool decided = op == Operator::logical_or;  // the operand that ends the evaluation
  for (const Node& child : node.children) {
    Result<bool> operand = flag(child, node);
    if (!operand) return Failure(std::move(operand).error());
    if (*operand == decided) return Value(decided);
  }
  return Value(!decided);
}

Result<Value> Evaluator::conditional(const Node& node) const {
  Result<bool> condition = flag(node.children[0], node);
  if (!condition) return Failure(std::move(condition).error());
  return value(node.children[*condition ? 1 : 2]);
}

Result<Value> Evaluator::call(const Node& node, Function function) const {
  Result<Value> argument = value(node.children[0]);
  if (!argument) return argument;
  switch (function) {
    case Function::to_integer: return to_integer(node, *argument);
    case Function::to_double: return to_double(node, *argument);
    case Function::to_string: return Value(parameter_text(*argument));
    case Function::size: return size_of(node, *argument);
    case Function::parse_json: break;
  }
  if (!argument->is_string()) return wrong(node, "parseJson() takes text, not {},", kind_of(*argument));
  Result<Value> parsed = parse_json(argument->as_string(), "JSON");
  if (!parsed) return wrong(node, "{}", parsed.error().message);
  return parsed;
}

}  // namespace

Result<Value> evaluate(const Expression& expression, const Lookup& lookup) {
  return Evaluator(lookup).value(expression.root());
}

}  // namespace mlpipe::spec
