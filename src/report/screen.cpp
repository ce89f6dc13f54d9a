#include "report/screen.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mlpipe::report {
namespace {

constexpr std::string_view k_hide_cursor = "\x1b[?25l";
constexpr std::string_view k_show_cursor = "\x1b[?25h";
constexpr std::string_view k_begin_update = "\x1b[?2026h";  // ignored by terminals that do not know it
constexpr std::string_view k_end_update = "\x1b[?2026l";
constexpr std::string_view k_erase_line = "\x1b[2K";
constexpr std::string_view k_up = "\x1b[A";
constexpr auto k_whole = static_cast<std::size_t>(-1);

}  // namespace

bool Screen::ready() {
  output_.flush();
  return !output_.has_queued();
}

// A terminal that became narrower has broken the lines that were drawn for the old width. Line by line: tmux and others
// keep a copy of a screen that is erased from its first row on, so that each redraw would end up in the history.
std::string Screen::erase(int columns) const {
  if (widths_.empty()) return {};
  const auto width = static_cast<std::size_t>(std::max(columns, 1));
  std::size_t rows = 0;
  for (std::size_t line : widths_) rows += std::max<std::size_t>(1, (line + width - 1) / width);
  std::string text = fmt::format("\r{}", k_erase_line);
  for (std::size_t row = 1; row < rows; ++row) text.append(k_up).append(k_erase_line);
  return text;
}

void Screen::draw(const std::vector<Line>& scrolled, const std::vector<Line>& live, int columns) {
  // The last column stays free: what is written there leaves the cursor in a state that terminals disagree about.
  const auto room = static_cast<std::size_t>(std::max(columns - 1, 1));
  std::string frame(k_begin_update);
  if (!cursor_hidden_) frame += k_hide_cursor;
  frame += erase(columns);
  for (const Line& line : scrolled) frame += line.text(color_, room, glyphs_) + "\n";
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (i > 0) frame += "\n";
    frame += live[i].text(color_, room, glyphs_);
    widths.push_back(std::min(live[i].width(), room));
  }
  frame += k_end_update;
  if (!output_.write(frame)) return;
  cursor_hidden_ = true;
  widths_ = std::move(widths);
  columns_ = columns;
}

void Screen::leave(const std::vector<Line>& last, int columns) {
  if (!cursor_hidden_ && last.empty()) return;
  std::string text = erase(columns);
  for (const Line& line : last) text += line.text(color_, k_whole, glyphs_) + "\n";
  if (cursor_hidden_) text += k_show_cursor;
  output_.write(text);
  cursor_hidden_ = false;
  widths_.clear();
}

}  // namespace mlpipe::report
