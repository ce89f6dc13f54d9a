#include <algorithm>
#include <utility>

#include "backoff.hpp"
#include "demands.hpp"
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

// Does `retry: {on: ...}` name this end?
bool is_asked_for(const spec::RetryOn& on, const AttemptResult& result) {
  const auto names = [&on](spec::RetryCause cause) { return std::ranges::find(on.causes, cause) != on.causes.end(); };
  switch (result.end) {
    case AttemptEnd::user_exit:
      return names(spec::RetryCause::exit) || std::ranges::find(on.exit_codes, result.exit_code) != on.exit_codes.end();
    case AttemptEnd::signalled: return names(spec::RetryCause::signal);
    case AttemptEnd::out_of_memory: return names(spec::RetryCause::oom);
    case AttemptEnd::timed_out: return names(spec::RetryCause::timeout);
    case AttemptEnd::output_missing: return names(spec::RetryCause::missing_output);
    default: return false;
  }
}

// How an attempt ended, in the words of `retry: on`.
std::string named_in_retry_on(const AttemptResult& result) {
  switch (result.end) {
    case AttemptEnd::user_exit: return fmt::format("its exit code {}", result.exit_code);
    case AttemptEnd::signalled: return "`signal`";
    case AttemptEnd::out_of_memory: return "`oom`";
    case AttemptEnd::timed_out: return "`timeout`";
    case AttemptEnd::output_missing: return "`missing_output`";
    default: return "what happened";
  }
}

}  // namespace

void Run::Impl::start(TaskId id) {
  Result<TaskData> resolved = inputs_of(id);
  if (!resolved) return set(id, TaskState::failed, {.reason = add_reason(resolved.error().message)});
  TaskData& inputs = *resolved;
  Change change;
  if (claim(id, inputs, change) == Claim::settled) return;
  if (reads_what_is_gone(id)) return give_back(id);
  ++at(id).attempt;
  change.inputs = as_recorded(id, inputs);
  const std::uint64_t memory = memory_of(id);
  change.memory = memory != 0 ? memory : spec_of(id).settings->resources.memory;
  set(id, TaskState::starting, change);
  slots[at(id).slot].claimed = change.cache != nullptr;
  effects.emplace_back(
      Start{AttemptRequest{.id = {id, at(id).attempt}, .inputs = std::move(inputs), .memory = memory}});
}

// It would only fail later, for want of its input.
void Run::Impl::give_back(TaskId id) {
  effects.emplace_back(Release{id});
  const std::uint32_t reason = add_reason(fmt::format(
      "what it reads was taken away (`keep: false`) and not made again, for its own result was there; that has "
      "gone since. `mlpipe resume {} --retry-failed` makes both again",
      options.run_id));
  set(id, TaskState::failed, {.reason = reason});
}

Result<TaskData> Run::Impl::inputs_of(TaskId id) const {
  if (spec_of(id).arguments.empty()) return TaskData{};
  return resolve_inputs(values_of(self), id);
}

const TaskData* Run::Impl::as_recorded(TaskId id, TaskData inputs) {
  inputs = with_defaults(std::move(inputs), plan.component(id).interface);
  return is_empty(inputs) ? &k_no_data : &turn.inputs.emplace_back(std::move(inputs));
}

std::uint64_t Run::Impl::memory_of(TaskId id) const {
  auto raised = raised_memory.find(id);
  return raised == raised_memory.end() ? 0 : raised->second;
}

void Run::Impl::is_running(TaskId id, std::chrono::milliseconds already) {
  if (at(id).state != TaskState::starting) return;  // asked to stop meanwhile
  set(id, TaskState::running, {.already = already});
  slots[at(id).slot].since -= already;
  if (const auto timeout = spec_of(id).settings->timeout) deadlines.set(id, now + *timeout - already);
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
  if (is_fault_of_the_world(result.end)) ++at(id).faults_of_the_world;
  const Tries tries = tries_of(id, result);
  const std::string in_the_way = in_the_way_of_retry(id, tries, result);
  if (tries.failures <= tries.policy.limit && in_the_way.empty()) {
    const auto delay = retry_delay(tries.policy, tries.failures, options.seed, {id, at(id).attempt});
    set(id, TaskState::retry_wait, {.reason = add_reason(failure_text(result)), .result = &result, .retry_in = delay});
    deadlines.set(id, now + delay);
    if (result.end == AttemptEnd::out_of_memory) raise_memory(id);
  } else if (tries.failures <= tries.policy.limit) {
    AttemptResult& unretried = turn.results.emplace_back(result);
    unretried.message = fmt::format("{}; not retried: {}", failure_text(result), in_the_way);
    set(id, TaskState::failed, {.reason = add_reason(unretried.message), .result = &unretried});
  } else if (is_fault_of_the_world(result.end) && tries.policy.limit > 0) {
    AttemptResult& lost = turn.results.emplace_back(result);
    lost.message =
        fmt::format("{}; not tried again: such things happened {} times", failure_text(result), tries.failures);
    set(id, TaskState::failed, {.reason = add_reason(lost.message), .result = &lost});
  } else {
    set(id, TaskState::failed, {.reason = add_reason(failure_text(result)), .result = &result});
  }
}

Run::Impl::Tries Run::Impl::tries_of(TaskId id, const AttemptResult& result) const {
  const Task& task = at(id);
  if (is_fault_of_the_world(result.end)) {
    return {.policy = infrastructure_backoff(options.infrastructure_retries), .failures = task.faults_of_the_world};
  }
  return {.policy = spec_of(id).settings->retry, .failures = task.attempt - task.faults_of_the_world};
}

std::string Run::Impl::in_the_way_of_retry(TaskId id, const Tries& tries, const AttemptResult& result) const {
  const bool by_the_world = is_fault_of_the_world(result.end);
  if (!by_the_world && tries.policy.on && !is_asked_for(*tries.policy.on, result)) {
    return fmt::format("{} is not in `retry: on`", named_in_retry_on(result));
  }
  return may_start(id) ? "" : "the run is ending";
}

// The next attempt gets more, as much as the machine has. `id` holds nothing now.
void Run::Impl::raise_memory(TaskId id) {
  const spec::TaskSettings& settings = *spec_of(id).settings;
  if (settings.retry.memory_factor <= 1 || settings.resources.memory == 0) return;
  const std::uint64_t had = std::max(memory_of(id), settings.resources.memory);
  auto memory = static_cast<std::uint64_t>(static_cast<double>(had) * settings.retry.memory_factor);
  if (options.limits.memory > 0) memory = std::min(memory, options.limits.memory);
  set_memory(id, memory);
}

void Run::Impl::set_memory(TaskId id, std::uint64_t memory) {
  raised_memory.insert_or_assign(id, memory);
  spec::TaskSettings raised = *spec_of(id).settings;
  raised.resources.memory = memory;
  ready.change_demand(id, demand_of(plan.spec(), raised));
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
    set(id, TaskState::stopping, {.stop_reason = why});
    slots[at(id).slot].stop_reason = why;
  }
  effects.emplace_back(Stop{{id, at(id).attempt}, slots[at(id).slot].stop_reason, mode});
  deadlines.set(id, now + k_stop_patience);
}

}  // namespace mlpipe::engine
