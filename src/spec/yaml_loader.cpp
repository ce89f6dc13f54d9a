#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <set>
#include <streambuf>
#include <unordered_map>

#include "mlpipe/base/text.hpp"
#include "spec/yaml_explain.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::size_t k_most_bytes = 64U << 20U;
constexpr std::size_t k_most_nodes = 24'000'000;
constexpr std::size_t k_most_alias_nodes = 1'000'000;
constexpr std::size_t k_most_depth = 100;
constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

// The text as a stream, not copied.
class TextBuffer final : public std::streambuf {
 public:
  explicit TextBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // setg takes char*; nothing writes through a get area
    setg(begin, begin, begin + text.size());
  }
};

// Leaves the parser: it has no other way to be stopped. Caught in load_yaml, where yaml-cpp's own exceptions are.
struct Stop {
  std::size_t offset;
  std::string message;
  std::string hint;
};

// Leaves the parser with one document read; what is wrong is told already.
struct SecondDocument {};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlTree& tree, std::size_t skipped, Mistakes& mistakes)
      : tree_(tree), skipped_(skipped), mistakes_(mistakes) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    mistakes_.error(tree_.where(offset_of(mark)), "a second document begins here",
                    "one file holds one document; put the other one into a file of its own");
    throw SecondDocument{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin_node(mark, "", anchor);
    std::size_t offset = content_offset(offset_of(mark));
    std::uint32_t length = 0;
    for (std::string_view word : {"null", "Null", "NULL", "~"}) {
      if (tree_.source.substr(offset).starts_with(word)) length = static_cast<std::uint32_t>(word.size());
    }
    add(length > 0 ? offset : absent_offset(offset), YamlKind::null, YamlStyle::plain);
    tree_.nodes.back().text = static_cast<std::uint32_t>(offset);
    tree_.nodes.back().size_or_end = length;
    end_anchor(anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    std::uint32_t begin = found == anchors_.end() ? 0 : found->second.begin;
    std::uint32_t end = found == anchors_.end() ? 0 : found->second.end;
    if (end == 0) throw Stop{offset_of(mark), "this alias stands inside what it is an alias of", ""};
    std::size_t count = end - begin;
    alias_nodes_ += count;
    if (alias_nodes_ > k_most_alias_nodes) {
      throw Stop{offset_of(mark), fmt::format("aliases grow this file beyond {} values", k_most_alias_nodes),
                 "write out what is needed, or use fewer aliases of aliases"};
    }
    std::size_t depth = open_.size() + found->second.height;
    if (depth > k_most_depth) throw too_deep(offset_of(mark));
    for (Open& open : open_)
      open.height = std::max(open.height, found->second.height + (open_.size() - open.depth) + 1);
    auto base = static_cast<std::uint32_t>(tree_.nodes.size());
    for (std::uint32_t i = begin; i < end; ++i) {
      YamlTree::Node copy = tree_.nodes[i];
      copy.is_alias = true;
      if (copy.kind == YamlKind::sequence || copy.kind == YamlKind::mapping) copy.size_or_end += base - begin;
      tree_.nodes.push_back(copy);
    }
    check_node_count(offset_of(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin_node(mark, tag, anchor);
    // Behind a tag there may be nothing: what comes next is not it.
    std::size_t offset = value.empty() && tag.size() > 1 ? offset_of(mark) : content_offset(offset_of(mark));
    add(offset, YamlKind::scalar, tag == "?" ? YamlStyle::plain : style_at(offset));
    YamlTree::Node& node = tree_.nodes.back();
    node.size_or_end = static_cast<std::uint32_t>(value.size());
    std::size_t begin = offset + (node.style == YamlStyle::quoted ? 1 : 0);
    node.is_spelled = tree_.source.compare(std::min(begin, tree_.source.size()), value.size(), value) != 0 ||
                      value.find('\n') != std::string::npos;
    node.text = static_cast<std::uint32_t>(node.is_spelled ? tree_.spelled.size() : begin);
    if (node.is_spelled) tree_.spelled += value;
    last_scalar_ = offset;
    if (node.style == YamlStyle::quoted) last_quote_ = offset;
    end_anchor(anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin_collection(mark, tag, anchor, YamlKind::sequence);
  }
  void OnSequenceEnd() override { end_collection(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin_collection(mark, tag, anchor, YamlKind::mapping);
  }
  void OnMapEnd() override { end_collection(); }

  // yaml-cpp takes the end of the file for the end of a quoted text.
  void check_last_quote() const {
    if (last_quote_ >= tree_.source.size()) return;
    char quote = tree_.source[last_quote_];
    for (std::size_t at = last_quote_ + 1; at < tree_.source.size(); ++at) {
      char c = tree_.source[at];
      if (quote == '"' && c == '\\') {
        ++at;
      } else if (c == quote && quote == '\'' && tree_.source.substr(at + 1).starts_with('\'')) {
        ++at;
      } else if (c == quote) {
        return;
      }
    }
    throw Stop{last_quote_, "the text that begins with this quote has no end", "a quote is missing"};
  }

  // Where the innermost collection that is not closed yet begins.
  std::optional<std::size_t> open_offset() const {
    if (open_.empty()) return std::nullopt;
    return tree_.nodes[open_.back().index].offset;
  }

  // Where the last scalar begins, if it is in quotes.
  std::optional<std::size_t> quote_before() const {
    if (last_scalar_ != last_quote_ || last_quote_ >= tree_.source.size()) return std::nullopt;
    return last_quote_;
  }

  std::size_t offset_of(const YAML::Mark& mark) const {
    return std::min(static_cast<std::size_t>(std::max(mark.pos, 0)) + skipped_, tree_.source.size());
  }

 private:
  struct Open {
    std::uint32_t index;
    YAML::anchor_t anchor;
    std::size_t depth;
    std::size_t height;  // of the collection so far: 1 with scalars only
  };
  struct Anchored {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;  // 0: not closed yet
    std::size_t height = 0;
  };

  static Stop too_deep(std::size_t offset) {
    return {offset, fmt::format("nested deeper than {} levels", k_most_depth), ""};
  }

  void begin_node(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      mistakes_.error(tree_.where(offset_of(mark)), fmt::format("tags such as {} are not supported", quoted_tag(tag)),
                      "leave the tag out; put quotes around what shall be text");
    }
    if (anchor != YAML::NullAnchor) {
      anchors_[anchor] = Anchored{static_cast<std::uint32_t>(tree_.nodes.size()), 0, 0};
    }
    check_node_count(offset_of(mark));
  }

  static std::string quoted_tag(std::string tag) {
    constexpr std::string_view k_core = "tag:yaml.org,2002:";
    if (tag.starts_with(k_core)) tag.replace(0, k_core.size(), "!!");
    return ticked(tag);
  }

  void check_node_count(std::size_t offset) const {
    if (tree_.nodes.size() < k_most_nodes) return;
    throw Stop{offset, fmt::format("the file holds more than {} values", k_most_nodes), ""};
  }

  void begin_collection(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlKind kind) {
    if (open_.size() >= k_most_depth) throw too_deep(offset_of(mark));
    begin_node(mark, tag, anchor);
    open_.push_back({static_cast<std::uint32_t>(tree_.nodes.size()), anchor, open_.size() + 1, 1});
    add(content_offset(offset_of(mark)), kind, YamlStyle::plain);
  }

  void end_collection() {
    Open closed = open_.back();
    open_.pop_back();
    tree_.nodes[closed.index].size_or_end = static_cast<std::uint32_t>(tree_.nodes.size());
    if (!open_.empty()) open_.back().height = std::max(open_.back().height, closed.height + 1);
    end_anchor(closed.anchor, closed.height);
  }

  void end_anchor(YAML::anchor_t anchor, std::size_t height = 0) {
    if (anchor == YAML::NullAnchor) return;
    anchors_[anchor].end = static_cast<std::uint32_t>(tree_.nodes.size());
    anchors_[anchor].height = height;
  }

  void add(std::size_t offset, YamlKind kind, YamlStyle style) {
    tree_.nodes.push_back({static_cast<std::uint32_t>(offset), 0, 0, kind, style, false, false});
  }

  // The parser marks a value that is not there where the next thing begins; on another line, its key says more.
  std::size_t absent_offset(std::size_t offset) const {
    if (open_.empty() || tree_.nodes[open_.back().index].kind != YamlKind::mapping) return offset;
    std::size_t key = tree_.nodes.back().offset;
    if (key >= offset || tree_.source.substr(key, offset - key).find('\n') == std::string_view::npos) return offset;
    return key;
  }

  YamlStyle style_at(std::size_t offset) const {
    switch (offset < tree_.source.size() ? tree_.source[offset] : '"') {
      case '|': return YamlStyle::literal;
      case '>': return YamlStyle::folded;
      case '"':
      case '\'': return YamlStyle::quoted;
      default: return YamlStyle::plain;  // with a tag
    }
  }

  // The parser's mark of a node with an anchor or a tag is that of the first of them; no content begins like them.
  std::size_t content_offset(std::size_t offset) const {
    while (offset < tree_.source.size() && (tree_.source[offset] == '&' || tree_.source[offset] == '!')) {
      std::size_t space = tree_.source.find_first_of(" \t\r\n,]}", offset);
      std::size_t content = tree_.source.find_first_not_of(" \t\r\n", space);
      if (content == std::string_view::npos) break;
      offset = content;
    }
    return offset;
  }

  YamlTree& tree_;
  std::size_t skipped_;
  Mistakes& mistakes_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  std::size_t alias_nodes_ = 0;
  std::size_t last_quote_ = std::string_view::npos;
  std::size_t last_scalar_ = std::string_view::npos;
  int documents_ = 0;
};

bool check_bytes(const YamlTree& tree, Mistakes& mistakes) {
  std::string_view source = tree.source;
  if (source.size() > k_most_bytes) {
    mistakes.error({0, 0, tree.file}, fmt::format("the file has {}; at most {} are read", bytes_text(source.size()),
                                                  bytes_text(k_most_bytes)));
    return false;
  }
  if (source.starts_with("\xFF\xFE") || source.starts_with("\xFE\xFF")) {
    mistakes.error({1, 1, tree.file}, "the file is UTF-16, not UTF-8", "save it as UTF-8");
    return false;
  }
  if (std::size_t nul = source.find('\0'); nul != std::string_view::npos) {
    mistakes.error(tree.where(nul), "a NUL byte: this is not a text file");
    return false;
  }
  if (is_valid_utf8(source)) return true;
  std::size_t valid = 0;  // bytes known to be valid; halve what is in question
  for (std::size_t step = source.size(); step > 0;) {
    std::string_view next = source.substr(valid, step);
    while (!next.empty() && valid + next.size() < source.size() && (source[valid + next.size()] & '\xC0') == '\x80') {
      next.remove_suffix(1);
    }
    if (!next.empty() && is_valid_utf8(next)) {
      valid += next.size();
    } else {
      step /= 2;
    }
  }
  mistakes.error(tree.where(valid),
                 fmt::format("byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(source[valid])),
                 "save the file as UTF-8");
  return false;
}

void find_lines(YamlTree& tree) {
  tree.line_starts.reserve(static_cast<std::size_t>(std::count(tree.source.begin(), tree.source.end(), '\n')) + 1);
  tree.line_starts.push_back(0);
  for (std::size_t at = tree.source.find('\n'); at != std::string_view::npos; at = tree.source.find('\n', at + 1)) {
    tree.line_starts.push_back(static_cast<std::uint32_t>(at + 1));
  }
}

bool is_merge(YamlNode key) { return key.is_plain() && key.text() == "<<"; }
bool is_collection(YamlNode node) { return node.is_sequence() || node.is_mapping(); }

// Tells of what is wrong with the keys of mappings.
class KeyCheck final {
 public:
  KeyCheck(const YamlTree& tree, Mistakes& mistakes) : tree_(tree), mistakes_(mistakes) {}

  // Whether the entries of all mappings can be used as they are: not where a key is none, or merges another mapping.
  bool check_all() {
    bool usable = true;
    for (std::uint32_t i = 0; i < tree_.nodes.size(); ++i) {
      if (tree_.nodes[i].kind == YamlKind::mapping && !tree_.nodes[i].is_alias) usable = check(i) && usable;
    }
    return usable;
  }

 private:
  bool check(std::uint32_t mapping) {
    bool usable = true;
    few_.clear();
    if (!many_.empty()) many_ = {};  // clear() would keep, and wipe each time, the buckets of the largest mapping
    for (std::uint32_t key = mapping + 1; key < tree_.nodes[mapping].size_or_end;) {
      YamlNode node(tree_, key);
      YamlNode value(tree_, tree_.end_of(key));
      key = tree_.end_of(value.index());
      if (is_collection(node)) {
        tell_of_collection(YamlNode(tree_, mapping), node);
      } else if (node.is_null()) {
        mistakes_.error(node.where(), "a key is missing or null", "put quotes around the key: \"null\":");
      } else if (const YamlNode* first = insert(node)) {
        mistakes_.error(node.where(), fmt::format("{} is here twice", ticked(node.text())),
                        fmt::format("the first one is on line {}", first->where().line));
      }
      if (is_merge(node)) check_merged(value);
      usable = usable && node.is_scalar() && !is_merge(node);
    }
    return usable;
  }

  void tell_of_collection(YamlNode mapping, YamlNode key) {
    std::string_view text = tree_.source.substr(tree_.nodes[mapping.index()].offset);
    if (text.starts_with("{{")) {
      mistakes_.error(mapping.where(), "`{{` begins no expression here, but a mapping", "write ${{ ... }}");
      return;
    }
    mistakes_.error(key.where(), "a list or mapping cannot be a key",
                    "put quotes around ${{ }} and around a text that begins with [ or {");
  }

  void check_merged(YamlNode value) {
    bool good = value.is_mapping() || value.has_children();
    for (YamlNode item : value.items()) good = good && item.is_mapping();
    if (good) return;
    mistakes_.error(value.where(), "`<<` wants a mapping, or a list of mappings, whose members it takes over",
                    "write `<<: *name`, with `&name` before the mapping above");
  }

  const YamlNode* insert(const YamlNode& key) {
    if (few_.size() < 16) {
      for (const YamlNode& other : few_) {
        if (other.text() == key.text()) return &other;
      }
      few_.push_back(key);
      return nullptr;
    }
    if (many_.empty()) {
      for (const YamlNode& other : few_) many_.emplace(other.text(), other);
    }
    auto [found, is_new] = many_.emplace(key.text(), key);
    return is_new ? nullptr : &found->second;
  }

  const YamlTree& tree_;
  Mistakes& mistakes_;
  std::vector<YamlNode> few_;
  std::unordered_map<std::string_view, YamlNode> many_;
};

// A tree again without the entries whose keys are none, and with the members that `<<` takes over behind a mapping's own.
// No larger than the tree it is made of: of members with one key, the first is taken.
class Regrown final {
 public:
  explicit Regrown(const YamlTree& tree) : tree_(tree) { nodes_.reserve(tree.nodes.size()); }

  // `tree` is the one this was made for.
  void replace(YamlTree& tree) && {
    add(YamlNode(tree_, 0));
    tree.nodes = std::move(nodes_);
    tree.shortened = std::move(shortened_);
  }

 private:
  using Keys = std::set<std::string_view>;

  void add(YamlNode node) {
    std::size_t index = nodes_.size();
    nodes_.push_back(tree_.nodes[node.index()]);
    if (!is_collection(node)) return;
    for (YamlNode item : node.items()) add(item);
    if (node.is_mapping()) {
      Keys keys;
      if (add_members(node, keys) == Members::lost) shortened_.insert(static_cast<std::uint32_t>(index));
    }
    nodes_[index].size_or_end = static_cast<std::uint32_t>(nodes_.size());
  }

  enum class Members { whole, lost };

  // Of `mapping` and of what it merges, those whose keys are not among `keys` yet.
  Members add_members(YamlNode mapping, Keys& keys) {
    Members members = Members::whole;
    std::vector<std::string_view> own;  // a key that is there twice stays so, where it is a mistake
    for_each(mapping, [&](YamlNode key, YamlNode value) {
      if (!key.is_scalar()) members = Members::lost;
      if (!key.is_scalar() || is_merge(key) || keys.contains(key.text())) return;
      own.push_back(key.text());
      nodes_.push_back(tree_.nodes[key.index()]);
      add(value);
    });
    keys.insert(own.begin(), own.end());
    for_each(mapping, [&](YamlNode key, YamlNode value) {
      if (is_merge(key) && add_merged(value, keys) == Members::lost) members = Members::lost;
    });
    return members;
  }

  Members add_merged(YamlNode value, Keys& keys) {
    if (value.is_mapping()) return add_members(value, keys);
    Members members = value.has_children() ? Members::whole : Members::lost;
    for (YamlNode item : value.items()) {
      if (!item.is_mapping() || add_members(item, keys) == Members::lost) members = Members::lost;
    }
    return members;
  }

  // YamlEntries counts on keys of one node.
  template <class Visit>
  void for_each(YamlNode mapping, const Visit& visit) {
    std::uint32_t end = tree_.end_of(mapping.index());
    for (std::uint32_t key = mapping.index() + 1; key < end;) {
      std::uint32_t value = tree_.end_of(key);
      visit(YamlNode(tree_, key), YamlNode(tree_, value));
      key = tree_.end_of(value);
    }
  }

  const YamlTree& tree_;
  std::vector<YamlTree::Node> nodes_;
  std::set<std::uint32_t> shortened_;
};

}  // namespace

std::optional<YamlTree> load_yaml(std::string_view source, std::uint16_t file, Mistakes& mistakes) {
  YamlTree tree;
  tree.source = source;
  tree.file = file;
  find_lines(tree);
  if (!check_bytes(tree, mistakes)) return std::nullopt;

  std::size_t skipped = source.starts_with(k_byte_order_mark) ? k_byte_order_mark.size() : 0;
  // Room for one node in four bytes: pages that stay unused are never touched, and nothing is copied while it grows.
  tree.nodes.reserve(std::min(source.size() / 4 + 16, k_most_nodes));
  TreeBuilder builder(tree, skipped, mistakes);
  try {
    TextBuffer buffer(source.substr(skipped));
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    builder.check_last_quote();
  } catch (const SecondDocument&) {  // the first one is read all the same
  } catch (Stop& stop) {
    mistakes.error(tree.where(stop.offset), std::move(stop.message), std::move(stop.hint));
    return std::nullopt;
  } catch (const YAML::ParserException& problem) {
    explain({.message = problem.msg,
             .offset = builder.offset_of(problem.mark),
             .open = builder.open_offset(),
             .quote = builder.quote_before()},
            tree, mistakes);
    return std::nullopt;
  } catch (const YAML::Exception& problem) {
    mistakes.error(tree.where(builder.offset_of(problem.mark)), "YAML: " + problem.msg);
    return std::nullopt;
  }
  if (tree.nodes.empty()) {
    mistakes.error({1, 1, file}, "the file is empty");
    return std::nullopt;
  }
  if (!KeyCheck(tree, mistakes).check_all()) Regrown(tree).replace(tree);
  return tree;
}

}  // namespace mlpipe::spec
