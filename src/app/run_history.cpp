#include "app/run_history.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;

bool is(const std::string& text, std::initializer_list<TaskState> states) {
  for (const TaskState state : states) {
    if (engine::to_string(state) == text) return true;
  }
  return false;
}

}  // namespace

Result<> RunHistory::read() {
  // First the run and then its events: when it has ended, all of them are there.
  Result<metadata::RunRow> run = queries_.find_run(run_.id);
  if (!run) return Failure(std::move(run).error());
  run_ = std::move(*run);
  const Result<std::vector<metadata::EventRow>> events = queries_.events(run_.id, "", last_event_);
  if (!events) return Failure(events.error());
  for (const metadata::EventRow& event : *events) apply(event);
  return {};
}

void RunHistory::apply(const metadata::EventRow& event) {
  last_event_ = event.number;
  if (event.task.empty() || (!task_.empty() && event.task != task_)) return;
  if (is(event.to, {TaskState::succeeded, TaskState::failed, TaskState::skipped, TaskState::cancelled})) {
    task_ended_ = !task_.empty();
  }
  if (event.attempt == 0 || is(event.to, {TaskState::running, TaskState::stopping})) return;
  if (is(event.to, {TaskState::starting})) {
    // The attempt of an earlier mlpipe, taken up: it is known already.
    if (latest_attempt(event.task) == event.attempt) return;
    latest_[event.task] = attempts_.size();
    attempts_.push_back({event.task, event.attempt, false});
    return;
  }
  const auto latest = latest_.find(event.task);
  if (latest != latest_.end() && attempts_[latest->second].number == event.attempt)
    attempts_[latest->second].ended = true;
}

int RunHistory::latest_attempt(const std::string& task) const {
  const auto latest = latest_.find(task);
  return latest == latest_.end() ? 0 : attempts_[latest->second].number;
}

}  // namespace mlpipe::app
