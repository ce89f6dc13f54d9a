#include "spec/yaml_explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

struct Explained {
  std::string_view from;  // how yaml-cpp begins
  std::string_view message;
  std::string_view hint;
};

constexpr Explained k_explained[] = {
    {"end of map not found", "this line does not fit into the mapping around it",
     "write `key: value`, indented like the keys beside it"},
    {"end of sequence not found", "this line does not fit into the list around it",
     "write `- item`, indented like the items beside it"},
    {"illegal map value", "`:` cannot stand here", "put quotes around a text with `: ` in it"},
    {"illegal map key", "a key cannot stand here", "write `key: value`, indented like the keys beside it"},
    {"illegal block entry", "`-` cannot stand here", "a list begins on a line of its own, below its key"},
    {"illegal flow end", "there is no bracket for this one to close",
     "one before it is not closed, or this is one too many"},
    {"illegal EOF in scalar", "a quoted text has no end", "a quote is missing"},
    {"illegal document indicator in scalar", "`---` or `...` inside a quoted text", "a quote is missing before it"},
    {"illegal character when scanning for", "this character cannot stand here", "put quotes around the text"},
    {"unknown escape character", "unknown escape in a text in double quotes",
     "write `\\\\` for a backslash, or use single quotes"},
    {"unknown token", "this character cannot begin a text", "put quotes around the text"},
    {"the referenced anchor is not defined", "this alias has no anchor: there is no such `&name` above", ""},
    {"illegal tab when looking for indentation", "a tab cannot indent", "indent with spaces"},
    {"illegal characters found while scanning tab", "a tab cannot stand here", "indent with spaces"},
    {"found wrong indentation", "wrong indentation", "indent with spaces, like the lines around it"},
    {"bad file", "the file is nested too deeply or broken off", ""},
};

constexpr std::string_view k_space = " \t";

// The lines around a place.
class Lines final {
 public:
  explicit Lines(const YamlTree& tree) : tree_(tree) {}

  std::size_t begin(std::uint32_t line) const { return tree_.line_starts[line - 1]; }
  std::string_view text(std::uint32_t line) const {
    std::string_view rest = tree_.source.substr(begin(line));
    return rest.substr(0, rest.find_first_of("\r\n"));
  }
  std::string_view indentation(std::uint32_t line) const {
    std::string_view whole = text(line);
    return whole.substr(0, std::min(whole.find_first_not_of(k_space), whole.size()));
  }
  Where first_character(std::uint32_t line) const { return tree_.where(begin(line) + indentation(line).size()); }
  // The line above that says something; 0 when there is none.
  std::uint32_t above(std::uint32_t line) const {
    while (--line > 0) {
      std::string_view said = trim(text(line));
      if (!said.empty() && said.front() != '#') return line;
    }
    return 0;
  }

 private:
  const YamlTree& tree_;
};

bool has_colon(std::string_view line) {
  line = trim(line.substr(0, line.find(" #")));
  return line.ends_with(':') || line.find(": ") != std::string_view::npos;
}

// A line that begins a text which may go on below: `key: text`, but neither `key:` nor `key: |`.
bool begins_text(std::string_view line) {
  line = trim(line.substr(0, line.find(" #")));
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos) return false;
  const std::string_view value = trim(line.substr(colon + 2));
  return !value.empty() && std::string_view("|>[{\"'").find(value.front()) == std::string_view::npos;
}

// Text goes on where a line below it is indented deeper, or has no `key:` itself; the parser finds out at the next `:`, or
// where that line ends.
bool explain_colon(std::size_t offset, const YamlTree& tree, Mistakes& mistakes) {
  const Lines lines(tree);
  Where where = tree.where(offset);
  std::string_view before = tree.source.substr(lines.begin(where.line), offset - lines.begin(where.line));
  std::uint32_t above = lines.above(where.line);
  if (above == 0 || before.find(": ") != std::string_view::npos) return false;
  std::uint32_t first = 0;  // of the lines right above that have no `key:`
  while (above > 0 && !has_colon(lines.text(above))) {
    first = above;
    above = lines.above(above);
  }
  const std::uint32_t next = first > 0 ? first : where.line;
  const bool goes_on =
      above > 0 && begins_text(lines.text(above)) && lines.indentation(next).size() > lines.indentation(above).size();
  if (goes_on) {
    mistakes.error(lines.first_character(where.line),
                   fmt::format("YAML: indented deeper than line {}, this line goes on with the text there", above),
                   "indent it like the keys beside it; if it is more of that text, put quotes around all of it");
    return true;
  }
  if (first == 0) return false;
  const std::string_view said = trim(lines.text(first));
  const bool is_item = said.size() > 1 && said[0] == '-' && said[1] != ' ' && said[1] != '-';
  mistakes.error(
      lines.first_character(first), "YAML: this line has no `key: `, so the next one goes on with its text",
      is_item ? "write `- item`, with a space behind the dash" : "write `key: value`, with a space behind the colon");
  return true;
}

bool explain_bracket(const YamlProblem& problem, const YamlTree& tree, Mistakes& mistakes) {
  bool is_flow = problem.message.starts_with("end of map flow") || problem.message.starts_with("end of sequence flow");
  if (!is_flow || !problem.open) return false;
  char bracket = tree.source[*problem.open];
  if (bracket != '[' && bracket != '{') return false;
  std::string_view inside = tree.source.substr(*problem.open + 1, problem.offset - *problem.open + 1);
  std::string message = fmt::format("YAML: this `{}` is not closed, or {}", bracket,
                                    bracket == '[' ? "a comma is missing behind an item"
                                                   : "what stands behind it is not `key: value` pairs with commas");
  Where found = tree.where(problem.offset);
  if (trim(tree.source.substr(problem.offset)).empty()) {
    message += " (noticed at the end of the file)";
  } else if (found.line != tree.where(*problem.open).line) {
    message += fmt::format(" (noticed in line {})", found.line);
  }
  std::string hint = fmt::format("close it with `{}`, or put a comma between {}", bracket == '[' ? ']' : '}',
                                 bracket == '[' ? "the items" : "the pairs");
  if (inside.find("{{") != std::string_view::npos) {
    hint = "inside { } and [ ], put quotes around ${{ }}: {x: \"${{ parameters.x }}\"}";
  }
  mistakes.error(tree.where(*problem.open), message, hint);
  return true;
}

// A text in quotes over several lines that ends just before the place: its own closing quote may be missing.
bool explain_quote(const YamlProblem& problem, const YamlTree& tree, Mistakes& mistakes) {
  if (!problem.quote) return false;
  Where begin = tree.where(*problem.quote);
  Where end = tree.where(problem.offset);
  std::size_t closed = tree.source.find_last_not_of(k_space, problem.offset - 1);
  if (begin.line == end.line || problem.offset == 0 || closed == std::string_view::npos ||
      tree.source[closed] != tree.source[*problem.quote]) {
    return false;
  }
  mistakes.error(begin, fmt::format("YAML: the text that begins with this quote goes on to line {}", end.line),
                 "its closing quote is missing");
  return true;
}

}  // namespace

void explain(const YamlProblem& problem, const YamlTree& tree, Mistakes& mistakes) {
  const Where where = tree.where(problem.offset);
  if (explain_quote(problem, tree, mistakes) || explain_bracket(problem, tree, mistakes)) return;
  const std::string_view indentation = Lines(tree).indentation(where.line);
  if (std::size_t tab = indentation.find('\t'); tab != std::string_view::npos) {
    mistakes.error(tree.where(Lines(tree).begin(where.line) + tab), "a tab cannot indent", "indent with spaces");
    return;
  }
  const bool may_be_colon =
      problem.message.starts_with("illegal map value") || problem.message.starts_with("end of map not found");
  if (may_be_colon && explain_colon(problem.offset, tree, mistakes)) return;
  const auto* known = std::ranges::find_if(
      k_explained, [&](const Explained& explained) { return problem.message.starts_with(explained.from); });
  if (known == std::end(k_explained)) {
    mistakes.error(where, fmt::format("YAML: {}", problem.message));
  } else {
    mistakes.error(where, fmt::format("YAML: {}", known->message), std::string(known->hint));
  }
}

}  // namespace mlpipe::spec
