#include "report/styled_text.hpp"

#include <algorithm>
#include <iterator>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"
#include "report/utf8.hpp"
#include "report/width_tables.hpp"

namespace mlpipe::report {
namespace {

constexpr std::size_t k_no_limit = static_cast<std::size_t>(-1);

template <std::size_t N>
bool contains(const CodePointRange (&ranges)[N], char32_t c) {
  const auto* after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                       [](char32_t code, const CodePointRange& range) { return code < range.first; });
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

std::size_t width_of(char32_t code) {
  constexpr char32_t k_emoji_selector =
      0xFE0F;  // makes the character before it an emoji, two columns on many terminals
  if (code < 0x300) return 1;
  if (code == k_emoji_selector) return 1;
  if (contains(k_zero_width, code)) return 0;
  return contains(k_double_width, code) ? 2 : 1;
}

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::plain: return "";
    case Style::dim: return "\x1b[2m";
    case Style::bold: return "\x1b[1m";
    case Style::good: return "\x1b[32m";
    case Style::bad: return "\x1b[31m";
    case Style::warning: return "\x1b[33m";
    case Style::busy: return "\x1b[36m";
  }
  return "";
}

std::string_view ellipsis(Glyphs glyphs) { return glyphs == Glyphs::unicode ? "…" : "~"; }

}  // namespace

Glyphs glyphs_of_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = to_lower(sys::environment(name).value_or(""));
    if (value.empty()) continue;
    const bool utf8 = value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    return utf8 ? Glyphs::unicode : Glyphs::ascii;
  }
  return Glyphs::ascii;
}

std::string_view fitting_prefix(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint next = decode(text.substr(at));
    used += width_of(next.code);
    if (used > columns) break;
    at += next.length;
  }
  return text.substr(0, at);
}

std::size_t display_width(std::string_view text) {
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint next = decode(text.substr(at));
    used += width_of(next.code);
    at += next.length;
  }
  return used;
}

std::string cut(std::string_view text, std::size_t columns, Glyphs glyphs) {
  if (fitting_prefix(text, columns).size() == text.size()) return std::string(text);
  if (columns == 0) return {};
  return std::string(fitting_prefix(text, columns - 1)) += ellipsis(glyphs);
}

Line& Line::add(Style style, std::string_view text) {
  if (text.empty()) return *this;
  spans_.push_back({style, std::string(text)});
  width_ += display_width(text);
  return *this;
}

Line& Line::pad_to(std::size_t column) { return width_ < column ? add(std::string(column - width_, ' ')) : *this; }

Line& Line::append(const Line& other) {
  spans_.insert(spans_.end(), other.spans_.begin(), other.spans_.end());
  width_ += other.width_;
  return *this;
}

std::string Line::text(Color color, std::size_t columns, Glyphs glyphs) const {
  const bool whole = width_ <= columns;
  std::size_t left = whole ? k_no_limit : columns;
  std::string out;
  for (const Span& span : spans_) {
    std::size_t width = display_width(span.text);
    // The ellipsis needs the last column, and a span that fills the line exactly may not be the last one.
    const bool fits = whole || width < left;
    const std::string shown = fits ? span.text : std::string(fitting_prefix(span.text, left == 0 ? 0 : left - 1));
    const std::string_view escape = color == Color::yes ? escape_of(span.style) : "";
    out += escape;
    out += shown;
    if (!fits && left > 0) out += ellipsis(glyphs);
    if (!escape.empty()) out += "\x1b[0m";
    if (!fits) break;
    if (!whole) left -= width;
  }
  return out;
}

void add_bar(Line& line, std::size_t columns, std::size_t done, std::size_t failed, std::size_t total, Glyphs glyphs) {
  if (columns == 0) return;
  const std::string_view full = glyphs == Glyphs::unicode ? "━" : "=";
  const std::string_view empty = glyphs == Glyphs::unicode ? "─" : "-";
  // What has failed shows, however little it is; and the bar is full only when all is done.
  std::size_t red = total == 0 ? 0 : failed * columns / total;
  if (failed > 0) red = std::max<std::size_t>(red, 1);
  const std::size_t filled = std::max(red, total == 0 ? 0 : std::min(done, total) * columns / total);
  auto repeat = [](std::string_view glyph, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += glyph;
    return out;
  };
  line.add(Style::good, repeat(full, filled - red));
  line.add(Style::bad, repeat(full, red));
  line.add(Style::dim, repeat(empty, columns - filled));
}

const Symbols& symbols(Glyphs glyphs) {
  static const Symbols k_unicode{
      "✓", "✗", "↷", "■", "↻", "·", " · ", "…", {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}};
  static const Symbols k_ascii{"+", "x", ">", "#", "^", ".", ", ", "...", {"|", "/", "-", "\\"}};
  return glyphs == Glyphs::unicode ? k_unicode : k_ascii;
}

}  // namespace mlpipe::report
