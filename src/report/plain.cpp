#include <fmt/format.h>

#include <map>

#include "mlpipe/base/text.hpp"
#include "report/line_writer.hpp"
#include "report/scribes.hpp"
#include "report/wording.hpp"

namespace mlpipe::report {
namespace {

using engine::Transition;

constexpr std::chrono::seconds k_progress_pause{5};
constexpr std::size_t k_most_unstarted = 20;  // lines about tasks that never started
constexpr std::size_t k_most_blocks = 10;

class PlainScribe final : public Scribe {
 public:
  explicit PlainScribe(ReportOptions options)
      : options_(std::move(options)), writer_(options_.output, options_.clock) {}

  void started(const Story& story) override {
    if (options_.verbosity == Verbosity::quiet) return;
    const RunFacts& facts = story.facts();
    const std::string root = facts.root.empty() ? "" : fmt::format("; root {}", printable(facts.root));
    const std::string done = story.already_done() == 0 ? "" : fmt::format(", {} of them done", story.already_done());
    line(fmt::format("run {}: {}: {} {}{}, at most {} at once{}", facts.run_id, facts.resumed ? "resumed" : "started",
                     facts.tasks, facts.tasks == 1 ? "task" : "tasks", done, facts.max_parallel, root));
  }

  void changed(const Story& story, const Transition& transition) override {
    const bool matters = transition.to == TaskState::failed;
    if (options_.verbosity == Verbosity::quiet && !matters) return;
    const std::string text = text_of(story, transition);
    if (!text.empty()) line(fmt::format("{}: {}", printable(story.task(transition.task).name), text));
  }

  void progressed(const Story&, const engine::Progress& progress) override {
    if (options_.verbosity == Verbosity::quiet) return;
    const MonotonicTime now = options_.clock.now();
    const auto [told, is_new] = told_.try_emplace(progress.subject, now);
    if (!is_new && now - told->second < k_progress_pause) return;
    told->second = now;
    line(fmt::format("{}: {}", printable(progress.subject), printable(progress.text)));
  }

  void noticed(const Story&, std::string_view text) override { line(printable(text)); }

  std::optional<MonotonicTime> next_refresh(const Story&) const override { return writer_.next_refresh(); }
  void refresh(const Story&, MonotonicTime now) override { writer_.refresh(now); }

  void finished(const Story& story) override {
    if (options_.failure_blocks == FailureBlocks::yes) write_failures(story);
    line(fmt::format("run {}: {}", story.facts().run_id, run_end_text(story)));
    if (options_.verbosity == Verbosity::normal || story.run_state() != engine::RunState::succeeded) {
      if (!options_.run_folder.empty()) write(fmt::format("  in:  {}\n", printable(options_.run_folder)));
      const std::string words[] = {story.facts().run_id};
      write(fmt::format("  see: {}\n", suggested_command("show", words, options_.command_suffix)));
    }
    writer_.finish();
  }

 private:
  std::string text_of(const Story& story, const Transition& transition) {
    const TaskId id = transition.task;
    const std::string attempt = attempt_text(transition.attempt, story.attempts_allowed(id));
    const std::string in_brackets = attempt.empty() || transition.attempt == 1 ? "" : fmt::format(" ({})", attempt);
    switch (transition.to) {
      case TaskState::running:
        if (transition.already.count() == 0) return "started" + in_brackets;
        return fmt::format("picked up, runs for {}{}", duration_text(transition.already), in_brackets);
      case TaskState::stopping:
        return transition.reason.empty() ? "stopping" : "stopping: " + printable(transition.reason);
      case TaskState::retry_wait:
        return fmt::format("{} {}; next attempt {}{}", attempt.empty() ? "attempt" : attempt,
                           failure_text(story, transition, ""), retry_text(transition.retry_in), log_text(transition));
      case TaskState::succeeded: {
        if (transition.cached()) return cached_text(*transition.cache);
        const std::string metrics = transition.result == nullptr ? "" : metrics_text(transition.result->outputs);
        return fmt::format("succeeded in {}{}{}{}", duration_text(story.task_duration(id)), in_brackets,
                           metrics.empty() ? "" : ": ", metrics);
      }
      case TaskState::failed:
        return failure_text(story, transition, transition.attempt > 1 ? attempt : "") +
               (gets_block(story) ? "" : log_text(transition));
      case TaskState::skipped: return unstarted_text("skipped", transition);
      case TaskState::cancelled:
        return story.ever_started(id) ? with_reason("cancelled", transition) : unstarted_text("cancelled", transition);
      case TaskState::deferred: return with_reason("waits", transition);
      case TaskState::waiting:
      case TaskState::ready:
      case TaskState::starting: break;
    }
    return {};
  }

  static std::string failure_text(const Story& story, const Transition& transition, std::string_view attempt) {
    if (transition.result == nullptr) {
      return failed_text("", attempt, transition.reason.empty() ? "no reason given" : printable(transition.reason));
    }
    return failed_text(duration_text(story.attempt_duration(transition.task)), attempt,
                       what_happened(*transition.result));
  }

  // Told of again at the end, with its log.
  bool gets_block(const Story& story) const {
    return options_.failure_blocks == FailureBlocks::yes && story.failures().size() <= k_most_blocks;
  }

  std::string log_text(const Transition& transition) const {
    const std::string log = written_log(options_, {transition.task, transition.attempt});
    return log.empty() ? "" : "; log: " + log;
  }

  static std::string with_reason(std::string_view word, const Transition& transition) {
    if (transition.reason.starts_with(word)) return printable(transition.reason);  // "cancelled by ..."
    return transition.reason.empty() ? std::string(word) : fmt::format("{}: {}", word, printable(transition.reason));
  }

  // Thousands of tasks may be skipped at once: the first ones say it all.
  std::string unstarted_text(std::string_view word, const Transition& transition) {
    if (++unstarted_ <= k_most_unstarted) return with_reason(word, transition);
    if (unstarted_ == k_most_unstarted + 1) return fmt::format("{}; further ones are only counted", word);
    return {};
  }

  void write_failures(const Story& story) {
    for (const FailureStory& failure : failure_stories(story, options_, k_most_blocks)) {
      std::string block =
          fmt::format("\n{} {}\n", failure.name, failed_text(failure.took, failure.attempt, failure.what));
      if (!failure.hint.empty()) block += fmt::format("  hint: {}\n", failure.hint);
      if (!failure.place.empty()) block += fmt::format("  task: {}\n", failure.place);
      if (!failure.log.empty()) block += fmt::format("  log:  {}\n", failure.log);
      if (failure.log.empty() && !failure.command.empty()) block += "  log:  none was written\n";
      for (const std::string& text : failure.tail.lines) block += fmt::format("  | {}\n", text);
      if (!failure.tail.whole) block += fmt::format("  all of it: {}\n", failure.command);
      write(block);
    }
    if (story.failures().size() > k_most_blocks) {
      write(fmt::format("\nand {} more failed tasks\n", story.failures().size() - k_most_blocks));
    }
    if (!story.failures().empty()) write("\n");
  }

  void line(const std::string& text) {
    write(fmt::format("{} {}\n", to_local_clock_text(options_.clock.wall()), text));
  }

  void write(const std::string& text) {
    if (const std::uint64_t dropped = writer_.take_dropped(); dropped > 0) {
      writer_.write(fmt::format("({} lines left out: nobody read them in time)\n", dropped));
    }
    writer_.write(text);
  }

  ReportOptions options_;
  LineWriter writer_;
  std::map<std::string, MonotonicTime> told_;
  std::size_t unstarted_ = 0;
};

}  // namespace

std::unique_ptr<Scribe> make_plain_scribe(ReportOptions options) {
  return std::make_unique<PlainScribe>(std::move(options));
}

}  // namespace mlpipe::report
