#include <fmt/format.h>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "report/log_tail.hpp"
#include "report/scribes.hpp"
#include "report/wording.hpp"
#include "report/xml.hpp"

namespace mlpipe::report {
namespace {

std::string seconds_text(milliseconds duration) {
  return fmt::format("{}.{:03}", duration.count() / 1000, duration.count() % 1000);
}

class JunitScribe final : public Scribe {
 public:
  explicit JunitScribe(JunitOptions options) : options_(std::move(options)) {}

  void started(const Story&) override {}
  void changed(const Story&, const engine::Transition&) override {}
  void progressed(const Story&, const engine::Progress&) override {}
  void noticed(const Story&, std::string_view) override {}
  void finished(const Story& story) override { write(story); }
  void abandoned(const Story& story) override { write(story); }

 private:
  void write(const Story& story) {
    Result<> written = sys::write_file_atomically(options_.file, document(story), sys::Durable::no);
    if (written || !options_.on_error) return;
    options_.on_error(within("writing the JUnit file", std::move(written).error()).value());
  }

  std::string document(const Story& story) const {
    std::string cases;
    for (std::size_t i = 0; i < story.size(); ++i) add_case(cases, story, static_cast<TaskId>(i));
    const std::size_t unfinished = story.size() - story.finished_tasks();
    std::size_t errors = unfinished;
    std::size_t skipped = story.count(TaskState::skipped);
    for (std::size_t i = 0; i < story.size(); ++i) {
      const auto id = static_cast<TaskId>(i);
      if (story.state(id) == TaskState::cancelled) ++(story.ever_started(id) ? errors : skipped);
    }
    const std::string totals =
        fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\"", story.size(), story.count(TaskState::failed), errors);
    const std::string time = seconds_text(story.elapsed());
    const std::string pipeline = xml_attribute(story.facts().pipeline);
    std::string started = to_rfc3339(story.started_at());
    started.resize(sizeof("2026-02-03T04:05:06") - 1);  // the schema knows neither fractions nor zones
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    text += fmt::format("<testsuites name=\"{}\" {} time=\"{}\">\n", pipeline, totals, time);
    text += fmt::format("  <testsuite name=\"{}\" {} skipped=\"{}\" time=\"{}\" timestamp=\"{}\">\n", pipeline, totals,
                        skipped, time, started);
    text += fmt::format("    <properties>\n      <property name=\"run\" value=\"{}\"/>\n",
                        xml_attribute(story.facts().run_id));
    text += fmt::format("      <property name=\"state\" value=\"{}\"/>\n", to_string(story.run_state()));
    text += fmt::format("      <property name=\"root\" value=\"{}\"/>\n    </properties>\n",
                        xml_attribute(story.facts().root));
    return text + cases + "  </testsuite>\n</testsuites>\n";
  }

  void add_case(std::string& text, const Story& story, TaskId id) const {
    const TaskInfo task = story.task(id);
    text += fmt::format("    <testcase name=\"{}\" classname=\"{}\" time=\"{}\"", xml_attribute(task.name),
                        xml_attribute(story.facts().pipeline), seconds_text(story.task_duration(id)));
    if (!task.file.empty()) text += fmt::format(" file=\"{}\" line=\"{}\"", xml_attribute(task.file), task.line);
    const std::string outcome = outcome_of(story, id);
    text += outcome.empty() ? "/>\n" : fmt::format(">\n{}    </testcase>\n", outcome);
  }

  std::string outcome_of(const Story& story, TaskId id) const {
    const TaskState state = story.state(id);
    if (state == TaskState::succeeded) return {};
    const Ending* ending = story.ending(id);
    const std::string reason = ending == nullptr ? std::string() : ending->reason;
    if (state == TaskState::skipped || (state == TaskState::cancelled && !story.ever_started(id))) {
      return fmt::format("      <skipped message=\"{}\"/>\n",
                         xml_attribute(reason.empty() ? to_string(state) : reason));
    }
    if (ending == nullptr) {
      return fmt::format("      <error type=\"{}\" message=\"the run ended before the task did\"/>\n",
                         to_string(state));
    }
    if (ending->attempt == 0) {
      return fmt::format("      <failure type=\"{}\" message=\"{}\"/>\n", to_string(state),
                         xml_attribute(reason.empty() ? to_string(state) : reason));
    }
    const std::string_view element = state == TaskState::failed ? "failure" : "error";
    return fmt::format("      <{} type=\"{}\" message=\"{}\">{}</{}>\n", element, to_string(ending->result.end),
                       xml_attribute(what_happened(ending->result)), xml_cdata(details(story, id, *ending)), element);
  }

  std::string details(const Story& story, TaskId id, const Ending& ending) const {
    std::string text = what_happened(ending.result);
    const std::string attempt = attempt_text(ending.attempt, story.attempts_allowed(id));
    if (!attempt.empty()) text += fmt::format(" ({})", attempt);
    text += '\n';
    if (!ending.result.hint.empty()) text += fmt::format("hint: {}\n", ending.result.hint);
    if (!options_.log_path) return text;
    const std::filesystem::path log = options_.log_path({id, ending.attempt});
    const LogTail tail = read_log_tail(log);
    if (!tail.readable) return text;
    text += fmt::format("log: {}{}\n", log.string(), tail.whole ? "" : ", its end:");
    for (const std::string& line : tail.lines) text += line + '\n';
    return text;
  }

  JunitOptions options_;
};

}  // namespace

std::unique_ptr<Scribe> make_junit_scribe(JunitOptions options) {
  return std::make_unique<JunitScribe>(std::move(options));
}

}  // namespace mlpipe::report
