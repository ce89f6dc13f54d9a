#include <algorithm>

#include "app/manifest.hpp"

namespace mlpipe::app {
namespace {

using metadata::AttemptRow;
using metadata::RecordedRun;
using metadata::RunRow;
using metadata::TaskRow;

std::optional<WallTime> time_of(const Value& value, std::string_view name) {
  return parse_rfc3339(value.text_or(name, ""));
}

// The members of the struct `name` of `value`; none when it is not there.
const Value::Struct& members_of(const Value& value, std::string_view name) {
  static const Value::Struct k_none;
  const Value* found = value.find(name);
  return found != nullptr && found->is_struct() ? found->as_struct() : k_none;
}

template <class State>
Result<State> state_of(const Value& value, std::initializer_list<State> states) {
  const std::string text = value.text_or("state", "");
  for (const State state : states) {
    if (to_string(state) == text) return state;
  }
  return fail(ErrorCode::invalid_input, "run.json: there is no state \"{}\"", text);
}

}  // namespace

engine::TaskData data_of(const Value& value) {
  engine::TaskData data;
  for (const auto& [name, parameter] : members_of(value, "parameters")) data.parameters.emplace(name, parameter);
  for (const auto& [name, artifact] : members_of(value, "artifacts")) {
    const Value* metadata = artifact.find("metadata");
    data.artifacts.emplace(name, engine::Artifact{.name = artifact.text_or("name", name),
                                                  .type = artifact.text_or("type", ""),
                                                  .uri = artifact.text_or("uri", ""),
                                                  .metadata = metadata == nullptr ? Value::Struct{} : *metadata,
                                                  .digest = artifact.text_or("digest", ""),
                                                  .bytes = static_cast<std::uint64_t>(artifact.integer_or("bytes", 0)),
                                                  .is_folder = artifact.bool_or("folder", false)});
  }
  if (const Value* defaults = value.find("defaults"); defaults != nullptr && defaults->is_list()) {
    for (const Value& name : defaults->as_list()) {
      if (name.is_string() && data.parameters.contains(name.as_string())) data.defaults.insert(name.as_string());
    }
  }
  return data;
}

namespace {

Result<RunRow> run_of(const Value& manifest) {
  using enum engine::RunState;
  const Result<engine::RunState> state = state_of(manifest, {running, succeeded, failed, cancelled});
  if (!state) return Failure(state.error());
  const std::optional<WallTime> created = time_of(manifest, "created");
  RunRow run;
  run.id = manifest.text_or("run", "");
  if (!created || run.id.empty()) {
    return fail(ErrorCode::invalid_input, "run.json: it does not say which run it is of, or when that began");
  }
  run.pipeline = manifest.text_or("pipeline", "");
  run.state = *state;
  run.created = *created;
  run.finished = time_of(manifest, "finished");
  run.arguments = members_of(manifest, "arguments");
  run.root = manifest.text_or("root", "");
  run.spec_digest = manifest.text_or("spec_digest", "");
  run.spec_file = manifest.text_or("spec_file", "");
  run.command_line = manifest.text_or("command_line", "");
  run.mlpipe_version = manifest.text_or("mlpipe_version", "");
  run.engine = manifest.text_or("engine", "");
  run.host = manifest.text_or("host", "");
  if (const Value* git = manifest.find("git")) {
    run.git_commit = git->text_or("commit", "");
    run.git_dirty = git->bool_or("dirty", false);
  }
  for (const auto& [name, text] : members_of(manifest, "labels")) {
    if (text.is_string()) run.labels.emplace(name, text.as_string());
  }
  run.parent = manifest.text_or("parent", "");
  run.options = members_of(manifest, "options");
  run.experiment = manifest.text_or("experiment", "");
  run.note = manifest.text_or("note", "");
  return run;
}

Result<TaskRow> begin_task(const Value& entry, std::string path) {
  using enum engine::TaskState;
  const Result<engine::TaskState> state = state_of(entry, {waiting, ready, deferred, starting, running, stopping,
                                                           retry_wait, succeeded, failed, skipped, cancelled});
  if (!state) return Failure(state.error());
  if (path.empty()) return fail(ErrorCode::invalid_input, "run.json: a task has no path");
  TaskRow task;
  task.path = std::move(path);
  task.state = *state;
  task.component = entry.text_or("component", "");
  task.reason = entry.text_or("reason", "");
  return task;
}

AttemptRow attempt_of(const Value& value) {
  return {.number = static_cast<int>(value.integer_or("attempt", 0)),
          .container = value.text_or("container", ""),
          .state = value.text_or("state", ""),
          .exit_code = static_cast<int>(value.integer_or("exit_code", 0)),
          .oom_killed = value.bool_or("oom_killed", false),
          .message = value.text_or("message", ""),
          .hint = value.text_or("hint", ""),
          .started = time_of(value, "started"),
          .running = time_of(value, "running"),
          .finished = time_of(value, "finished"),
          .fingerprint = value.text_or("fingerprint", ""),
          .why = value.text_or("why", ""),
          .stop_reason = value.text_or("stop_reason", ""),
          .memory = static_cast<std::uint64_t>(value.integer_or("memory", 0))};
}

Result<TaskRow> task_of(const Value& entry) {
  Result<TaskRow> task = begin_task(entry, entry.text_or("task", ""));
  if (!task) return task;
  task->image = entry.text_or("image", "");
  task->cached_from = entry.text_or("cached_from", "");
  task->cached_at = time_of(entry, "cached_at");
  task->made = time_of(entry, "made");
  task->fingerprint = entry.text_or("fingerprint", "");
  task->removed = entry.bool_or("removed", false);
  if (const Value* inputs = entry.find("inputs")) task->inputs = data_of(*inputs);
  if (const Value* outputs = entry.find("outputs")) task->outputs = data_of(*outputs);
  if (const Value* attempts = entry.find("attempts"); attempts != nullptr && attempts->is_list()) {
    for (const Value& attempt : attempts->as_list()) task->attempts.push_back(attempt_of(attempt));
  }
  return task;
}

// Version 1 counted attempts and told nothing of them; images of tasks were not named.
Result<TaskRow> task_of_version_1(const RunRow& run, const std::string& path, const Value& entry) {
  Result<TaskRow> task = begin_task(entry, path);
  if (!task) return task;
  task->outputs = data_of(entry);
  const auto attempts = static_cast<int>(entry.integer_or("attempts", 0));
  const bool succeeded = task->state == engine::TaskState::succeeded;
  if (attempts == 0 && !succeeded) return task;
  AttemptRow& last = task->attempts.emplace_back();
  last.number = std::max(1, attempts);
  last.state = succeeded ? to_string(engine::AttemptEnd::succeeded) : "unknown";
  if (!succeeded) last.message = "how it ended is not known: its run.json is of an older mlpipe";
  last.started = run.created;
  last.finished = run.finished.value_or(run.created);
  return task;
}

}  // namespace

Result<RecordedRun> rows_of_manifest(const Value& manifest) {
  Result<RunRow> run = run_of(manifest);
  if (!run) return Failure(run.error());
  RecordedRun recorded;
  recorded.run = std::move(*run);
  for (const auto& [reference, image] : members_of(manifest, "images")) {
    recorded.images.push_back(
        {.reference = reference, .id = image.text_or("id", ""), .digest = image.text_or("digest", "")});
  }
  const auto add = [&recorded](Result<TaskRow> task) -> Result<> {
    if (!task) return Failure(task.error());
    recorded.tasks.push_back(std::move(*task));
    return {};
  };
  for (const auto& [path, entry] : members_of(manifest, "tasks")) {
    if (Result<> added = add(task_of_version_1(recorded.run, path, entry)); !added) return Failure(added.error());
  }
  const Value* tasks = manifest.find("tasks");
  if (tasks == nullptr || !tasks->is_list()) return recorded;
  for (const Value& entry : tasks->as_list()) {
    if (Result<> added = add(task_of(entry)); !added) return Failure(added.error());
  }
  return recorded;
}

}  // namespace mlpipe::app
