#include <utility>

#include "backoff.hpp"
#include "inputs.hpp"
#include "mlpipe/base/assert.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {
namespace {

// A runner that was asked to stop an attempt ends it within its grace. When nothing is heard for this long, it is
// asked to kill.
constexpr std::chrono::seconds k_stop_patience{60};

std::string failure_text(const AttemptResult& result) {
  return result.message.empty() ? std::string(to_string(result.end)) : result.message;
}

}  // namespace

void Run::Impl::start(TaskId id) {
  TaskData inputs;
  if (!spec_of(id).arguments.empty()) {
    Result<TaskData> resolved = resolve_inputs(self, id);
    if (!resolved) return set(id, TaskState::failed, {.reason = add_reason(resolved.error().message)});
    inputs = std::move(*resolved);
  }
  ++at(id).attempt;
  const TaskData* recorded = is_empty(inputs) ? &k_no_data : &turn.inputs.emplace_back(inputs);
  set(id, TaskState::starting, {.inputs = recorded});
  effects.emplace_back(Start{AttemptRequest{.id = {id, at(id).attempt}, .inputs = std::move(inputs)}});
}

void Run::Impl::is_running(TaskId id) {
  if (at(id).state != TaskState::starting) return;  // asked to stop meanwhile
  set(id, TaskState::running);
  if (const auto timeout = spec_of(id).settings->timeout) deadlines.set(id, now + *timeout);
}

void Run::Impl::has_ended(TaskId id, const AttemptResult& result) {
  if (result.end == AttemptEnd::succeeded) {
    if (!is_empty(result.outputs)) at(id).outputs = std::make_unique<const TaskData>(result.outputs);
    return set(id, TaskState::succeeded, {.result = &result});
  }
  // What the world did to an attempt while it was being cancelled makes no difference any more.
  if (result.end == AttemptEnd::cancelled || (cancels > 0 && is_fault_of_the_world(result.end))) {
    return set(id, TaskState::cancelled,
               {.reason = add_reason(cancels > 0 ? cancel_reason : failure_text(result)), .result = &result});
  }
  const std::uint32_t reason = add_reason(failure_text(result));
  if (const auto delay = delay_before_retry(id, result.end)) {
    set(id, TaskState::retry_wait, {.reason = reason, .result = &result, .retry_in = delay});
    deadlines.set(id, now + *delay);
  } else {
    set(id, TaskState::failed, {.reason = reason, .result = &result});
  }
}

std::optional<std::chrono::milliseconds> Run::Impl::delay_before_retry(TaskId id, AttemptEnd end) {
  Task& task = at(id);
  const bool world = is_fault_of_the_world(end);
  if (world) ++task.faults_of_the_world;
  const spec::RetryPolicy policy =
      world ? infrastructure_backoff(options.infrastructure_retries) : spec_of(id).settings->retry;
  const int failures = world ? task.faults_of_the_world : task.attempt - task.faults_of_the_world;
  if (failures > policy.limit || !may_start(id)) return std::nullopt;
  return retry_delay(policy, failures, options.seed, {id, task.attempt});
}

void Run::Impl::deadline_came(TaskId id) {
  switch (at(id).state) {
    case TaskState::retry_wait: return set(id, TaskState::ready);
    case TaskState::running: return ask_to_stop(id, StopReason::timed_out, StopMode::graceful);
    case TaskState::stopping: return ask_to_stop(id, slots[at(id).slot].stop_reason, StopMode::kill);
    default: MLPIPE_ASSERT(false && "only these states have deadlines");
  }
}

void Run::Impl::ask_to_stop(TaskId id, StopReason why, StopMode mode) {
  if (at(id).state != TaskState::stopping) {
    set(id, TaskState::stopping);
    slots[at(id).slot].stop_reason = why;
  }
  effects.emplace_back(Stop{{id, at(id).attempt}, slots[at(id).slot].stop_reason, mode});
  deadlines.set(id, now + k_stop_patience);
}

}  // namespace mlpipe::engine
