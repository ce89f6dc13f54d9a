#include <fmt/format.h>

#include "mlpipe/base/value.hpp"
#include "report/line_writer.hpp"
#include "report/scribes.hpp"
#include "report/wording.hpp"

namespace mlpipe::report {
namespace {

using engine::Transition;

constexpr int k_format = 1;

Value artifact_json(const engine::Artifact& artifact) {
  return Value::Struct{{"type", artifact.type},   {"uri", artifact.uri},          {"digest", artifact.digest},
                       {"bytes", artifact.bytes}, {"folder", artifact.is_folder}, {"metadata", artifact.metadata}};
}

Value outputs_json(const engine::TaskData& data) {
  Value::Struct parameters;
  for (const auto& [name, value] : data.parameters) parameters[name] = value;
  Value::Struct artifacts;
  for (const auto& [name, artifact] : data.artifacts) artifacts[name] = artifact_json(artifact);
  return Value::Struct{{"parameters", std::move(parameters)}, {"artifacts", std::move(artifacts)}};
}

class JsonScribe final : public Scribe {
 public:
  explicit JsonScribe(ReportOptions options) : options_(std::move(options)), writer_(options_.output, options_.clock) {}

  void started(const Story& story) override {
    const RunFacts& facts = story.facts();
    Value::Struct event{{"format", k_format},
                        {"pipeline", facts.pipeline},
                        {"root", facts.root},
                        {"tasks", static_cast<std::uint64_t>(facts.tasks)},
                        {"max_parallel", facts.max_parallel}};
    if (facts.resumed) {
      event.emplace("resumed", true);
      event.emplace("already_done", static_cast<std::uint64_t>(story.already_done()));
    }
    write(story, "run_started", std::move(event));
  }

  void changed(const Story& story, const Transition& transition) override {
    if (options_.verbosity == Verbosity::quiet && transition.to != TaskState::failed) return;
    Value::Struct event{{"task", story.task(transition.task).name},
                        {"from", to_string(transition.from)},
                        {"state", to_string(transition.to)}};
    event["time"] = to_rfc3339(transition.at);
    if (transition.cached()) event["cached_from"] = transition.cache->from_run;
    if (transition.cached() && transition.cache->removed) event["removed"] = true;
    if (transition.cached()) event["outputs"] = outputs_json(*transition.outputs);
    if (transition.cache != nullptr && !transition.cache->fingerprint.empty()) {
      event["fingerprint"] = transition.cache->fingerprint;
      if (!transition.cache->why.empty()) event["why"] = transition.cache->why;
    }
    if (transition.taken_up) event["taken_up"] = true;
    if (!transition.reason.empty()) event["reason"] = transition.reason;
    if (transition.retry_in) event["retry_in_ms"] = static_cast<std::int64_t>(transition.retry_in->count());
    if (transition.attempt > 0) {
      event["attempt"] = transition.attempt;
      event["attempts_allowed"] = story.task(transition.task).attempts;
      const std::filesystem::path log =
          options_.log_path ? options_.log_path({transition.task, transition.attempt}) : std::filesystem::path();
      if (!log.empty()) event["log"] = log.string();
    }
    if (transition.result != nullptr) {
      const engine::AttemptResult& result = *transition.result;
      event["end"] = to_string(result.end);
      event["exit_code"] = result.exit_code;
      event["duration_ms"] = static_cast<std::int64_t>(story.attempt_duration(transition.task).count());
      if (result.oom_killed) event["oom_killed"] = true;
      if (!result.message.empty()) event["message"] = result.message;
      if (!result.hint.empty()) event["hint"] = result.hint;
      if (transition.to == TaskState::succeeded) event["outputs"] = outputs_json(result.outputs);
    }
    write(story, "task_state", std::move(event));
  }

  void progressed(const Story& story, const engine::Progress& progress) override {
    if (options_.verbosity == Verbosity::quiet) return;
    write(story, "progress", {{"subject", progress.subject}, {"text", progress.text}});
  }

  void noticed(const Story& story, std::string_view text) override { write(story, "notice", {{"text", text}}); }

  std::optional<MonotonicTime> next_refresh(const Story&) const override { return writer_.next_refresh(); }
  void refresh(const Story&, MonotonicTime now) override { writer_.refresh(now); }

  void finished(const Story& story) override {
    Value::Struct counts;
    for (std::size_t i = 0; i < engine::k_task_states; ++i) {
      const auto state = static_cast<TaskState>(i);
      if (story.count(state) > 0)
        counts[std::string(to_string(state))] = static_cast<std::uint64_t>(story.count(state));
    }
    Value::Struct event{{"state", to_string(story.run_state())},
                        {"duration_ms", static_cast<std::int64_t>(story.elapsed().count())},
                        {"counts", std::move(counts)}};
    if (story.cached_tasks() > 0) event.emplace("cached", static_cast<std::uint64_t>(story.cached_tasks()));
    if (story.interrupt_signal() > 0) event["signal"] = story.interrupt_signal();
    write(story, "run_finished", std::move(event));
    writer_.finish();
  }

 private:
  void write(const Story& story, std::string_view name, Value::Struct event) {
    if (const std::uint64_t dropped = writer_.take_dropped(); dropped > 0) {
      emit(story, "dropped", {{"events", dropped}});
    }
    emit(story, name, std::move(event));
  }

  void emit(const Story& story, std::string_view name, Value::Struct event) {
    event["event"] = name;
    event["run"] = story.facts().run_id;
    event.try_emplace("time", to_rfc3339(options_.clock.wall()));
    writer_.write(to_json(Value(std::move(event))) + "\n");
  }

  ReportOptions options_;
  LineWriter writer_;
};

}  // namespace

std::unique_ptr<Scribe> make_json_scribe(ReportOptions options) {
  return std::make_unique<JsonScribe>(std::move(options));
}

}  // namespace mlpipe::report
