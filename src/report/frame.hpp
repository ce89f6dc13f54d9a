#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/engine/ports.hpp"
#include "report/story.hpp"
#include "report/styled_text.hpp"
#include "report/wording.hpp"

// What the live view shows, as lines; the terminal reporter puts them on the screen.
namespace mlpipe::report {

// One row of the live part.
struct LiveTask {
  std::string_view symbol;
  Style style = Style::busy;
  std::string name;    // empty: the row is its detail alone
  std::string time;    // elapsed
  std::string note;    // "starting", "attempt 2 of 4"
  std::string detail;  // its last log line
};

struct LiveCounts {
  std::size_t total = 0;
  std::size_t ended = 0;
  std::size_t failed = 0;
  std::size_t running = 0;
  std::string elapsed;
};

// How the lines of tasks are laid out: the widths of name and time.
struct Columns {
  std::size_t name = 12;
  std::size_t time = 7;
};
Columns columns_for(std::size_t longest_name, std::size_t screen_columns);

// The live part: rows of `tasks` (and what does not fit as "… and 12 more") and the bar; never more than `max_rows` lines.
std::vector<Line> live_part(const std::vector<LiveTask>& tasks, const LiveCounts& counts, const Columns& columns,
                            std::size_t screen_columns, std::size_t max_rows, Glyphs glyphs);

// The line that scrolls up for `transition`; nothing for those that need none.
std::optional<Line> scroll_line(const Story& story, const engine::Transition& transition, const Columns& columns,
                                Glyphs glyphs);

// The block about one failed task.
std::vector<Line> failure_block(const FailureStory& failure, Glyphs glyphs);

}  // namespace mlpipe::report
