#pragma once

#include <string>
#include <vector>

#include "mlpipe/report/output.hpp"
#include "mlpipe/report/reporters.hpp"
#include "report/styled_text.hpp"

namespace mlpipe::report {

// Puts a live part at the bottom of a terminal and lets lines scroll up above it. Every change is one write, made between
// the marks of a synchronised update, so that nothing flickers; the cursor is hidden meanwhile.
class Screen final {
 public:
  Screen(Output& output, Color color, Glyphs glyphs) : output_(output), color_(color), glyphs_(glyphs) {}
  ~Screen() { leave({}, columns_); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // A frame that waits to be written (a stopped terminal) is to be finished before the next one is made.
  bool ready();
  bool closed() const { return output_.closed(); }
  // `scrolled` lines go above the live part, which becomes `live`.
  void draw(const std::vector<Line>& scrolled, const std::vector<Line>& live, int columns);
  // Takes the live part away, prints `last` uncut and shows the cursor again.
  void leave(const std::vector<Line>& last, int columns);

 private:
  std::string erase(int columns) const;

  Output& output_;
  Color color_;
  Glyphs glyphs_;
  bool cursor_hidden_ = false;
  std::vector<std::size_t> widths_;  // of the live lines on the screen
  int columns_ = 80;
};

}  // namespace mlpipe::report
