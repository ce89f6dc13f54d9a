#include "spec/condition.hpp"

#include <algorithm>

#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Node = Expression::Node;
using ReferenceMay = std::function<bool(const Reference&)>;

bool node_may(const Node& node, const ReferenceMay& reference_may) {
  if (const auto* literal = std::get_if<Node::Literal>(&node.form)) return literal->value.is_bool();
  if (const auto* reference = std::get_if<Reference>(&node.form)) return reference_may(*reference);
  if (const auto* unary = std::get_if<Node::Unary>(&node.form)) {
    return unary->op == Operator::logical_not && node_may(node.children[0], reference_may);
  }
  if (const auto* call = std::get_if<Node::Call>(&node.form)) return call->function == Function::parse_json;
  if (const auto* chain = std::get_if<Node::Chain>(&node.form)) {
    const Level level = level_of(chain->operators.front());
    if (level >= Level::relation) return level == Level::relation;
    return std::ranges::all_of(node.children, [&](const Node& child) { return node_may(child, reference_may); });
  }
  if (std::holds_alternative<Node::Conditional>(node.form)) {
    return node_may(node.children[1], reference_may) || node_may(node.children[2], reference_may);
  }
  return std::holds_alternative<Node::Index>(node.form);  // of what is in a value nothing is known; a list is none
}

}  // namespace

bool may_be_boolean(const Expression& expression, const ReferenceMay& reference_may) {
  return node_may(expression.root(), reference_may);
}

}  // namespace mlpipe::spec
