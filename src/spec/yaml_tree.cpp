#include "spec/yaml_tree.hpp"

#include <algorithm>
#include <optional>

namespace mlpipe::spec {
namespace {

constexpr std::uint32_t k_last_column = UINT16_MAX;

std::uint16_t column_of(std::uint32_t column) { return static_cast<std::uint16_t>(std::min(column, k_last_column)); }

// Bytes of the source that stand for the first `characters` of a text in quotes; `source` begins behind its quote. Nothing
// when the text goes on to another line, or ends before.
std::optional<std::size_t> bytes_in_quotes(std::string_view source, char quote, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0; --characters) {
    if (at >= source.size() || source[at] == '\n') return std::nullopt;
    if (quote == '\'' && source.substr(at).starts_with("''")) {
      at += 2;
    } else if (source[at] == quote) {
      return std::nullopt;
    } else if (quote == '"' && source[at] == '\\') {
      const char escape = at + 1 < source.size() ? source[at + 1] : '\n';
      if (escape == '\n') return std::nullopt;
      at += escape == 'x' ? 4 : escape == 'u' ? 6 : escape == 'U' ? 10 : 2;
    } else {
      do ++at;
      while (at < source.size() && (source[at] & '\xC0') == '\x80');
    }
  }
  return at;
}

}  // namespace

Where YamlTree::where(std::size_t offset) const {
  auto next = std::upper_bound(line_starts.begin(), line_starts.end(), offset);
  std::size_t line = static_cast<std::size_t>(next - line_starts.begin());
  std::size_t begin = line_starts[line - 1];
  if (line == 1 && source.starts_with("\xEF\xBB\xBF")) begin = 3;
  // A line of megabytes is not counted from its begin for every place on it.
  std::uint32_t column = k_last_column;
  if (offset < begin) {
    column = 1;
  } else if (offset - begin < k_last_column) {
    std::string_view before = source.substr(begin, offset - begin);
    auto code_points = std::count_if(before.begin(), before.end(), [](char c) { return (c & '\xC0') != '\x80'; });
    column = static_cast<std::uint32_t>(code_points) + 1;
  }
  return {static_cast<std::uint32_t>(line), column_of(column), file};
}

std::string_view YamlNode::kind_name() const {
  switch (kind()) {
    case YamlKind::null: return "nothing";
    case YamlKind::scalar: return "text";
    case YamlKind::sequence: return "a list";
    case YamlKind::mapping: return "a mapping";
  }
  return "";
}

std::string_view YamlNode::text() const {
  const YamlTree::Node& n = node();
  if (n.kind == YamlKind::sequence || n.kind == YamlKind::mapping) return {};
  std::string_view whole = n.is_spelled ? std::string_view(tree_->spelled) : tree_->source;
  return whole.substr(n.text, n.size_or_end);
}

Where YamlNode::text_where() const { return text_where(1, 1); }

Where YamlNode::text_where(std::uint32_t line, std::uint32_t column) const {
  const YamlTree::Node& n = node();
  if (n.kind == YamlKind::scalar && !n.is_spelled) {
    // A text that stands in the source as it is has one line.
    Where begin = tree_->where(n.text);
    return {begin.line, column_of(begin.column + column - 1), begin.file};
  }
  if (n.kind == YamlKind::scalar && n.style == YamlStyle::quoted && line == 1) {
    const std::size_t begin = n.offset + 1;
    const auto bytes = bytes_in_quotes(tree_->source.substr(begin), tree_->source[n.offset], column - 1);
    return bytes ? tree_->where(begin + *bytes) : where();
  }
  if (n.kind != YamlKind::scalar || n.style != YamlStyle::literal) return where();
  // `|`: the lines below, less the indentation of the first one that is not blank.
  Where at = where();
  std::string_view source = tree_->source;
  std::size_t indent = 0;
  for (std::size_t i = at.line; i < tree_->line_starts.size(); ++i) {
    std::size_t begin = tree_->line_starts[i];
    std::size_t text = source.find_first_not_of(' ', begin);
    if (text == std::string_view::npos) break;
    if (source[text] == '\n' || source[text] == '\r') continue;
    indent = text - begin;
    break;
  }
  return {at.line + line, column_of(static_cast<std::uint32_t>(indent) + column), at.file};
}

YamlItems YamlNode::items() const {
  if (!is_sequence()) return {*tree_, index_, index_};
  return {*tree_, index_ + 1, node().size_or_end};
}

YamlEntries YamlNode::entries() const {
  if (!is_mapping()) return {*tree_, index_, index_};
  return {*tree_, index_ + 1, node().size_or_end};
}

std::optional<YamlNode> YamlNode::find(std::string_view key) const {
  for (YamlEntry entry : entries()) {
    if (entry.key.text() == key) return entry.value;
  }
  return std::nullopt;
}

}  // namespace mlpipe::spec
