#include "app/compare_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/recorded_run.hpp"

namespace mlpipe::app {
namespace {

using metadata::RunRow;
using metadata::TaskRow;

using Named = std::map<std::string, Value, std::less<>>;

std::vector<Difference> differences(const Named& a, const Named& b) {
  std::vector<Difference> found;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    if (other == b.end()) {
      found.push_back({.name = name, .a = value, .b = std::nullopt});
    } else if (!(value == other->second)) {
      found.push_back({.name = name, .a = value, .b = other->second});
    }
  }
  for (const auto& [name, value] : b) {
    if (!a.contains(name)) found.push_back({.name = name, .a = std::nullopt, .b = value});
  }
  std::sort(found.begin(), found.end(), [](const auto& left, const auto& right) { return left.name < right.name; });
  return found;
}

// The same with what lies between two numbers.
std::vector<Difference> distances(const Named& a, const Named& b) {
  std::vector<Difference> found = differences(a, b);
  for (Difference& one : found) {
    if (!one.a || !one.b || !one.a->is_number() || !one.b->is_number()) continue;
    const bool whole = one.a->is_integer() && one.b->is_integer();
    one.by = whole ? Value(one.b->as_integer() - one.a->as_integer()) : Value(one.b->as_double() - one.a->as_double());
  }
  return found;
}

void add_text(Named& to, const char* name, const std::string& text) {
  if (!text.empty()) to.emplace(name, text);
}

Named made_with(const RunRow& run) {
  Named made;
  add_text(made, "pipeline", run.pipeline);
  add_text(made, "spec", run.spec_digest);
  add_text(made, "commit", run.git_commit + (run.git_dirty ? ", with changes" : ""));
  add_text(made, "engine", run.engine);
  add_text(made, "host", run.host);
  add_text(made, "mlpipe", run.mlpipe_version);
  add_text(made, "experiment", run.experiment);
  return made;
}

Named parameters_of(const RunRow& run) {
  Named parameters;
  for (const auto& [name, value] : run.arguments.as_struct()) parameters.emplace(name, value);
  return parameters;
}

Named images_of(const std::vector<TaskRow>& tasks) {
  Named images;
  for (const TaskRow& task : tasks) {
    if (!task.image.empty()) images.emplace(task.image, task.image_id);
  }
  return images;
}

Named states_of(const std::vector<TaskRow>& tasks) {
  Named states;
  for (const TaskRow& task : tasks) states.emplace(task.path, engine::to_string(task.state));
  return states;
}

// What `add(task, named)` makes of each task that is in `both`.
template <class Add>
Named of_tasks(const std::vector<TaskRow>& tasks, const std::set<std::string>& both, Add&& add) {
  Named named;
  for (const TaskRow& task : tasks) {
    if (both.contains(task.path)) add(task, named);
  }
  return named;
}

void add_metrics(const TaskRow& task, Named& to) {
  for (const auto& [output, numbers] : metrics_of(task)) {
    for (const auto& [name, number] : numbers.as_struct()) {
      to.emplace(fmt::format("{}.{}.{}", task.path, output, name), number);
    }
  }
}

// The input parameters of tasks that both runs know, where one of them had the component's default: what the pipeline
// gave hangs on the run's parameters and on other tasks. A record of an older mlpipe does not have defaults.
std::vector<Difference> default_differences(const std::vector<TaskRow>& a, const std::vector<TaskRow>& b) {
  std::map<std::string_view, const engine::TaskData*> others;
  for (const TaskRow& task : b) others.emplace(task.path, &task.inputs);
  Named of_a;
  Named of_b;
  for (const TaskRow& task : a) {
    const auto other = others.find(task.path);
    if (other == others.end()) continue;
    for (const auto& [name, value] : task.inputs.parameters) {
      const auto found = other->second->parameters.find(name);
      if (found == other->second->parameters.end()) continue;
      if (!task.inputs.defaults.contains(name) && !other->second->defaults.contains(name)) continue;
      of_a.emplace(fmt::format("{}.{}", task.path, name), value);
      of_b.emplace(fmt::format("{}.{}", task.path, name), found->second);
    }
  }
  return distances(of_a, of_b);
}

void add_outputs(const TaskRow& task, Named& to) {
  for (const auto& [name, value] : task.outputs.parameters) to.emplace(fmt::format("{}.{}", task.path, name), value);
}

void add_artifacts(const TaskRow& task, Named& to) {
  for (const auto& [output, artifact] : task.outputs.artifacts) {
    to.emplace(fmt::format("{}.{}", task.path, output),
               Value::Struct{{"digest", artifact.digest}, {"bytes", static_cast<std::int64_t>(artifact.bytes)}});
  }
}

}  // namespace

bool RunDifferences::is_same() const {
  return made_with.empty() && parameters.empty() && images.empty() && tasks.empty() && inputs.empty() &&
         metrics.empty() && outputs.empty() && artifacts.empty();
}

Result<RecordedRun> read_run(metadata::Queries& queries, const std::string& reference) {
  Result<RunRow> run = queries.find_run(reference);
  if (!run) return Failure(std::move(run).error());
  Result<std::vector<TaskRow>> tasks = queries.tasks(run->id);
  if (!tasks) return Failure(std::move(tasks).error());
  return RecordedRun{.run = std::move(*run), .tasks = std::move(*tasks)};
}

RunDifferences compare_runs(const RecordedRun& a, const RecordedRun& b, WallTime now) {
  std::set<std::string> both;
  const Named states_a = states_of(a.tasks);
  const Named states_b = states_of(b.tasks);
  for (const auto& [path, state] : states_a) {
    if (states_b.contains(path)) both.insert(path);
  }
  const auto durations_of = [&](const RecordedRun& recorded) {
    return of_tasks(recorded.tasks, both, [&](const TaskRow& task, Named& to) {
      const auto duration = duration_of(recorded.run, task, now);
      if (duration) to.emplace(task.path, std::int64_t{duration->count()});
    });
  };

  RunDifferences found;
  found.made_with = differences(made_with(a.run), made_with(b.run));
  found.parameters = differences(parameters_of(a.run), parameters_of(b.run));
  found.images = differences(images_of(a.tasks), images_of(b.tasks));
  found.tasks = differences(states_a, states_b);
  found.inputs = default_differences(a.tasks, b.tasks);
  found.metrics = distances(of_tasks(a.tasks, both, add_metrics), of_tasks(b.tasks, both, add_metrics));
  found.outputs = distances(of_tasks(a.tasks, both, add_outputs), of_tasks(b.tasks, both, add_outputs));
  found.artifacts = differences(of_tasks(a.tasks, both, add_artifacts), of_tasks(b.tasks, both, add_artifacts));
  found.durations = distances(durations_of(a), durations_of(b));
  return found;
}

}  // namespace mlpipe::app
