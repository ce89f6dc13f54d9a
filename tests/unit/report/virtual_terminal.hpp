#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "report/styled_text.hpp"

namespace mlpipe::report::test {

// The part of a terminal that the live view uses: text, newline, carriage return, cursor up, erase line, erase below, colours, cursor
// visibility, synchronised updates. Anything else fails the test. Lines break at the right margin, and when the terminal
// becomes narrower, as they do in today's terminals. Rows that scrolled off stay readable.
class VirtualTerminal final {
 public:
  VirtualTerminal(int columns, int rows)
      : columns_(static_cast<std::size_t>(columns)), height_(static_cast<std::size_t>(rows)) {}

  void feed(std::string_view text) {
    while (!text.empty()) text.remove_prefix(take(text));
  }

  void resize(int columns, int rows) {
    std::vector<Row> logical;
    std::size_t cursor_line = 0;
    std::size_t cursor_offset = 0;
    bool joined = false;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!joined) logical.emplace_back();
      if (i == row_) {
        cursor_line = logical.size() - 1;
        cursor_offset = logical.back().cells.size() + column_;
      }
      logical.back().cells.insert(logical.back().cells.end(), rows_[i].cells.begin(), rows_[i].cells.end());
      joined = rows_[i].continues;
    }
    columns_ = static_cast<std::size_t>(columns);
    height_ = static_cast<std::size_t>(rows);
    rows_.clear();
    for (std::size_t i = 0; i < logical.size(); ++i) {
      const std::vector<std::string>& cells = logical[i].cells;
      const std::size_t first = rows_.size();
      std::size_t at = 0;
      do {
        const std::size_t end = std::min(cells.size(), at + columns_);
        rows_.push_back({.cells = {cells.begin() + static_cast<long>(at), cells.begin() + static_cast<long>(end)},
                         .continues = end < cells.size()});
        at = end;
      } while (at < cells.size());
      if (i != cursor_line) continue;
      const std::size_t last = rows_.size() - 1;
      row_ = std::min(last, first + (cursor_offset == 0 ? 0 : (cursor_offset - 1) / columns_));
      column_ = cursor_offset - (row_ - first) * columns_;
    }
    top_ = rows_.size() - std::min(rows_.size(), height_);
  }

  // Every row ever, scrolled off or not, without trailing blanks; trailing empty rows left out.
  std::vector<std::string> all() const {
    std::vector<std::string> lines;
    for (const Row& row : rows_) {
      std::string line;
      for (const std::string& cell : row.cells) line += cell;
      while (!line.empty() && line.back() == ' ') line.pop_back();
      lines.push_back(line);
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }
  std::string text() const {
    std::string text;
    for (const std::string& line : all()) text += line + "\n";
    return text;
  }
  bool cursor_visible() const { return cursor_visible_; }
  bool in_update() const { return in_update_; }
  // Has any line been broken at the right margin?
  bool wrapped() const {
    return std::any_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.continues; });
  }
  bool styled() const { return styled_; }
  // Was the whole screen erased at once? Terminals keep what was on it in their history then.
  bool cleared() const { return cleared_; }

 private:
  struct Row {
    std::vector<std::string> cells;  // a wide character is its text and an empty cell
    bool continues = false;
  };

  std::size_t take(std::string_view text) {
    if (text[0] == '\x1b') return take_escape(text);
    if (text[0] == '\n') {
      next_row();
      column_ = 0;
      return 1;
    }
    if (text[0] == '\r') {
      column_ = 0;
      return 1;
    }
    EXPECT_GE(static_cast<unsigned char>(text[0]), 0x20) << "a control character";
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
    put(text.substr(0, length));
    return length;
  }

  std::size_t take_escape(std::string_view text) {
    const std::size_t end = text.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 2);
    if (text.size() < 3 || text[1] != '[' || end == std::string_view::npos) {
      ADD_FAILURE() << "an escape the terminal does not know";
      return text.size();
    }
    const std::string_view parameters = text.substr(2, end - 2);
    const char final = text[end];
    if (final == 'A') {
      std::size_t count = 1;
      std::from_chars(parameters.data(), parameters.data() + parameters.size(), count);
      row_ = row_ > top_ + count ? row_ - count : top_;
    } else if (final == 'K' && parameters == "2") {
      rows_[row_] = Row{};
    } else if (final == 'J' && parameters.empty()) {
      cleared_ = cleared_ || (column_ == 0 && row_ == top_);
      rows_.resize(row_ + 1);
      rows_[row_].cells.resize(std::min(rows_[row_].cells.size(), column_));
      rows_[row_].continues = false;
    } else if (final == 'm') {
      styled_ = true;
    } else if (parameters == "?25" && (final == 'l' || final == 'h')) {
      cursor_visible_ = final == 'h';
    } else if (parameters == "?2026" && (final == 'l' || final == 'h')) {
      in_update_ = final == 'h';
    } else {
      ADD_FAILURE() << "an escape the terminal does not know: ESC [" << parameters << final;
    }
    return end + 1;
  }

  void put(std::string_view character) {
    const std::size_t width = display_width(character);
    if (width == 0) {
      if (!rows_[row_].cells.empty()) rows_[row_].cells.back() += character;
      return;
    }
    if (column_ + width > columns_) {
      rows_[row_].continues = true;
      next_row();
      column_ = 0;
    }
    std::vector<std::string>& cells = rows_[row_].cells;
    if (cells.size() < column_ + width) cells.resize(column_ + width, " ");
    cells[column_] = character;
    if (width == 2) cells[column_ + 1].clear();
    column_ += width;
  }

  void next_row() {
    ++row_;
    if (row_ == rows_.size()) rows_.emplace_back();
    top_ = std::max(top_, row_ + 1 - std::min(row_ + 1, height_));
  }

  std::size_t columns_;
  std::size_t height_;
  std::vector<Row> rows_{Row{}};
  std::size_t top_ = 0;  // the first row that has not scrolled off
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  bool cursor_visible_ = true;
  bool in_update_ = false;
  bool styled_ = false;
  bool cleared_ = false;
};

}  // namespace mlpipe::report::test
