#include "app/recorded_run.hpp"

#include <algorithm>

#include "app/rebuild.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::AttemptRow;
using metadata::RunRow;
using metadata::TaskRow;
using std::chrono::milliseconds;

void add_time(Value::Struct& value, std::string_view name, const std::optional<WallTime>& time) {
  if (time) value.emplace(name, to_rfc3339(*time));
}

void add_duration(Value::Struct& value, const std::optional<milliseconds>& duration) {
  if (duration) value.emplace("duration_ms", std::int64_t{duration->count()});
}

void add_text(Value::Struct& value, std::string_view name, const std::string& text) {
  if (!text.empty()) value.emplace(name, text);
}

Value counts_value(const RunRow& run) {
  Value::Struct counts{{"total", static_cast<std::int64_t>(run.tasks)}};
  for (std::size_t index = 0; index < engine::k_task_states; ++index) {
    if (run.counts[index] == 0) continue;
    counts.emplace(engine::to_string(static_cast<TaskState>(index)), static_cast<std::int64_t>(run.counts[index]));
  }
  if (run.cached > 0) counts.emplace("cached", static_cast<std::int64_t>(run.cached));
  return counts;
}

}  // namespace

Value value_of(const engine::Artifact& artifact) {
  return Value::Struct{{"name", artifact.name},
                       {"type", artifact.type},
                       {"uri", artifact.uri},
                       {"digest", artifact.digest},
                       {"bytes", static_cast<std::int64_t>(artifact.bytes)},
                       {"folder", artifact.is_folder},
                       {"metadata", artifact.metadata}};
}

Value value_of(const engine::TaskData& data) {
  Value::Struct parameters;
  for (const auto& [name, value] : data.parameters) parameters.emplace(name, value);
  Value::Struct artifacts;
  for (const auto& [name, artifact] : data.artifacts) artifacts.emplace(name, value_of(artifact));
  Value::Struct value{{"parameters", std::move(parameters)}, {"artifacts", std::move(artifacts)}};
  if (!data.defaults.empty()) value.emplace("defaults", Value::List(data.defaults.begin(), data.defaults.end()));
  return value;
}

namespace {

Value attempt_value(const RunRow& run, const TaskRow& task, const AttemptRow& attempt, WallTime now) {
  Value::Struct value{{"attempt", attempt.number}, {"state", attempt.state}, {"container", attempt.container}};
  if (has_exit_code(task, attempt)) value.emplace("exit_code", attempt.exit_code);
  if (attempt.oom_killed) value.emplace("oom_killed", true);
  add_text(value, "why", attempt.why);
  add_text(value, "stop_reason", attempt.stop_reason);
  add_text(value, "fingerprint", attempt.fingerprint);
  if (attempt.memory > 0) value.emplace("memory", static_cast<std::int64_t>(attempt.memory));
  add_text(value, "message", attempt.message);
  add_text(value, "hint", attempt.hint);
  add_time(value, "started", attempt.started);
  add_time(value, "running", attempt.running);
  add_time(value, "finished", attempt.finished);
  add_duration(value, duration_of(run, attempt, now));
  return value;
}

// A clock that was set back must not give a negative duration.
milliseconds between(WallTime from, WallTime to) { return std::max(milliseconds(0), to - from); }

bool goes_on(const RunRow& run) { return run.state == engine::RunState::running && !run.interrupted; }

}  // namespace

Result<std::unique_ptr<metadata::Queries>> open_record_of(const std::filesystem::path& root, Trace trace) {
  const artifact::Root tree(root);
  const auto open = trace == Trace::none ? metadata::open_queries_without_trace : metadata::open_queries;
  Result<std::unique_ptr<metadata::Queries>> queries =
      open(tree.database(), [tree](const std::string& run_id) { return sys::is_locked(tree.run_lock(run_id)); });
  if (queries || queries.error().code != ErrorCode::not_found || runs_with_manifest(tree, 1).empty()) return queries;
  return fail_with_hint(ErrorCode::io,
                        fmt::format("record {}: it is gone, but runs are there", tree.database().string()),
                        "`mlpipe doctor --rebuild` makes it anew from the folders of the runs");
}

Result<const TaskRow*> find_task(const RunRow& run, const std::vector<TaskRow>& tasks, const std::string& path) {
  std::vector<std::string> names;
  for (const TaskRow& task : tasks) {
    if (task.path == path) return &task;
    names.push_back(task.path);
  }
  const std::optional<std::string> near = closest(path, names);
  return fail_with_hint(
      ErrorCode::not_found, fmt::format("run {} has no task \"{}\"", run.id, printable(path)),
      near ? fmt::format("did you mean {}?", *near) : fmt::format("`mlpipe show {}` lists its tasks", run.id));
}

const TaskRow* maker_of(const TaskRow& task, const std::string& run, const std::vector<TaskRow>& tasks,
                        const std::string& from) {
  const TaskRow* maker = nullptr;
  for (const TaskRow& row : tasks) {
    if (row.fingerprint != task.fingerprint || row.state != TaskState::succeeded) continue;
    if (from == run && row.path == task.path) continue;
    if (maker == nullptr || (row.cached_from.empty() && !maker->cached_from.empty())) maker = &row;
  }
  return maker;
}

std::filesystem::path payload_path(const std::string& uri, const std::string& recorded_root,
                                   const std::filesystem::path& root) {
  if (uri.find("://") != std::string::npos) return {};
  if (!recorded_root.empty() && uri.starts_with(recorded_root + "/"))
    return root / uri.substr(recorded_root.size() + 1);
  return uri;
}

std::string_view state_text(const RunRow& run) {
  return run.interrupted ? "interrupted" : engine::to_string(run.state);
}

Style style_of(const RunRow& run) {
  if (run.interrupted) return Style::warning;
  switch (run.state) {
    case engine::RunState::running: return Style::active;
    case engine::RunState::succeeded: return Style::good;
    case engine::RunState::failed: return Style::bad;
    case engine::RunState::cancelled: return Style::warning;
  }
  return Style::plain;
}

Style style_of(TaskState state) {
  switch (state) {
    case TaskState::waiting:
    case TaskState::deferred:
    case TaskState::ready:
    case TaskState::skipped: return Style::faint;
    case TaskState::starting:
    case TaskState::running: return Style::active;
    case TaskState::stopping:
    case TaskState::retry_wait:
    case TaskState::cancelled: return Style::warning;
    case TaskState::succeeded: return Style::good;
    case TaskState::failed: return Style::bad;
  }
  return Style::plain;
}

std::optional<milliseconds> duration_of(const RunRow& run, WallTime now) {
  if (run.finished) return between(run.created, *run.finished);
  if (!goes_on(run)) return std::nullopt;
  return between(run.created, now);
}

std::optional<milliseconds> duration_of(const RunRow& run, const TaskRow& task, WallTime now) {
  if (task.attempts.empty() || !task.attempts.front().started) return std::nullopt;
  const AttemptRow& last = task.attempts.back();
  if (last.finished) return between(*task.attempts.front().started, *last.finished);
  if (!goes_on(run)) return std::nullopt;
  return between(*task.attempts.front().started, now);
}

std::optional<milliseconds> duration_of(const RunRow& run, const AttemptRow& attempt, WallTime now) {
  const std::optional<WallTime> begin = attempt.started ? attempt.started : attempt.running;
  if (!begin) return std::nullopt;
  if (attempt.finished) return between(*begin, *attempt.finished);
  if (!goes_on(run)) return std::nullopt;
  return between(*begin, now);
}

bool has_exit_code(const TaskRow& task, const AttemptRow& attempt) {
  return !task.image.empty() && attempt.finished &&
         (attempt.exit_code != 0 || attempt.state == "succeeded" || attempt.state == "output_missing");
}

Value::Struct value_of(const RunRow& run, WallTime now) {
  Value::Struct labels;
  for (const auto& [name, text] : run.labels) labels.emplace(name, text);
  Value::Struct value{{"run", run.id},
                      {"pipeline", run.pipeline},
                      {"state", state_text(run)},
                      {"created", to_rfc3339(run.created)},
                      {"counts", counts_value(run)},
                      {"arguments", run.arguments},
                      {"labels", std::move(labels)},
                      {"root", run.root},
                      {"spec_file", run.spec_file},
                      {"spec_digest", run.spec_digest},
                      {"command_line", run.command_line},
                      {"mlpipe_version", run.mlpipe_version},
                      {"engine", run.engine},
                      {"host", run.host}};
  add_time(value, "finished", run.finished);
  add_duration(value, duration_of(run, now));
  if (!run.git_commit.empty()) {
    value.emplace("git", Value::Struct{{"commit", run.git_commit}, {"dirty", run.git_dirty}});
  }
  add_text(value, "experiment", run.experiment);
  add_text(value, "note", run.note);
  add_text(value, "parent", run.parent);
  if (run.options.is_struct() && !run.options.as_struct().empty()) value.emplace("options", run.options);
  return value;
}

Value::Struct value_of(const RunRow& run, const TaskRow& task, WallTime now) {
  Value::List attempts;
  for (const AttemptRow& attempt : task.attempts) attempts.push_back(attempt_value(run, task, attempt, now));
  Value::Struct value{{"task", task.path},
                      {"state", engine::to_string(task.state)},
                      {"component", task.component},
                      {"attempts", std::move(attempts)},
                      {"inputs", value_of(task.inputs)},
                      {"outputs", value_of(task.outputs)}};
  add_text(value, "image", task.image);
  add_text(value, "image_id", task.image_id);
  add_text(value, "image_digest", task.image_digest);
  add_text(value, "reason", task.reason);
  add_text(value, "cached_from", task.cached_from);
  add_time(value, "cached_at", task.cached_at);
  add_time(value, "made", task.made);
  add_text(value, "fingerprint", task.fingerprint);
  if (task.removed) value.emplace("removed", true);
  add_duration(value, duration_of(run, task, now));
  return value;
}

Value::Struct value_of(const metadata::EventRow& event) {
  Value::Struct value{{"event", event.number}, {"at", to_rfc3339(event.at)}, {"from", event.from}, {"to", event.to}};
  add_text(value, "task", event.task);
  if (event.attempt > 0) value.emplace("attempt", event.attempt);
  add_text(value, "reason", event.reason);
  if (event.retry_in) value.emplace("retry_in_ms", std::int64_t{event.retry_in->count()});
  return value;
}

Value::Struct metrics_of(const TaskRow& task) {
  Value::Struct found;
  for (const auto& [output, artifact] : task.outputs.artifacts) {
    if (artifact.type != "system.Metrics" || !artifact.metadata.is_struct()) continue;
    Value::Struct numbers;
    for (const auto& [name, value] : artifact.metadata.as_struct()) {
      if (value.is_number()) numbers.emplace(name, value);
    }
    if (!numbers.empty()) found.emplace(output, std::move(numbers));
  }
  return found;
}

}  // namespace mlpipe::app
