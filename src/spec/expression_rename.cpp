#include "spec/expression_rename.hpp"

#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Rename = std::function<Reference(const Reference&)>;

void rename_in(Expression::Node& node, const Rename& rename) {
  if (auto* reference = std::get_if<Reference>(&node.form)) *reference = rename(*reference);
  for (Expression::Node& child : node.children) rename_in(child, rename);
}

}  // namespace

Expression renamed(const Expression& expression, const Rename& rename) {
  auto copy = std::make_shared<Expression::Node>(expression.root());
  rename_in(*copy, rename);
  return Expression(std::move(copy));
}

Template renamed(const Template& text, const Rename& rename) {
  Template copy = text;
  for (Template::Part& part : copy.parts) {
    if (auto* expression = std::get_if<Expression>(&part)) *expression = renamed(*expression, rename);
  }
  return copy;
}

Word renamed(const Word& word, const Rename& rename) {
  Word copy = word;
  auto rename_all = [&](std::vector<Word>& words) {
    for (Word& inner : words) inner = renamed(inner, rename);
  };
  if (auto* text = std::get_if<Template>(&copy.form)) *text = renamed(*text, rename);
  if (auto* concat = std::get_if<Word::Concat>(&copy.form)) rename_all(concat->items);
  if (auto* choice = std::get_if<Word::IfPresent>(&copy.form)) {
    rename_all(choice->then_words);
    rename_all(choice->else_words);
  }
  return copy;
}

}  // namespace mlpipe::spec
