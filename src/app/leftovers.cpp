#include "app/leftovers.hpp"

#include <set>

#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/naming.hpp"

namespace mlpipe::app {
namespace {

bool is_sandbox(const runner::ContainerSummary& container) { return container.labels.contains("mlpipe.sandbox"); }

bool is_fault_of_the_world(const std::string& attempt_state) {
  return attempt_state == to_string(engine::AttemptEnd::lost) ||
         attempt_state == to_string(engine::AttemptEnd::infrastructure);
}

engine::Recovered recovered_task(plan::TaskId id, const metadata::TaskRow& row) {
  engine::Recovered task{.task = id, .state = row.state, .reason = row.reason, .cached_from = row.cached_from};
  for (const metadata::AttemptRow& attempt : row.attempts) {
    if (is_fault_of_the_world(attempt.state)) ++task.faults_of_the_world;
  }
  if (!row.attempts.empty()) {
    const metadata::AttemptRow& latest = row.attempts.back();
    task.attempt = latest.number;
    task.memory = latest.memory;
    task.take_up.running_since = latest.running;
    // A resume that was killed at once had the task waiting again; the attempt is under way all the same.
    const bool is_under_way = latest.number > 0 && latest.started && !latest.finished;
    if (is_under_way && row.state == engine::TaskState::waiting) {
      task.state = latest.running ? engine::TaskState::running : engine::TaskState::starting;
    }
    if (latest.stop_reason == "timed_out") task.take_up.stopping = engine::StopReason::timed_out;
    if (latest.stop_reason == "cancelled") task.take_up.stopping = engine::StopReason::cancelled;
  }
  if (row.state == engine::TaskState::succeeded) task.outputs = row.outputs;
  return task;
}

}  // namespace

Result<std::vector<engine::Recovered>> recovered_tasks(const plan::Plan& plan,
                                                       const std::vector<metadata::TaskRow>& rows) {
  std::vector<engine::Recovered> tasks;
  for (const metadata::TaskRow& row : rows) {
    const std::optional<plan::TaskId> id = plan.find(row.path);
    if (!id) return fail(ErrorCode::invalid_input, "the record has a task \"{}\", the pipeline has none", row.path);
    tasks.push_back(recovered_task(*id, row));
  }
  return tasks;
}

void remove_rest_of_run(runner::ContainerEngine& engine, const artifact::Root& root, const std::string& run_id) {
  if (Result<LeftContainers> left = LeftContainers::find(engine, root, run_id)) (void)left->remove_all();
}

Result<LeftContainers> LeftContainers::find(runner::ContainerEngine& engine, const artifact::Root& root,
                                            const std::string& run_id) {
  Result<std::vector<runner::ContainerSummary>> found =
      engine.list({{"mlpipe.root", root.path().string()}, {"mlpipe.run", run_id}});
  if (!found) return within("looking for the containers of run " + run_id, std::move(found).error());
  return LeftContainers(engine, std::move(*found));
}

Result<> LeftContainers::remove_strays(const std::vector<engine::Recovered>& tasks, const plan::Plan& plan,
                                       const artifact::Root& root, const std::string& run_id) {
  std::set<std::string> wanted;
  if (engine_->info().mounts) {  // processes cannot be taken up, only ended
    for (const engine::Recovered& task : tasks) {
      if (!is_active(task.state)) continue;
      wanted.insert(engine::container_name(root.path().string(), run_id, plan.task(task.task).path(), task.attempt));
    }
  }
  std::vector<runner::ContainerSummary> kept;
  for (runner::ContainerSummary& container : containers_) {
    if (is_sandbox(container) || wanted.contains(container.name)) {
      kept.push_back(std::move(container));
    } else if (Result<> removed = engine_->remove(container.id); !removed) {
      return within("removing what was left of the run", std::move(removed).error());
    }
  }
  containers_ = std::move(kept);
  return {};
}

Result<> LeftContainers::remove_all() {
  Result<> all;
  for (const runner::ContainerSummary& container : containers_) {
    if (Result<> removed = engine_->remove(container.id); !removed && all) all = std::move(removed);
  }
  return all;
}

std::map<std::string, std::vector<std::string>> LeftContainers::gpus_held() const {
  std::map<std::string, std::vector<std::string>> held;
  for (const runner::ContainerSummary& container : containers_) {
    const auto label = container.labels.find("mlpipe.gpus");
    if (label == container.labels.end()) continue;
    for (std::string_view gpu : split(label->second, ',')) held[container.name].emplace_back(gpu);
  }
  return held;
}

}  // namespace mlpipe::app
