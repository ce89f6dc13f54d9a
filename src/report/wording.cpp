#include "report/wording.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"

namespace mlpipe::report {
namespace {

using engine::AttemptEnd;
using engine::RunState;

constexpr std::size_t k_most_metrics = 6;

std::string_view kind_of_end(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::succeeded: return "succeeded";
    case AttemptEnd::user_exit: return "exit code";
    case AttemptEnd::signalled: return "ended by a signal";
    case AttemptEnd::out_of_memory: return "out of memory";
    case AttemptEnd::timed_out: return "timed out";
    case AttemptEnd::output_missing: return "a declared output is missing";
    case AttemptEnd::not_startable: return "cannot be started";
    case AttemptEnd::lost: return "its container was lost";
    case AttemptEnd::infrastructure: return "the container engine failed";
    case AttemptEnd::cancelled: return "cancelled";
  }
  return "ended";
}

std::string short_number(const Value& number) {
  if (number.is_integer()) return number_text(number.as_double());
  return fmt::format("{:.5g}", number.as_double());
}

}  // namespace

std::string what_happened(const engine::AttemptResult& result) {
  if (!result.message.empty()) return printable(result.message);
  if (result.end == AttemptEnd::user_exit) return fmt::format("exit code {}", result.exit_code);
  return std::string(kind_of_end(result.end));
}

std::string attempt_text(int attempt, int allowed) {
  if (attempt > allowed) return fmt::format("attempt {}", attempt);
  return allowed > 1 ? fmt::format("attempt {} of {}", attempt, allowed) : "";
}

std::string retry_text(std::optional<milliseconds> delay) {
  return !delay || delay->count() <= 0 ? "at once" : "in " + duration_text(*delay);
}

std::string cached_text(const engine::CacheAnswer& answer) {
  return fmt::format("cached from {}{}", answer.from_run,
                     answer.removed ? ", without artifacts: nothing needs them" : "");
}

std::string failed_text(std::string_view took, std::string_view attempt, std::string_view what) {
  std::string text = "failed";
  if (!took.empty()) text += fmt::format(" after {}", took);
  if (!attempt.empty()) text += fmt::format(" ({})", attempt);
  if (!what.empty()) text += fmt::format(": {}", what);
  return text;
}

std::string written_log(const ReportOptions& options, engine::AttemptId id) {
  if (id.number == 0 || !options.log_path) return {};
  const std::filesystem::path log = options.log_path(id);
  std::error_code ignored;
  return log.empty() || !std::filesystem::exists(log, ignored) ? std::string() : printable(log.string());
}

std::string metrics_text(const engine::TaskData& outputs) {
  std::size_t artifacts = 0;
  for (const auto& [name, artifact] : outputs.artifacts) artifacts += artifact.type == "system.Metrics" ? 1 : 0;
  std::vector<std::string> pairs;
  for (const auto& [name, artifact] : outputs.artifacts) {
    if (artifact.type != "system.Metrics" || !artifact.metadata.is_struct()) continue;
    for (const auto& [key, value] : artifact.metadata.as_struct()) {
      if (!value.is_number()) continue;
      const std::string label = artifacts > 1 ? name + "." + key : key;
      pairs.push_back(printable(label) + "=" + short_number(value));
    }
  }
  if (pairs.size() > k_most_metrics) {
    const std::size_t left_out = pairs.size() - k_most_metrics;
    pairs.resize(k_most_metrics);
    pairs.push_back(fmt::format("and {} more", left_out));
  }
  return join(pairs, " ");
}

std::string elapsed_text(milliseconds elapsed) {
  const auto seconds = std::max<milliseconds::rep>(0, elapsed.count() / 1000);
  if (seconds < 60) return fmt::format("{} s", seconds);
  return duration_text(std::chrono::seconds(seconds));
}

std::string counts_text(const Story& story) {
  struct Part {
    std::size_t count;
    std::string_view word;
  };
  const Part parts[] = {{story.count(TaskState::succeeded), "succeeded"},
                        {story.count(TaskState::failed), "failed"},
                        {story.count(TaskState::skipped), "skipped"},
                        {story.count(TaskState::cancelled), "cancelled"},
                        {story.size() - story.finished_tasks(), "not ended"}};
  std::vector<std::string> texts;
  for (const Part& part : parts) {
    if (part.count > 0) texts.push_back(fmt::format("{} {}", part.count, part.word));
    if (part.word == "succeeded" && story.cached_tasks() > 0) {
      texts.back() += fmt::format(", {} from the cache", story.cached_tasks());
    }
  }
  return texts.empty() ? "no tasks" : join(texts, ", ");
}

std::string run_end_text(const Story& story) {
  const std::string took = duration_text(story.elapsed());
  const std::string counts = counts_text(story);
  switch (story.run_state()) {
    case RunState::succeeded: return fmt::format("succeeded in {} ({})", took, counts);
    case RunState::failed: return fmt::format("failed after {} ({})", took, counts);
    case RunState::cancelled:
      if (story.interrupt_signal() > 0) {
        return fmt::format("cancelled by {} after {} ({})", story.interrupted_by(), took, counts);
      }
      return fmt::format("cancelled after {} ({})", took, counts);
    case RunState::running: break;
  }
  return fmt::format("did not end; after {} ({})", took, counts);
}

std::string place_text(const TaskInfo& task) {
  if (task.file.empty() || task.line == 0) return {};
  if (task.column == 0) return fmt::format("{}:{}", printable(task.file), task.line);
  return fmt::format("{}:{}:{}", printable(task.file), task.line, task.column);
}

std::string suggested_command(std::string_view command, std::span<const std::string> words, std::string_view suffix) {
  std::string text = fmt::format("mlpipe {}", command);
  for (const std::string& word : words) text += " " + shell_quoted(word);
  if (!suffix.empty()) text += fmt::format(" {}", suffix);
  return printable(text);
}

std::vector<FailureStory> failure_stories(const Story& story, const ReportOptions& options, std::size_t most) {
  std::vector<FailureStory> stories;
  for (TaskId id : story.failures()) {
    if (stories.size() == most) break;
    const TaskInfo task = story.task(id);
    const Ending* ending = story.ending(id);
    if (ending == nullptr) continue;
    FailureStory failure{.name = printable(task.name),
                         .what = what_happened(ending->result),
                         .took = {},
                         .attempt = attempt_text(ending->attempt, story.attempts_allowed(id)),
                         .hint = printable(ending->result.hint),
                         .place = place_text(task),
                         .log = {},
                         .tail = {},
                         .command = {}};
    if (ending->attempt == 0) {
      failure.what = printable(ending->reason);
    } else {
      failure.took = duration_text(ending->duration);
      const std::filesystem::path log =
          options.log_path ? options.log_path({id, ending->attempt}) : std::filesystem::path();
      if (!log.empty()) {
        failure.tail = read_log_tail(log);
        const std::string words[] = {story.facts().run_id, std::string(task.name)};
        failure.command = suggested_command("logs", words, options.command_suffix);
      }
      if (failure.tail.readable) failure.log = printable(log.string());
    }
    stories.push_back(std::move(failure));
  }
  return stories;
}

std::string skip_text(const Story& story, TaskId id) {
  const Ending* ending = story.ending(id);
  return ending == nullptr ? std::string() : printable(ending->reason);
}

}  // namespace mlpipe::report
