#include "app/text_table.hpp"

#include <algorithm>

#include "mlpipe/base/text.hpp"

namespace mlpipe::app {

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string TextTable::render(report::Color color, std::size_t indent, std::size_t width) const {
  std::vector<std::size_t> shown;
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    for (const std::vector<Cell>& row : rows_) widths[column] = std::max(widths[column], columns_of(row[column].text));
    if (widths[column] == 0) continue;
    widths[column] = std::max(widths[column], columns_of(columns_[column].title));
    shown.push_back(column);
  }

  const auto line = [&](auto&& cell_of) {
    std::string text(indent, ' ');
    std::size_t at = indent;
    for (const std::size_t column : shown) {
      Cell cell = cell_of(column);
      const bool last = column == shown.back();
      if (last && width > 0) cell.text = shorten(cell.text, width > at + 10 ? width - at : 10);
      const std::size_t padding = widths[column] - std::min(widths[column], columns_of(cell.text));
      if (columns_[column].align == Align::right) text.append(padding, ' ');
      text += styled(cell.text, cell.style, color);
      if (last) continue;
      if (columns_[column].align == Align::left) text.append(padding, ' ');
      text += "  ";
      at += widths[column] + 2;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };

  std::string text;
  if (std::any_of(columns_.begin(), columns_.end(), [](const Column& column) { return !column.title.empty(); })) {
    text += line([&](std::size_t column) { return Cell(columns_[column].title, Style::faint); });
  }
  for (const std::vector<Cell>& row : rows_) text += line([&](std::size_t column) { return row[column]; });
  return text;
}

}  // namespace mlpipe::app
