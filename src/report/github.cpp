#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/random.hpp"
#include "report/line_writer.hpp"
#include "report/scribes.hpp"
#include "report/wording.hpp"

namespace mlpipe::report {
namespace {

constexpr std::size_t k_most_annotations = 10;  // GitHub shows no more of a kind for one step
constexpr std::size_t k_most_rows = 500;        // a step summary may hold 1 MiB

// The data of a workflow command; properties escape two characters more.
std::string command_data(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '%': out += "%25"; break;
      case '\r': out += "%0D"; break;
      case '\n': out += "%0A"; break;
      default: out += c;
    }
  }
  return out;
}

std::string command_property(std::string_view text) {
  std::string out;
  for (char c : command_data(text)) {
    switch (c) {
      case ':': out += "%3A"; break;
      case ',': out += "%2C"; break;
      default: out += c;
    }
  }
  return out;
}

// Text in a cell of a Markdown table, shown as it is.
std::string table_cell(std::string_view text) {
  constexpr std::string_view k_special = "\\`*_{}[]()#+!|~";
  std::string out;
  for (char c : printable(text)) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      if (k_special.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

Result<> append_to_file(const std::filesystem::path& path, std::string_view text) {
  const std::string doing = fmt::format("appending the summary to {}", path.string());
  const sys::Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return fail_errno(doing, errno);
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(doing, errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

class GithubScribe final : public Scribe {
 public:
  GithubScribe(ReportOptions options, GithubOptions github)
      : options_(std::move(options)), github_(std::move(github)), writer_(options_.output, options_.clock) {
    if (github_.stop_token.empty()) github_.stop_token = sys::random_hex(32);
  }

  void started(const Story&) override {}
  void changed(const Story&, const engine::Transition&) override {}
  void progressed(const Story&, const engine::Progress&) override {}
  void noticed(const Story&, std::string_view text) override {
    writer_.write(fmt::format("::notice title=mlpipe::{}\n", command_data(printable(text))));
  }
  std::optional<MonotonicTime> next_refresh(const Story&) const override { return writer_.next_refresh(); }
  void refresh(const Story&, MonotonicTime now) override { writer_.refresh(now); }

  void finished(const Story& story) override {
    std::size_t told = 0;
    for (TaskId id : story.failures()) {
      if (told == k_most_annotations) break;
      annotate(story, id);
      ++told;
    }
    for (const FailureStory& failure : failure_stories(story, options_, k_most_annotations)) write_group(failure);
    writer_.finish();
    if (!github_.step_summary) return;
    Result<> written = append_to_file(*github_.step_summary, summary(story));
    if (!written && github_.on_error) github_.on_error(written.error());
  }

 private:
  void annotate(const Story& story, TaskId id) {
    const TaskInfo task = story.task(id);
    const Ending* ending = story.ending(id);
    if (ending == nullptr) return;
    std::string text = ending->attempt == 0 ? printable(ending->reason) : what_happened(ending->result);
    if (!ending->result.hint.empty()) text += "\n" + printable(ending->result.hint);
    std::string place;
    if (!task.file.empty() && task.line > 0) {
      place = fmt::format(",file={},line={}", command_property(printable(task.file)), task.line);
    }
    writer_.write(fmt::format("::error title={}{}::{}\n",
                              command_property(fmt::format("task {} failed", printable(task.name))), place,
                              command_data(text)));
  }

  // What a task printed must not be taken for a workflow command.
  void write_group(const FailureStory& failure) {
    if (failure.log.empty()) return;
    std::string text =
        fmt::format("::group::{}\n::stop-commands::{}\n",
                    command_data(fmt::format("{}: the end of its log", failure.name)), github_.stop_token);
    for (const std::string& line : failure.tail.lines) text += line + "\n";
    text += fmt::format("::{}::\n", github_.stop_token);
    if (!failure.tail.whole) text += fmt::format("all of it: {}\n", failure.command);
    writer_.write(text + "::endgroup::\n");
  }

  static std::string summary(const Story& story) {
    std::string text = fmt::format("### {}: {}\n\nRun `{}`\n\n", table_cell(story.facts().pipeline),
                                   table_cell(run_end_text(story)), printable(story.facts().run_id));
    text += "| Task | State | Duration | Attempts | |\n| --- | --- | ---: | ---: | --- |\n";
    std::size_t rows = 0;
    // What went wrong comes first, lest it is cut off.
    for (TaskId id : story.failures()) add_row(text, rows, story, id);
    for (std::size_t i = 0; i < story.size(); ++i) {
      if (story.state(static_cast<TaskId>(i)) != TaskState::failed) add_row(text, rows, story, static_cast<TaskId>(i));
    }
    if (story.size() > k_most_rows) text += fmt::format("\nand {} more tasks\n", story.size() - k_most_rows);
    return text + "\n";
  }

  static void add_row(std::string& text, std::size_t& rows, const Story& story, TaskId id) {
    if (rows++ >= k_most_rows) return;
    const Ending* ending = story.ending(id);
    std::string note;
    if (ending != nullptr) note = ending->attempt > 0 ? what_happened(ending->result) : ending->reason;
    text += fmt::format(
        "| {} | {} | {} | {} | {} |\n", table_cell(story.task(id).name), table_cell(to_string(story.state(id))),
        story.ever_started(id) ? duration_text(story.task_duration(id)) : "", story.attempt(id), table_cell(note));
  }

  ReportOptions options_;
  GithubOptions github_;
  LineWriter writer_;
};

}  // namespace

std::unique_ptr<Scribe> make_github_scribe(ReportOptions options, GithubOptions github) {
  return std::make_unique<GithubScribe>(std::move(options), std::move(github));
}

}  // namespace mlpipe::report
