#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {

enum class Operator {
  logical_or,
  logical_and,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  logical_not,
  negate,
};

enum class Function { to_integer, to_double, to_string, size, parse_json };

// How tightly a form binds, loosest first. A child that binds no tighter than its parent is printed in parentheses.
// A number is no primary: the dot of `1.k` would read as a decimal point.
enum class Level { conditional, logical_or, logical_and, relation, sum, product, unary, number, primary };

std::string_view symbol_of(Operator op);  // "&&", "in", "!"
std::string_view name_of(Function function);
Level level_of(Operator op);

// One node of the tree. Operators of one level in a row are one flat Chain (`a - b + c`), so that a long sum is no deep
// tree; what nests is bounded by k_max_depth, so recursion over a tree is safe.
struct Expression::Node {
  // null, Boolean, Integer, Float or String
  struct Literal {
    Value value;
  };
  struct List {};   // children: the items
  struct Index {};  // children: what is indexed, the key
  // children: the operand
  struct Unary {
    Operator op;
  };
  // children: one operand more than operators
  struct Chain {
    std::vector<Operator> operators;
  };
  struct Conditional {};  // children: condition, then, else
  // children: the arguments
  struct Call {
    Function function;
  };

  std::variant<Literal, Reference, List, Index, Unary, Chain, Conditional, Call> form;
  std::vector<Node> children;
  std::size_t height = 1;
};

constexpr std::size_t k_max_depth = 100;
constexpr std::size_t k_max_length = 64 * 1024;

// Canonical text of a subtree.
std::string node_text(const Expression::Node& node);
// 'text' with the escapes of the language.
std::string quoted_literal(std::string_view text);

}  // namespace mlpipe::spec
