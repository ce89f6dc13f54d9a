#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "spec/mistakes.hpp"

namespace mlpipe::spec {

enum class YamlKind : std::uint8_t { null, scalar, sequence, mapping };
enum class YamlStyle : std::uint8_t { plain, quoted, literal, folded };

// A YAML document as one array of 16-byte nodes in document order. A node's children follow it; `end` is the index after
// the last of them, so the next sibling is at `end`. Mappings alternate keys and values, keys are scalars or nulls.
// Texts are views into the source where they stand there as they are, else into `spelled`. Borrows the source text.
struct YamlTree {
  struct Node {
    std::uint32_t offset;       // of the node in the source
    std::uint32_t text;         // where the text begins, in the source or in `spelled`
    std::uint32_t size_or_end;  // bytes of the text, or the index after the last child
    YamlKind kind;
    YamlStyle style;
    bool is_spelled;  // the text is in `spelled`: escapes, folding or indentation were undone
    bool is_alias;    // a copy of an anchored node
  };

  std::string_view source;
  std::uint16_t file = 0;
  std::vector<Node> nodes;
  std::string spelled;
  std::vector<std::uint32_t> line_starts;
  std::set<std::uint32_t>
      shortened;  // mappings with entries that could not be used: what is missing may have been there

  std::uint32_t end_of(std::uint32_t index) const {
    const Node& node = nodes[index];
    return node.kind == YamlKind::sequence || node.kind == YamlKind::mapping ? node.size_or_end : index + 1;
  }
  // The place of a byte of the source.
  Where where(std::size_t offset) const;
};

class YamlItems;
class YamlEntries;

// A node of a tree, which must outlive it; copied freely.
class YamlNode {
 public:
  YamlNode(const YamlTree& tree, std::uint32_t index) : tree_(&tree), index_(index) {}

  YamlKind kind() const { return node().kind; }
  bool is_null() const { return kind() == YamlKind::null; }
  bool is_scalar() const { return kind() == YamlKind::scalar; }
  bool is_sequence() const { return kind() == YamlKind::sequence; }
  bool is_mapping() const { return kind() == YamlKind::mapping; }
  // "a list", "a mapping", "text", "nothing": for messages.
  std::string_view kind_name() const;

  YamlStyle style() const { return node().style; }
  bool is_plain() const { return is_scalar() && style() == YamlStyle::plain; }
  // A scalar's text, a null's spelling, nothing for collections.
  std::string_view text() const;

  Where where() const { return tree_->where(node().offset); }
  // Where the text itself begins: behind a quote, on the line below a `|`.
  Where text_where() const;
  // The place of line `line` and column `column`, both from 1, of the text; of one that is folded or goes over several lines
  // in quotes, that of the text.
  Where text_where(std::uint32_t line, std::uint32_t column) const;

  // Items of a sequence; empty for anything else.
  YamlItems items() const;
  // Keys and values of a mapping; empty for anything else.
  YamlEntries entries() const;
  std::optional<YamlNode> find(std::string_view key) const;
  bool has_children() const { return (is_sequence() || is_mapping()) && node().size_or_end > index_ + 1; }

  // Whether entries of this mapping were left out, which is told: what is missing in it may have been there.
  bool is_shortened() const { return tree_->shortened.contains(index_); }
  // Whether that is so of this node or of any in it: nothing more is to be told of its value.
  bool has_lost() const {
    auto first = tree_->shortened.lower_bound(index_);
    return first != tree_->shortened.end() && *first < tree_->end_of(index_);
  }

  const YamlTree& tree() const { return *tree_; }
  std::uint32_t index() const { return index_; }

 private:
  const YamlTree::Node& node() const { return tree_->nodes[index_]; }
  const YamlTree* tree_;
  std::uint32_t index_;
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

class YamlItems {
 public:
  struct Iterator {
    const YamlTree* tree;
    std::uint32_t index;
    YamlNode operator*() const { return {*tree, index}; }
    Iterator& operator++() { return index = tree->end_of(index), *this; }
    bool operator==(const Iterator& other) const { return index == other.index; }
  };
  YamlItems(const YamlTree& tree, std::uint32_t begin, std::uint32_t end) : begin_{&tree, begin}, end_{&tree, end} {}
  Iterator begin() const { return begin_; }
  Iterator end() const { return end_; }

 private:
  Iterator begin_, end_;
};

class YamlEntries {
 public:
  struct Iterator {
    const YamlTree* tree;
    std::uint32_t index;
    YamlEntry operator*() const { return {{*tree, index}, {*tree, index + 1}}; }
    Iterator& operator++() { return index = tree->end_of(index + 1), *this; }  // a key is one node
    bool operator==(const Iterator& other) const { return index == other.index; }
  };
  YamlEntries(const YamlTree& tree, std::uint32_t begin, std::uint32_t end) : begin_{&tree, begin}, end_{&tree, end} {}
  Iterator begin() const { return begin_; }
  Iterator end() const { return end_; }

 private:
  Iterator begin_, end_;
};

// Reads the one document in `source` and says what is wrong with it. Refuses what a spec has no use for or what costs
// without bound: several documents, tags, duplicate keys, keys that are not text, nesting deeper than 100, aliases that grow
// beyond a million nodes, bytes that are not UTF-8, NUL. A tree is given also with a mistake that leaves the rest of the
// file readable; then entries whose key is no text are left out. The members that a merge key (`<<`) names stand behind the
// mapping's own. Takes about a microsecond and 16 bytes a node.
std::optional<YamlTree> load_yaml(std::string_view source, std::uint16_t file, Mistakes& mistakes);

}  // namespace mlpipe::spec
