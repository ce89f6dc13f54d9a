#include "mlpipe/spec/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <tuple>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::size_t k_window = 110;       // code points of a source line that are shown
constexpr std::size_t k_before_caret = 70;  // how many of them before the mistake when the line is longer

struct Range {
  char32_t first, last;
};

bool in_any(char32_t code, std::span<const Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return code >= r.first && code <= r.last; });
}

// Characters that would move the cursor, hide text or turn its direction.
bool is_unsafe(char32_t code) {
  constexpr Range k_unsafe[] = {{0, 0x1F},        {0x7F, 0x9F},     {0x200B, 0x200F}, {0x2028, 0x202E},
                                {0x2060, 0x2069}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
  return in_any(code, k_unsafe);
}

// Characters that take two columns on a terminal.
bool is_wide(char32_t code) {
  constexpr Range k_wide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
                              {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
  return in_any(code, k_wide);
}

struct Glyph {
  std::string_view text;
  std::size_t columns = 1;
};

// The source line as glyphs, one for each code point (a byte that is no UTF-8 counts as one).
std::vector<Glyph> glyphs_of(std::string_view line) {
  std::vector<Glyph> glyphs;
  for (std::size_t at = 0; at < line.size();) {
    auto first = static_cast<unsigned char>(line[at]);
    std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::string_view bytes = line.substr(at, length);
    if (bytes.size() < length || !is_valid_utf8(bytes)) {
      glyphs.push_back({"\uFFFD"});
      at += 1;
      continue;
    }
    char32_t code = first;
    if (length > 1) {
      code = first & (0xFFU >> (length + 1));
      for (char c : bytes.substr(1)) code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
    }
    if (code == '\t') {
      glyphs.push_back({" "});
    } else if (is_unsafe(code)) {
      glyphs.push_back({"\uFFFD"});
    } else {
      glyphs.push_back({bytes, is_wide(code) ? std::size_t{2} : std::size_t{1}});
    }
    at += length;
  }
  return glyphs;
}

// For messages, names and hints, which quote what stands in files.
std::string safe(std::string_view text) {
  std::string out;
  std::string shown = printable(text);
  for (const Glyph& glyph : glyphs_of(shown)) out += glyph.text;
  return out;
}

// Finds lines of one file; diagnostics come sorted, so it only goes forward.
class Lines final {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  std::optional<std::string_view> line(std::uint32_t number) {
    while (number_ < number) {
      std::size_t end = text_.find('\n', begin_);
      if (end == std::string_view::npos) return std::nullopt;
      begin_ = end + 1;
      ++number_;
    }
    std::string_view line = text_.substr(begin_, text_.find('\n', begin_) - begin_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    return line;
  }

 private:
  std::string_view text_;
  std::size_t begin_ = 0;
  std::uint32_t number_ = 1;
};

void append_source_line(std::string& out, std::string_view line, std::size_t column) {
  // Bytes far from the mistake are not even looked at: a line may be megabytes long.
  std::vector<Glyph> glyphs = glyphs_of(line.substr(0, std::min(line.size(), (column + k_window) * 4)));
  std::size_t caret = std::min(column > 0 ? column - 1 : 0, glyphs.size());
  std::size_t begin = glyphs.size() > k_window && caret > k_before_caret ? caret - k_before_caret : 0;
  std::size_t end = std::min(glyphs.size(), begin + k_window);
  std::string shown = "  ";
  std::string below = "  ";
  if (begin > 0) {
    shown += "…";
    below += ' ';
  }
  for (std::size_t i = begin; i < end; ++i) {
    shown += glyphs[i].text;
    if (i < caret) below.append(glyphs[i].columns, ' ');
  }
  if (end < glyphs.size()) shown += "…";
  while (shown.ends_with(' ')) shown.pop_back();
  out += shown + "\n" + below + "^\n";
}

}  // namespace

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error; });
}

void sort_by_place(Diagnostics& diagnostics) {
  std::ranges::stable_sort(diagnostics, std::less(), [](const Diagnostic& diagnostic) {
    return std::tuple(diagnostic.where.file, diagnostic.where.line, diagnostic.where.column);
  });
}

std::string render(const Diagnostics& diagnostics, const std::vector<SourceFile>& sources) {
  Diagnostics sorted = diagnostics;
  sort_by_place(sorted);

  std::string out;
  std::optional<Lines> lines;
  const SourceFile* open = nullptr;
  for (const Diagnostic& diagnostic : sorted) {
    const Where& where = diagnostic.where;
    const SourceFile* source = where.file < sources.size() ? &sources[where.file] : nullptr;
    if (source != nullptr) out += safe(source->name) + ":";
    if (where.line > 0) out += fmt::format("{}:{}:", where.line, where.column);
    if (!out.empty() && out.back() == ':') out += ' ';
    out += diagnostic.severity == Severity::error ? "error: " : "warning: ";
    out += safe(diagnostic.message) + "\n";
    if (source != nullptr && where.line > 0) {
      if (source != open) lines.emplace(source->text);
      open = source;
      if (std::optional<std::string_view> line = lines->line(where.line)) append_source_line(out, *line, where.column);
    }
    if (!diagnostic.hint.empty()) out += "  hint: " + safe(diagnostic.hint) + "\n";
  }
  return out;
}

}  // namespace mlpipe::spec
