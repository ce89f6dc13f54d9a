#include "mlpipe/spec/expression.hpp"

#include <fmt/format.h>

#include "mlpipe/base/assert.hpp"
#include "spec/expression_lexer.hpp"
#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Node = Expression::Node;

void collect(const Node& node, std::vector<Reference>& found) {
  if (const auto* reference = std::get_if<Reference>(&node.form)) found.push_back(*reference);
  for (const Node& child : node.children) collect(child, found);
}

std::string literal_text(const Value& value) {
  if (value.is_string()) return quoted_literal(value.as_string());
  if (!value.is_double()) return to_json(value);
  std::string text = fmt::format("{}", value.as_double());  // shortest that reads back the same
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

bool is_negative_number(const Value& value) { return value.is_number() && literal_text(value).front() == '-'; }

Level binding_of(const Node& node) {
  if (std::holds_alternative<Node::Conditional>(node.form)) return Level::conditional;
  if (const auto* chain = std::get_if<Node::Chain>(&node.form)) return level_of(chain->operators.front());
  if (std::holds_alternative<Node::Unary>(node.form)) return Level::unary;
  if (const auto* literal = std::get_if<Node::Literal>(&node.form)) {
    if (is_negative_number(literal->value)) return Level::unary;
    if (literal->value.is_number()) return Level::number;
  }
  return Level::primary;
}

void write(std::string& out, const Node& node);

// `child` where only what binds at least as tightly as `least` may stand bare.
void write_child(std::string& out, const Node& child, Level least) {
  bool bare = binding_of(child) >= least;
  if (!bare) out += '(';
  write(out, child);
  if (!bare) out += ')';
}

Level tighter(Level level) { return static_cast<Level>(static_cast<int>(level) + 1); }

// A key that reads the same after a dot: no artifact part, and no digit in front that could continue a number.
bool is_plain_key(const Node& key) {
  const auto* literal = std::get_if<Node::Literal>(&key.form);
  if (literal == nullptr || !literal->value.is_string()) return false;
  const std::string& name = literal->value.as_string();
  return is_member_name(name) && (name.front() < '0' || name.front() > '9') && name != "path" && name != "uri";
}

void write_list(std::string& out, const Node& node, char open, char close) {
  out += open;
  for (const Node& child : node.children) {
    if (&child != &node.children.front()) out += ", ";
    write(out, child);
  }
  out += close;
}

void write_chain(std::string& out, const Node& node, const std::vector<Operator>& operators) {
  Level least = tighter(level_of(operators.front()));
  write_child(out, node.children.front(), least);
  for (std::size_t i = 0; i < operators.size(); ++i) {
    out += ' ';
    out += symbol_of(operators[i]);
    out += ' ';
    write_child(out, node.children[i + 1], least);
  }
}

void write(std::string& out, const Node& node) {
  if (const auto* literal = std::get_if<Node::Literal>(&node.form)) {
    out += literal_text(literal->value);
  } else if (const auto* reference = std::get_if<Reference>(&node.form)) {
    out += to_string(*reference);
  } else if (std::holds_alternative<Node::List>(node.form)) {
    write_list(out, node, '[', ']');
  } else if (const auto* call = std::get_if<Node::Call>(&node.form)) {
    out += name_of(call->function);
    write_list(out, node, '(', ')');
  } else if (const auto* unary = std::get_if<Node::Unary>(&node.form)) {
    out += symbol_of(unary->op);
    write_child(out, node.children[0], Level::unary);
  } else if (const auto* chain = std::get_if<Node::Chain>(&node.form)) {
    write_chain(out, node, chain->operators);
  } else if (std::holds_alternative<Node::Conditional>(node.form)) {
    write_child(out, node.children[0], Level::logical_or);
    out += " ? ";
    write_child(out, node.children[1], Level::conditional);
    out += " : ";
    write_child(out, node.children[2], Level::conditional);
  } else {
    write_child(out, node.children[0], Level::primary);
    if (is_plain_key(node.children[1])) {
      out += '.';
      out += std::get<Node::Literal>(node.children[1].form).value.as_string();
    } else {
      out += '[';
      write(out, node.children[1]);
      out += ']';
    }
  }
}

}  // namespace

std::string_view symbol_of(Operator op) {
  switch (op) {
    case Operator::logical_or: return "||";
    case Operator::logical_and: return "&&";
    case Operator::equal: return "==";
    case Operator::not_equal: return "!=";
    case Operator::less: return "<";
    case Operator::less_equal: return "<=";
    case Operator::greater: return ">";
    case Operator::greater_equal: return ">=";
    case Operator::in: return "in";
    case Operator::add: return "+";
    case Operator::subtract: return "-";
    case Operator::multiply: return "*";
    case Operator::divide: return "/";
    case Operator::modulo: return "%";
    case Operator::logical_not: return "!";
    case Operator::negate: return "-";
  }
  return "";
}

std::string_view name_of(Function function) {
  switch (function) {
    case Function::to_integer: return "int";
    case Function::to_double: return "double";
    case Function::to_string: return "string";
    case Function::size: return "size";
    case Function::parse_json: return "parseJson";
  }
  return "";
}

Level level_of(Operator op) {
  switch (op) {
    case Operator::logical_or: return Level::logical_or;
    case Operator::logical_and: return Level::logical_and;
    case Operator::equal:
    case Operator::not_equal:
    case Operator::less:
    case Operator::less_equal:
    case Operator::greater:
    case Operator::greater_equal:
    case Operator::in: return Level::relation;
    case Operator::add:
    case Operator::subtract: return Level::sum;
    case Operator::multiply:
    case Operator::divide:
    case Operator::modulo: return Level::product;
    case Operator::logical_not:
    case Operator::negate: return Level::unary;
  }
  return Level::unary;
}

std::string node_text(const Node& node) {
  std::string out;
  write(out, node);
  return out;
}

std::string quoted_literal(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    switch (c) {
      case '\'': out += "\\'"; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "'";
}

std::string to_string(const Reference& reference) {
  std::string out;
  for (const std::string& name : reference.path) {
    if (out.empty()) {
      out = name;
    } else if (is_member_name(name)) {
      out += '.' + name;
    } else {
      out += '[' + quoted_literal(name) + ']';
    }
  }
  return out;
}

Expression Expression::of(Reference reference) {
  MLPIPE_ASSERT(!reference.path.empty());
  return Expression(std::make_shared<const Node>(Node{.form = std::move(reference), .children = {}}));
}

std::vector<Reference> Expression::references() const {
  std::vector<Reference> found;
  collect(*root_, found);
  return found;
}

const Reference* Expression::as_reference() const { return std::get_if<Reference>(&root_->form); }

std::string Expression::text() const { return node_text(*root_); }

}  // namespace mlpipe::spec
