#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/report/reporters.hpp"

// Text for a terminal: how wide it is, cutting and padding it, colours, bars.
namespace mlpipe::report {

// Columns that `text` takes on a terminal: wide characters two, combining ones none. Rather too many than too few.
std::size_t display_width(std::string_view text);
// The longest beginning of `text` that fits into `columns`.
std::string_view fitting_prefix(std::string_view text, std::size_t columns);
// `text` cut to `columns`, the last one an ellipsis when something was cut.
std::string cut(std::string_view text, std::size_t columns, Glyphs glyphs);

enum class Style { plain, dim, bold, good, bad, warning, busy };

struct Span {
  Style style = Style::plain;
  std::string text;
};

// One line made of spans. What goes in is printable already.
class Line final {
 public:
  Line& add(Style style, std::string_view text);
  Line& add(std::string_view text) { return add(Style::plain, text); }
  // Spaces up to `column`.
  Line& pad_to(std::size_t column);
  Line& append(const Line& other);

  std::size_t width() const { return width_; }
  // With escapes when `color` says so, cut to `columns`.
  std::string text(Color color, std::size_t columns, Glyphs glyphs) const;

 private:
  std::vector<Span> spans_;
  std::size_t width_ = 0;
};

// A progress bar of `columns`: the failed part in red, the done part in green, the rest dim.
void add_bar(Line& line, std::size_t columns, std::size_t done, std::size_t failed, std::size_t total, Glyphs glyphs);

struct Symbols {
  std::string_view good, bad, skipped, cancelled, retry, waiting, separator, more;
  std::vector<std::string_view> spinner;
};
const Symbols& symbols(Glyphs glyphs);

}  // namespace mlpipe::report
