#include "mlpipe/engine/run.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "backoff.hpp"
#include "deadlines.hpp"
#include "inputs.hpp"
#include "mlpipe/base/assert.hpp"
#include "ready_queue.hpp"

namespace mlpipe::engine {
namespace {

// A runner that was asked to stop an attempt ends it within its grace. When nothing is heard for this long, it is asked to kill.
constexpr std::chrono::seconds k_stop_patience{60};

const TaskData k_no_data;

bool is_empty(const TaskData& data) { return data.parameters.empty() && data.artifacts.empty(); }

std::string signal_name(int signal) {
  switch (signal) {
    case 1: return "SIGHUP";
    case 2: return "SIGINT";
    case 15: return "SIGTERM";
    default: return fmt::format("signal {}", signal);
  }
}

std::string failure_text(const AttemptResult& result) {
  return result.message.empty() ? std::string(to_string(result.end)) : result.message;
}

}  // namespace

struct Run::Impl {
  // What is known of each task; made small, for there may be a million.
  struct Task {
    TaskState state = TaskState::waiting;
    std::uint32_t unmet = 0;                  // needs that have not ended
    int attempt = 0;                          // of the latest, 0 before the first
    int faults_of_the_world = 0;              // attempts that do not count against the task's own retries
    std::uint32_t reason = 0;                 // index into reasons
    std::uint32_t slot = 0;                   // index into slots while active
    std::unique_ptr<const TaskData> outputs;  // of a succeeded task that has some
  };

  // What is known of an attempt under way, beyond its task. Slots are used again.
  struct Slot {
    TaskId task{};
    std::uint64_t sequence = 0;  // of starts; 0: the slot is free
    MonotonicTime since{};
    StopReason stop_reason = StopReason::cancelled;  // when stopping
  };

  // Why a task ended without success. Tasks skipped for one cause share one.
  struct Reason {
    std::string text;
    std::uint32_t for_dependants = 0;  // the reason they get; 0: not made yet
  };

  // Everything a change of state says beyond the state.
  struct Change {
    std::uint32_t reason = 0;
    const AttemptResult* result = nullptr;
    const TaskData* inputs = nullptr;
    std::optional<std::chrono::milliseconds> retry_in = std::nullopt;
  };

  Impl(const Run& run, const plan::Plan& its_plan, RunOptions its_options)
      : self(run), plan(its_plan), options(std::move(its_options)), tasks(plan.size()), ready(plan, options.limits) {
    MLPIPE_ASSERT(options.limits.max_parallel >= 1);
    counts[static_cast<std::size_t>(TaskState::waiting)] = plan.size();
    for (std::uint32_t id = 0; id < plan.size(); ++id) {
      tasks[id].unmet = static_cast<std::uint32_t>(plan.needs(TaskId{id}).size());
      if (tasks[id].unmet == 0 || !plan.selected(TaskId{id})) to_settle.push_back(TaskId{id});
    }
  }

  Task& at(TaskId id) { return tasks[index(id)]; }
  const Task& at(TaskId id) const { return tasks[index(id)]; }
  const spec::TaskSpec& spec_of(TaskId id) const { return *plan.task(id).spec; }
  std::size_t count(TaskState state) const { return counts[static_cast<std::size_t>(state)]; }

  bool failing_fast() const { return first_failure.has_value() && options.on_failure == FailurePolicy::fail_fast; }
  bool may_start(TaskId id) const {
    return cancels == 0 && (!failing_fast() || spec_of(id).trigger == spec::TriggerStrategy::all_completed);
  }

  void set(TaskId id, TaskState to, const Change& change);
  void set(TaskId id, TaskState to) { set(id, to, Change{}); }
  void occupy_slot(TaskId id);
  void free_slot(TaskId id);

  std::uint32_t add_reason(std::string text) {
    reasons.push_back(Reason{.text = std::move(text)});
    return static_cast<std::uint32_t>(reasons.size() - 1);
  }
  std::uint32_t reason_for_dependants(TaskId id);

  void settle();
  void settle_one(TaskId id);
  void become_ready_or_not(TaskId id);
  void release_dependants(TaskId id);
  void cancel_unstarted(std::string why);

  void start(TaskId id);
  void is_running(TaskId id);
  void has_ended(TaskId id, const AttemptResult& result);
  std::optional<std::chrono::milliseconds> delay_before_retry(TaskId id, AttemptEnd end);
  void deadline_came(TaskId id);
  void ask_to_stop(TaskId id, StopReason why, StopMode mode);
  std::vector<TaskId> active() const;

  const Run& self;
  const plan::Plan& plan;
  const RunOptions options;

  std::vector<Task> tasks;
  StateCounts counts{};
  ReadyQueue ready;
  Deadlines deadlines;  // running: time-out; stopping: patience; retry_wait: the next attempt
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free_slots;
  std::uint64_t starts = 0;

  static constexpr std::uint32_t not_selected = 1;
  std::deque<Reason> reasons{Reason{}, Reason{.text = "not selected"}};
  std::vector<TaskId> to_settle;  // waiting tasks that may have nothing to wait for, and tasks that have just ended
  std::optional<TaskId> first_failure;  // a task that failed
  bool rest_cancelled = false;          // the rest was cancelled because of it
  int cancels = 0;
  std::string cancel_reason;
  int interrupt_signal = 0;

  MonotonicTime now{};  // of this turn
  WallTime wall{};

  // What the loop has not taken yet, and what that points to. The `told` ones keep alive what take_effects() handed out.
  struct Turn {
    std::vector<Transition> transitions;
    std::deque<TaskData> inputs;
    void clear() {
      transitions.clear();
      inputs.clear();
    }
  };
  Turn turn;
  Turn told;
  std::vector<Effect> effects;
};

// ---- The one place where a task changes its state ---------------------------------------------------------------

void Run::Impl::set(TaskId id, TaskState to, const Change& change) {
  Task& task = at(id);
  const TaskState from = task.state;
  MLPIPE_ASSERT(may_follow(from, to));
  task.state = to;
  --counts[static_cast<std::size_t>(from)];
  ++counts[static_cast<std::size_t>(to)];
  if (change.reason != 0) task.reason = change.reason;

  if (from == TaskState::ready) to == TaskState::starting ? ready.take(id) : ready.withdraw(id);
  if (to == TaskState::ready) ready.push(id);
  if (!is_active(from) && is_active(to)) occupy_slot(id);
  if (is_active(from) && !is_active(to)) {
    free_slot(id);
    ready.release(id);
  }
  deadlines.clear(id);
  if (to == TaskState::failed && !first_failure) first_failure = id;
  if (is_final(to)) to_settle.push_back(id);

  turn.transitions.push_back(Transition{.task = id,
                                        .attempt = task.attempt,
                                        .from = from,
                                        .to = to,
                                        .at = wall,
                                        .reason = reasons[change.reason].text,
                                        .result = change.result,
                                        .inputs = change.inputs,
                                        .retry_in = change.retry_in});
}

void Run::Impl::occupy_slot(TaskId id) {
  if (free_slots.empty()) {
    free_slots.push_back(static_cast<std::uint32_t>(slots.size()));
    slots.emplace_back();
  }
  at(id).slot = free_slots.back();
  free_slots.pop_back();
  slots[at(id).slot] = Slot{.task = id, .sequence = ++starts, .since = now};
}

void Run::Impl::free_slot(TaskId id) {
  slots[at(id).slot].sequence = 0;
  free_slots.push_back(at(id).slot);
}

// ---- What follows from an end -----------------------------------------------------------------------------------

// Works off everything that follows from tasks having ended, down to the last dependant; by a list, for chains are long.
void Run::Impl::settle() {
  while (true) {
    for (std::size_t next = 0; next < to_settle.size(); ++next) settle_one(to_settle[next]);
    to_settle.clear();
    // Only now: what depends on the failed task is skipped, the rest is cancelled.
    if (rest_cancelled || !failing_fast()) return;
    rest_cancelled = true;
    cancel_unstarted(fmt::format("not started because '{}' failed", plan.task(*first_failure).path()));
  }
}

void Run::Impl::settle_one(TaskId id) {
  if (is_final(at(id).state)) {
    release_dependants(id);
  } else if (!plan.selected(id)) {
    set(id, TaskState::skipped, {.reason = not_selected});
  } else {
    become_ready_or_not(id);
  }
}

void Run::Impl::release_dependants(TaskId id) {
  // A task left out of the run counts as done: its dependants only wanted the order (plan/selection.hpp).
  const bool met = at(id).state == TaskState::succeeded || !plan.selected(id);
  for (TaskId dependant : plan.dependants(id)) {
    Task& task = at(dependant);
    if (task.state != TaskState::waiting || !plan.selected(dependant)) continue;
    --task.unmet;
    if (!met && spec_of(dependant).trigger == spec::TriggerStrategy::all_succeeded) {
      set(dependant, TaskState::skipped, {.reason = reason_for_dependants(id)});
    } else if (task.unmet == 0) {
      become_ready_or_not(dependant);
    }
  }
}

void Run::Impl::become_ready_or_not(TaskId id) {
  if (!may_start(id)) return;  // about to be cancelled with the rest
  if (spec_of(id).when) {
    const Result<bool> holds = condition_holds(self, id);
    if (!holds) return set(id, TaskState::failed, {.reason = add_reason(holds.error().message)});
    if (!*holds) {
      const std::uint32_t reason = add_reason(fmt::format("its condition is false: {}", spec_of(id).when->text()));
      return set(id, TaskState::skipped, {.reason = reason});
    }
  }
  set(id, TaskState::ready);
}

std::uint32_t Run::Impl::reason_for_dependants(TaskId id) {
  Reason& own = reasons[at(id).reason];
  if (own.for_dependants == 0) {
    const std::string_view name = plan.task(id).path();
    const std::uint32_t theirs =
        add_reason(at(id).state == TaskState::failed      ? fmt::format("'{}' failed", name)
                   : at(id).state == TaskState::cancelled ? fmt::format("'{}' was cancelled", name)
                                                          : fmt::format("'{}' was skipped: {}", name, own.text));
    own.for_dependants = theirs;
    reasons[theirs].for_dependants = theirs;  // the first cause is named all the way down
  }
  return own.for_dependants;
}

void Run::Impl::cancel_unstarted(std::string why) {
  const std::uint32_t reason = add_reason(std::move(why));
  for (std::uint32_t task = 0; task < tasks.size(); ++task) {
    const TaskId id{task};
    const bool unstarted = !is_final(at(id).state) && !is_active(at(id).state);
    if (unstarted && !may_start(id)) set(id, TaskState::cancelled, {.reason = reason});
  }
}

// ---- Attempts ---------------------------------------------------------------------------------------------------

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

std::vector<TaskId> Run::Impl::active() const {
  std::vector<Slot> used;
  std::copy_if(slots.begin(), slots.end(), std::back_inserter(used),
               [](const Slot& slot) { return slot.sequence > 0; });
  std::sort(used.begin(), used.end(), [](const Slot& a, const Slot& b) { return a.sequence < b.sequence; });
  std::vector<TaskId> ids;
  for (const Slot& slot : used) ids.push_back(slot.task);
  return ids;
}

// ---- What the loop calls ----------------------------------------------------------------------------------------

Run::Run(const plan::Plan& plan, RunOptions options) : impl_(std::make_unique<Impl>(*this, plan, std::move(options))) {}
Run::~Run() = default;

void Run::apply(const Event& event, MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  if (const auto* running = std::get_if<AttemptRunning>(&event)) {
    MLPIPE_ASSERT(attempt(running->id.task) == running->id.number && is_active(state(running->id.task)));
    impl_->is_running(running->id.task);
  } else if (const auto* finished = std::get_if<AttemptFinished>(&event)) {
    MLPIPE_ASSERT(attempt(finished->id.task) == finished->id.number && is_active(state(finished->id.task)));
    impl_->has_ended(finished->id.task, finished->result);
  } else if (const auto* interrupted = std::get_if<Interrupted>(&event)) {
    if (impl_->interrupt_signal == 0) impl_->interrupt_signal = interrupted->signal;
    cancel(fmt::format("interrupted by {}", signal_name(interrupted->signal)), now, wall);
  }
}

void Run::advance(MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  while (const std::optional<TaskId> due = impl_->deadlines.take_due(now)) impl_->deadline_came(*due);
  while (true) {
    impl_->settle();  // again after each start, for a task whose inputs have no value fails at once
    const std::optional<TaskId> task = impl_->ready.next();
    if (!task) break;
    impl_->start(*task);
  }
  // Else nothing would ever happen again: a task that can never fit got past check_fits().
  MLPIPE_ASSERT(finished() || impl_->slots.size() > impl_->free_slots.size() || next_deadline());
}

void Run::cancel(std::string reason, MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  impl_->settle();
  if (finished()) return;
  if (++impl_->cancels == 1) {
    impl_->cancel_reason = std::move(reason);
    impl_->cancel_unstarted(impl_->cancel_reason);
  }
  for (TaskId id : impl_->active()) {
    if (impl_->cancels > 1) {
      impl_->ask_to_stop(id, StopReason::cancelled, StopMode::kill);
    } else if (state(id) != TaskState::stopping) {
      impl_->ask_to_stop(id, StopReason::cancelled, StopMode::graceful);
    }
  }
}

std::span<const Transition> Run::transitions() const { return impl_->turn.transitions; }

std::vector<Run::Effect> Run::take_effects() {
  std::swap(impl_->turn, impl_->told);  // what transitions() gave stays valid until the next turn's are taken
  impl_->turn.clear();
  return std::exchange(impl_->effects, {});
}

bool Run::finished() const {
  const Impl& run = *impl_;
  return run.count(TaskState::succeeded) + run.count(TaskState::failed) + run.count(TaskState::skipped) +
             run.count(TaskState::cancelled) ==
         run.tasks.size();
}

std::optional<MonotonicTime> Run::next_deadline() const { return impl_->deadlines.soonest(); }

// ---- What reporters and callers read ----------------------------------------------------------------------------

const plan::Plan& Run::plan() const { return impl_->plan; }
const RunOptions& Run::options() const { return impl_->options; }

RunState Run::state() const {
  if (!finished()) return RunState::running;
  if (impl_->cancels > 0 && impl_->count(TaskState::cancelled) > 0) return RunState::cancelled;
  return impl_->first_failure ? RunState::failed : RunState::succeeded;
}

TaskState Run::state(TaskId id) const { return impl_->at(id).state; }
int Run::attempt(TaskId id) const { return impl_->at(id).attempt; }
const StateCounts& Run::counts() const { return impl_->counts; }
std::vector<TaskId> Run::active() const { return impl_->active(); }

MonotonicTime Run::active_since(TaskId id) const {
  MLPIPE_ASSERT(is_active(state(id)));
  return impl_->slots[impl_->at(id).slot].since;
}

const TaskData* Run::outputs(TaskId id) const {
  const Impl::Task& task = impl_->at(id);
  if (task.state != TaskState::succeeded) return nullptr;
  return task.outputs ? task.outputs.get() : &k_no_data;
}

const std::string& Run::reason(TaskId id) const {
  const Impl::Task& task = impl_->at(id);
  return impl_->reasons[task.state == TaskState::succeeded ? 0 : task.reason].text;
}

int Run::interrupt_signal() const { return impl_->interrupt_signal; }

}  // namespace mlpipe::engine
