#include "report/frame.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"

namespace mlpipe::report {
namespace {

using engine::Transition;

constexpr std::size_t k_widest_name = 40;
constexpr std::size_t k_narrowest_name = 8;
constexpr std::size_t k_widest_bar = 30;
constexpr std::size_t k_narrowest_bar = 8;

Line row_start(std::string_view symbol, Style style, std::string_view name, std::string_view time,
               const Columns& columns, Glyphs glyphs) {
  Line line;
  line.add(style, symbol).add(" ").add(cut(name, columns.name, glyphs)).pad_to(2 + columns.name).add(" ");
  const std::size_t width = display_width(time);
  if (width < columns.time) line.add(std::string(columns.time - width, ' '));
  line.add(Style::dim, time);
  return line;
}

void add_live_row(std::vector<Line>& lines, const LiveTask& task, const Columns& columns, Glyphs glyphs) {
  if (task.name.empty()) {
    lines.push_back(Line().add(task.style, task.symbol).add(" ").add(Style::dim, task.detail));
    return;
  }
  Line line = row_start(task.symbol, task.style, task.name, task.time, columns, glyphs);
  if (!task.note.empty()) line.add("  ").add(Style::warning, task.note);
  if (!task.detail.empty()) line.add("  ").add(Style::dim, task.detail);
  lines.push_back(std::move(line));
}

Line bar_line(const LiveCounts& counts, std::size_t screen_columns, Glyphs glyphs) {
  const std::string_view separator = symbols(glyphs).separator;
  const std::size_t waiting = counts.total - std::min(counts.total, counts.ended + counts.running);
  Line words;
  words.add(Style::bold, fmt::format("{}/{}", counts.ended, counts.total)).add(" done");
  if (counts.failed > 0) words.add(separator).add(Style::bad, fmt::format("{} failed", counts.failed));
  words.add(separator).add(fmt::format("{} running", counts.running));
  if (waiting > 0) words.add(separator).add(fmt::format("{} waiting", waiting));
  words.add(separator).add(Style::dim, counts.elapsed);

  Line line;
  if (words.width() <= screen_columns) {
    const std::size_t room = screen_columns - words.width();
    if (room > k_narrowest_bar) {
      add_bar(line, std::min(room - 1, k_widest_bar), counts.ended, counts.failed, counts.total, glyphs);
      line.add(" ");
    }
    return line.append(words);
  }
  line.add(Style::bold, fmt::format("{}/{}", counts.ended, counts.total));
  if (counts.failed > 0) line.add(" ").add(Style::bad, fmt::format("{}{}", symbols(glyphs).bad, counts.failed));
  return line.add(" ").add(Style::dim, counts.elapsed);
}

std::string in_brackets(const std::string& text) { return text.empty() ? text : fmt::format(" ({})", text); }

}  // namespace

Columns columns_for(std::size_t longest_name, std::size_t screen_columns) {
  const std::size_t most = std::clamp(screen_columns / 3, k_narrowest_name, k_widest_name);
  return {.name = std::min(longest_name, most), .time = 7};
}

std::vector<Line> live_part(const std::vector<LiveTask>& tasks, const LiveCounts& counts, const Columns& columns,
                            std::size_t screen_columns, std::size_t max_rows, Glyphs glyphs) {
  std::vector<Line> lines;
  const std::size_t room = max_rows > 1 ? max_rows - 1 : 0;
  const std::size_t shown = tasks.size() <= room ? tasks.size() : room > 0 ? room - 1 : 0;
  for (std::size_t i = 0; i < shown; ++i) add_live_row(lines, tasks[i], columns, glyphs);
  if (shown < tasks.size() && room > 0) {
    lines.push_back(Line().add(Style::dim, fmt::format("{} and {} more", symbols(glyphs).more, tasks.size() - shown)));
  }
  lines.push_back(bar_line(counts, screen_columns, glyphs));
  return lines;
}

std::optional<Line> scroll_line(const Story& story, const Transition& transition, const Columns& columns,
                                Glyphs glyphs) {
  const Symbols& marks = symbols(glyphs);
  const TaskId id = transition.task;
  const TaskInfo task = story.task(id);
  const std::string name = printable(task.name);
  const std::string attempt = attempt_text(transition.attempt, story.attempts_allowed(id));
  const std::string took = story.ever_started(id) ? duration_text(story.attempt_duration(id)) : std::string();
  const std::string what =
      transition.result != nullptr ? what_happened(*transition.result) : printable(transition.reason);
  switch (transition.to) {
    case TaskState::succeeded: {
      if (transition.cached()) {
        Line line = row_start(marks.good, Style::good, name, "", columns, glyphs);
        return line.add("  ").add(Style::dim, cached_text(*transition.cache));
      }
      const std::string metrics = transition.result == nullptr ? "" : metrics_text(transition.result->outputs);
      Line line = row_start(marks.good, Style::good, name, took, columns, glyphs);
      if (transition.attempt > 1 && !attempt.empty()) line.add("  ").add(Style::warning, attempt);
      if (!metrics.empty()) line.add("  ").add(metrics);
      return line;
    }
    case TaskState::failed: {
      Line line = row_start(marks.bad, Style::bad, name, took, columns, glyphs);
      return line.add("  ").add(Style::bad, what.empty() ? "failed" : what).add(Style::dim, in_brackets(attempt));
    }
    case TaskState::retry_wait: {
      Line line = row_start(marks.retry, Style::warning, name, took, columns, glyphs);
      line.add("  ").add(Style::warning, what).add(Style::dim, in_brackets(attempt));
      return line.add(", again " + retry_text(transition.retry_in));
    }
    case TaskState::skipped:
    case TaskState::cancelled: {
      const bool skipped = transition.to == TaskState::skipped;
      const std::string_view word = skipped ? "skipped" : "cancelled";
      Line line = row_start(skipped ? marks.skipped : marks.cancelled, Style::warning, name, took, columns, glyphs);
      if (transition.reason.starts_with(word))
        return line.add("  ").add(printable(transition.reason));  // "cancelled by ..."
      line.add("  ").add(word);
      // A task that was stopped with its run says no more than the run does.
      if (!transition.reason.empty()) line.add(Style::dim, fmt::format(": {}", printable(transition.reason)));
      return line;
    }
    case TaskState::waiting:
    case TaskState::deferred:
    case TaskState::ready:
    case TaskState::starting:
    case TaskState::running:
    case TaskState::stopping: break;
  }
  return std::nullopt;
}

std::vector<Line> failure_block(const FailureStory& failure, Glyphs glyphs) {
  std::vector<Line> lines;
  lines.push_back(Line()
                      .add(Style::bad, symbols(glyphs).bad)
                      .add(" ")
                      .add(Style::bold, failure.name)
                      .add(" failed")
                      .add(failure.took.empty() ? "" : " after " + failure.took)
                      .add(Style::dim, in_brackets(failure.attempt))
                      .add(failure.what.empty() ? "" : ": ")
                      .add(Style::bad, failure.what));
  auto field = [&](std::string_view label, const std::string& text) {
    if (!text.empty()) lines.push_back(Line().add(Style::dim, fmt::format("  {:<6}", label)).add(text));
  };
  field("hint:", failure.hint);
  field("task:", failure.place);
  field("log:", failure.log);
  const std::string_view rule = glyphs == Glyphs::unicode ? "  │ " : "  | ";
  for (const std::string& text : failure.tail.lines) lines.push_back(Line().add(Style::dim, rule).add(text));
  if (!failure.tail.whole) field("all:", failure.command);
  return lines;
}

}  // namespace mlpipe::report
