#pragma once

#include <string>
#include <vector>

#include "app/console.hpp"

namespace mlpipe::app {

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

struct Cell {
  Cell(std::string content) : text(std::move(content)) {}
  Cell(const char* content) : text(content) {}
  Cell(std::string content, Style look) : text(std::move(content)), style(look) {}
  std::string text;  // printable
  Style style = Style::plain;
};

// Aligned columns, two spaces apart; a column in which no row says anything is left out.
class TextTable final {
 public:
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // Lines of at most `width` columns (0: any): the last column is what is shortened. Without titles when all are empty.
  std::string render(report::Color color, std::size_t indent = 0, std::size_t width = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Code points of `text`.
std::size_t columns_of(std::string_view text);

}  // namespace mlpipe::app
