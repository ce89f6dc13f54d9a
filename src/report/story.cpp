#include "report/story.hpp"

#include <algorithm>

namespace mlpipe::report {
namespace {

milliseconds between(MonotonicTime from, MonotonicTime to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

bool has_ending(TaskState state) {
  return state == TaskState::failed || state == TaskState::skipped || state == TaskState::cancelled;
}

}  // namespace

void Story::start(RunFacts facts) {
  facts_ = std::move(facts);
  started_ = true;
  start_ = clock_.now();
  started_at_ = clock_.wall();
  tasks_.assign(facts_.tasks, {});
  counts_.fill(0);
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    tasks_[i].state = facts_.state(static_cast<TaskId>(i));
    ++counts_[static_cast<std::size_t>(tasks_[i].state)];
    if (facts_.lost) tasks_[i].lost = facts_.lost(static_cast<TaskId>(i));
  }
  already_done_ = finished_tasks();
  facts_.lost = nullptr;
  facts_.state = nullptr;  // they may borrow what does not outlive the run
}

void Story::apply(const engine::Transition& transition) {
  const TaskId id = transition.task;
  TaskNow& task = tasks_[plan::index(id)];
  const MonotonicTime now = clock_.now();
  --counts_[static_cast<std::size_t>(task.state)];
  ++counts_[static_cast<std::size_t>(transition.to)];
  const bool was_active = engine::is_active(task.state);
  if (engine::is_active(transition.to) && !was_active) {
    task.attempt_started = now;
    if (!task.was_started) task.first_started = now;
    task.was_started = true;
  }
  if (transition.already.count() > 0) {
    task.attempt_started = now - transition.already;
    task.first_started = std::min(task.first_started, task.attempt_started);
  }
  if (transition.cached()) ++cached_;
  task.state = transition.to;
  task.attempt = std::max(task.attempt, transition.attempt);
  const bool is_made_again = transition.to == TaskState::retry_wait && transition.result != nullptr;
  if (is_made_again && engine::is_fault_of_the_world(transition.result->end)) ++task.lost;
  if (was_active && !engine::is_active(transition.to)) task.ended = now;
  keep_lists(id, transition);
  if (transition.to == TaskState::failed) failures_.push_back(id);
  if (has_ending(transition.to) || transition.to == TaskState::retry_wait) {
    Ending& ending = endings_[id];
    ending.reason = transition.reason;
    if (transition.result == nullptr) return;
    ending.attempt = transition.attempt;
    ending.duration = attempt_duration(id);
    const engine::AttemptResult& result = *transition.result;
    ending.result = {.end = result.end,
                     .exit_code = result.exit_code,
                     .message = result.message,
                     .hint = result.hint,
                     .outputs = {},
                     .oom_killed = result.oom_killed};
  } else if (transition.to == TaskState::succeeded) {
    endings_.erase(id);
  }
}

void Story::keep_lists(TaskId id, const engine::Transition& transition) {
  const bool active = engine::is_active(transition.to);
  const auto running = std::find(active_.begin(), active_.end(), id);
  if (active && running == active_.end()) active_.push_back(id);
  if (!active && running != active_.end()) active_.erase(running);
  if (transition.to == TaskState::retry_wait) {
    retrying_.push_back(id);
    next_attempts_[id] = clock_.now() + transition.retry_in.value_or(milliseconds{0});
  } else if (next_attempts_.erase(id) > 0) {
    retrying_.erase(std::find(retrying_.begin(), retrying_.end(), id));
  }
}

void Story::finish(engine::RunState state, int interrupt_signal, std::string interrupted_by,
                   std::optional<milliseconds> duration) {
  run_state_ = state;
  interrupt_signal_ = interrupt_signal;
  interrupted_by_ = std::move(interrupted_by);
  end_ = duration ? start_ + *duration : clock_.now();
}

int Story::attempts_allowed(TaskId id) const {
  const int by_policy = facts_.task(id).attempts;
  return by_policy > 1 ? by_policy + tasks_[plan::index(id)].lost : by_policy;
}

std::size_t Story::finished_tasks() const {
  return count(TaskState::succeeded) + count(TaskState::failed) + count(TaskState::skipped) +
         count(TaskState::cancelled);
}

std::size_t Story::active_tasks() const {
  return count(TaskState::starting) + count(TaskState::running) + count(TaskState::stopping);
}

MonotonicTime Story::next_attempt(TaskId id) const {
  const auto found = next_attempts_.find(id);
  return found == next_attempts_.end() ? clock_.now() : found->second;
}

milliseconds Story::attempt_duration(TaskId id) const {
  const TaskNow& task = tasks_[plan::index(id)];
  if (!task.was_started) return milliseconds{0};
  return between(task.attempt_started, engine::is_active(task.state) ? clock_.now() : task.ended);
}

milliseconds Story::task_duration(TaskId id) const {
  const TaskNow& task = tasks_[plan::index(id)];
  if (!task.was_started) return milliseconds{0};
  return between(task.first_started, engine::is_active(task.state) ? clock_.now() : task.ended);
}

const Ending* Story::ending(TaskId id) const {
  const auto found = endings_.find(id);
  return found == endings_.end() || !has_ending(state(id)) ? nullptr : &found->second;
}

milliseconds Story::elapsed() const {
  if (!started_) return milliseconds{0};
  return between(start_, run_state_ == engine::RunState::running ? clock_.now() : end_);
}

}  // namespace mlpipe::report
