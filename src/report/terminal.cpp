#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "mlpipe/base/text.hpp"
#include "report/frame.hpp"
#include "report/screen.hpp"
#include "report/scribes.hpp"

namespace mlpipe::report {
namespace {

using engine::Transition;

constexpr milliseconds k_least_pause{85};  // at most 12 frames a second
constexpr milliseconds k_spin{120};
constexpr milliseconds k_idle{1000};
constexpr milliseconds k_slow_terminal{250};
constexpr std::chrono::seconds k_progress_life{10};
constexpr std::chrono::seconds k_patience{30};
constexpr std::size_t k_most_progress = 3;
constexpr std::size_t k_most_waiting_lines = 5000;
constexpr std::size_t k_most_blocks = 10;
constexpr std::size_t k_longest_name = 40;

class TerminalScribe final : public Scribe {
 public:
  TerminalScribe(ReportOptions options, TerminalOptions terminal)
      : options_(std::move(options)),
        terminal_(std::move(terminal)),
        marks_(symbols(terminal_.glyphs)),
        screen_(options_.output, terminal_.color, terminal_.glyphs) {}

  void started(const Story& story) override {
    for (std::size_t i = 0; i < story.size() && longest_name_ < k_longest_name; ++i) {
      longest_name_ = std::max(longest_name_, display_width(printable(story.task(static_cast<TaskId>(i)).name)));
    }
    const RunFacts& facts = story.facts();
    scroll(Line()
               .add("run ")
               .add(Style::bold, printable(facts.run_id))
               .add(Style::dim, fmt::format("  {} {}, at most {} at once", facts.tasks,
                                            facts.tasks == 1 ? "task" : "tasks", facts.max_parallel)));
    last_frame_ = options_.clock.now() - k_idle;
    refresh(story, options_.clock.now());
  }

  void changed(const Story& story, const Transition& transition) override {
    changed_ = true;
    if (!engine::is_active(transition.to)) last_lines_.forget(transition.task);
    std::optional<Line> line = scroll_line(story, transition, columns_for(longest_name_, columns()), terminal_.glyphs);
    if (line) scroll(std::move(*line));
  }

  void progressed(const Story&, const engine::Progress& progress) override {
    changed_ = true;
    progress_[progress.subject] = {.text = progress.text, .at = options_.clock.now()};
  }

  void noticed(const Story&, std::string_view text) override {
    scroll(Line().add(Style::warning, "! ").add(printable(text)));
  }

  std::optional<MonotonicTime> next_refresh(const Story& story) const override {
    if (screen_.closed()) return std::nullopt;
    if (options_.output.has_queued()) return last_frame_ + k_slow_terminal;
    if (changed_) return last_frame_ + k_least_pause;
    return last_frame_ + (story.active().empty() && story.retrying().empty() ? k_idle : k_spin);
  }

  void refresh(const Story& story, MonotonicTime now) override {
    if (screen_.closed() || now - last_frame_ < k_least_pause) return;
    last_frame_ = now;
    if (!screen_.ready()) return;
    const sys::TerminalSize size = terminal_.size();
    const auto usable = static_cast<std::size_t>(std::max(size.columns - 1, 1));
    const auto rows = static_cast<std::size_t>(std::max(size.rows - 1, 1));
    const std::vector<Line> live = live_part(live_tasks(story, now, rows), counts(story),
                                             columns_for(longest_name_, usable), usable, rows, terminal_.glyphs);
    screen_.draw(take_scrolled(), live, size.columns);
    changed_ = false;
  }

  void finished(const Story& story) override {
    std::vector<Line> last = take_scrolled();
    if (options_.failure_blocks == FailureBlocks::yes) add_failures(story, last);
    last.push_back(end_line(story));
    if (!options_.run_folder.empty()) {
      last.push_back(Line().add(Style::dim, "  in:  ").add(printable(options_.run_folder)));
    }
    const std::string words[] = {story.facts().run_id};
    last.push_back(Line().add(Style::dim, "  see: ").add(suggested_command("show", words, options_.command_suffix)));
    screen_.leave(last, terminal_.size().columns);
    options_.output.finish(k_patience);
  }

  void abandoned(const Story&) override { screen_.leave(take_scrolled(), terminal_.size().columns); }

 private:
  struct ProgressNow {
    std::string text;
    MonotonicTime at;
  };

  std::size_t columns() const { return static_cast<std::size_t>(std::max(terminal_.size().columns - 1, 1)); }

  // A terminal that was stopped for long gets the latest lines, not all of them.
  void scroll(Line line) {
    changed_ = true;
    scrolled_.push_back(std::move(line));
    if (scrolled_.size() <= k_most_waiting_lines) return;
    scrolled_.pop_front();
    ++left_out_;
  }

  std::vector<Line> take_scrolled() {
    std::vector<Line> lines;
    if (left_out_ > 0) lines.push_back(Line().add(Style::dim, fmt::format("({} lines left out)", left_out_)));
    lines.insert(lines.end(), std::make_move_iterator(scrolled_.begin()), std::make_move_iterator(scrolled_.end()));
    scrolled_.clear();
    left_out_ = 0;
    return lines;
  }

  std::string_view spinner(MonotonicTime now) const {
    const auto tick = static_cast<std::size_t>(now.time_since_epoch() / k_spin);
    return marks_.spinner[tick % marks_.spinner.size()];
  }

  std::vector<LiveTask> live_tasks(const Story& story, MonotonicTime now, std::size_t most) {
    std::vector<LiveTask> tasks;
    add_progress(story, now, tasks);
    for (TaskId id : story.active()) {
      // Rows that cannot be shown are only counted: their logs need not be read.
      if (tasks.size() >= most) {
        tasks.emplace_back();
        continue;
      }
      const TaskInfo task = story.task(id);
      const int attempt = story.attempt(id);
      LiveTask row{.symbol = spinner(now),
                   .style = Style::busy,
                   .name = printable(task.name),
                   .time = elapsed_text(story.attempt_duration(id)),
                   .note = {},
                   .detail = {}};
      if (attempt > 1) row.note = attempt_text(attempt, story.attempts_allowed(id));
      if (story.state(id) == TaskState::stopping) row.note = "stopping";
      if (options_.log_path) row.detail = last_lines_.of({id, attempt}, options_.log_path({id, attempt}));
      if (row.detail.empty() && story.state(id) == TaskState::starting) row.detail = "starting";
      tasks.push_back(std::move(row));
    }
    for (TaskId id : story.retrying()) {
      const auto left = std::chrono::duration_cast<milliseconds>(story.next_attempt(id) - now) + milliseconds{999};
      tasks.push_back({.symbol = marks_.retry,
                       .style = Style::warning,
                       .name = printable(story.task(id).name),
                       .time = {},
                       .note = fmt::format("again in {}", elapsed_text(left)),
                       .detail = {}});
    }
    return tasks;
  }

  // Images are pulled and built for attempts that are starting; the news of it has no end, so it grows old.
  void add_progress(const Story& story, MonotonicTime now, std::vector<LiveTask>& tasks) {
    std::erase_if(progress_, [&](const auto& item) { return now - item.second.at > k_progress_life; });
    const bool under_way = story.count(TaskState::starting) > 0 || story.active().empty();
    if (!under_way && story.started()) return;
    for (const auto& [subject, state] : progress_) {
      if (tasks.size() == k_most_progress) break;
      tasks.push_back({.symbol = spinner(now),
                       .style = Style::busy,
                       .name = {},
                       .time = {},
                       .note = {},
                       .detail = fmt::format("{}: {}", printable(subject), printable(state.text))});
    }
  }

  static LiveCounts counts(const Story& story) {
    return {.total = story.size(),
            .ended = story.finished_tasks(),
            .failed = story.count(TaskState::failed),
            .running = story.active_tasks(),
            .elapsed = elapsed_text(story.elapsed())};
  }

  void add_failures(const Story& story, std::vector<Line>& last) const {
    for (const FailureStory& failure : failure_stories(story, options_, k_most_blocks)) {
      last.emplace_back();
      for (Line& line : failure_block(failure, terminal_.glyphs)) last.push_back(std::move(line));
    }
    if (story.failures().size() > k_most_blocks) {
      last.emplace_back();
      last.push_back(Line().add(fmt::format("and {} more failed tasks", story.failures().size() - k_most_blocks)));
    }
    if (!story.failures().empty()) last.emplace_back();
  }

  Line end_line(const Story& story) const {
    Line line;
    switch (story.run_state()) {
      case engine::RunState::succeeded: line.add(Style::good, marks_.good); break;
      case engine::RunState::failed: line.add(Style::bad, marks_.bad); break;
      case engine::RunState::cancelled:
      case engine::RunState::running: line.add(Style::warning, marks_.cancelled); break;
    }
    return line.add(" run ").add(Style::bold, printable(story.facts().run_id)).add(" ").add(run_end_text(story));
  }

  ReportOptions options_;
  TerminalOptions terminal_;
  const Symbols& marks_;
  Screen screen_;
  LastLines last_lines_;
  std::map<std::string, ProgressNow> progress_;
  std::deque<Line> scrolled_;
  std::size_t left_out_ = 0;
  std::size_t longest_name_ = 4;
  bool changed_ = false;
  MonotonicTime last_frame_{};
};

}  // namespace

std::unique_ptr<Scribe> make_terminal_scribe(ReportOptions options, TerminalOptions terminal) {
  if (options.verbosity == Verbosity::quiet) return make_plain_scribe(std::move(options));
  return std::make_unique<TerminalScribe>(std::move(options), std::move(terminal));
}

}  // namespace mlpipe::report
