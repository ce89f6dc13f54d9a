#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/diagnostic.hpp"

namespace mlpipe::spec {

// What a `${{ }}` names: `tasks.split.outputs.train` is {"tasks","split","outputs","train"}.
// Its root is one of: parameters, tasks, run, item (pipeline scope); inputs, outputs (component scope); executor_input.
// Parsing gives it only these shapes, and leaves what follows to indexing of the value (`parameters.p.key[0]`):
//   parameters.P   run.R   item   executor_input   inputs.X[.path|.uri]   outputs.X[.path|.uri]   tasks.T.outputs.O[.path|.uri]
struct Reference {
  std::vector<std::string> path;
  Where where;
};
std::string to_string(const Reference& reference);

// A parsed expression of the language in docs/expressions.md (a CEL subset). Immutable; copies share the tree.
class Expression {
 public:
  struct Node;
  explicit Expression(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  // The expression that is just this reference: what component.yaml's {inputPath: x} and KFP's placeholders become.
  static Expression of(Reference reference);

  // Every reference in it, in source order.
  std::vector<Reference> references() const;
  // The reference when the expression is nothing but one.
  const Reference* as_reference() const;
  // Canonical source text: parses back to an equal expression.
  std::string text() const;

  const Node& root() const { return *root_; }

 private:
  std::shared_ptr<const Node> root_;  // shared: expressions are copied with the specs that hold them
};

// Parses `text`, the part between `${{` and `}}`, found at `where`; a mistake points at its column.
// Bounded: 64 KiB of text, 100 levels of nesting.
// tl::expected without Result: mistakes in a spec are Diagnostics (CPP.md, failure form 1).
tl::expected<Expression, Diagnostic> parse_expression(std::string_view text, Where where);

// Gives the value a reference stands for; an error says why it has none.
using Lookup = std::function<Result<Value>(const Reference&)>;

// Evaluates; errors (no such key, wrong types, division by zero) name the sub-expression. Errors of `lookup` pass unchanged.
Result<Value> evaluate(const Expression& expression, const Lookup& lookup);

// A text with expressions embedded in it.
struct Template {
  using Part = std::variant<std::string, Expression>;
  std::vector<Part> parts;

  bool is_literal() const;          // no expression in it
  const Expression* whole() const;  // the expression, when the text is nothing but one
  std::vector<Reference> references() const;
  // Canonical source text: parses back to a template that renders the same.
  std::string text() const;
  static Template literal(std::string text);
};

// What a text with expressions says, as far as it is right, and what is wrong with the rest of it.
struct ParsedTemplate {
  Template text;  // without the expressions that are wrong
  Diagnostics mistakes;
};

// Splits `text` at `${{ ... }}`; `$${{` is a literal `${{`. Goes on behind a mistake, to tell of all of them.
ParsedTemplate parse_template_parts(std::string_view text, Where where);
// The same where a text with a mistake is of no use: the first one.
tl::expected<Template, Diagnostic> parse_template(std::string_view text, Where where);

// The text with every expression replaced by parameter_text() of its value. Values are not scanned again.
Result<std::string> render(const Template& text, const Lookup& lookup);
// Keeps the type when the template is nothing but one expression.
Result<Value> evaluate(const Template& text, const Lookup& lookup);

// One entry of command or args. A Template gives one word; IfPresent gives any number; Concat gives one.
struct Word {
  struct Concat {
    std::vector<Word> items;
  };
  struct IfPresent {
    std::string input;
    std::vector<Word> then_words;
    std::vector<Word> else_words;
  };
  std::variant<Template, Concat, IfPresent> form;

  std::vector<Reference> references() const;  // of all branches; IfPresent's `input` is not among them
};

// The argument list that `words` stand for. `present(input)` tells whether the task was given that input.
// Errors: those of evaluate(), an IfPresent in a Concat that gives more than one word, a word with a NUL byte.
Result<std::vector<std::string>> expand(const std::vector<Word>& words, const Lookup& lookup,
                                        const std::function<bool(std::string_view)>& present);

}  // namespace mlpipe::spec
