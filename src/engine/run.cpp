#include "mlpipe/engine/run.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mlpipe/base/assert.hpp"
#include "removals.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {
namespace {

// A turn of very many transitions (the first of a wide pipeline, a cancel) does not keep its memory for the rest of
// the run.
constexpr std::size_t k_kept_transitions = 16'384;

std::string name_of(const Interrupted& interrupted) {
  if (interrupted.canceller != 0) return fmt::format("`mlpipe cancel` (process {})", interrupted.canceller);
  switch (interrupted.signal) {
    case 1: return "SIGHUP";
    case 2: return "SIGINT";
    case 15: return "SIGTERM";
    default: return fmt::format("signal {}", interrupted.signal);
  }
}

}  // namespace

Run::Impl::Impl(const Run& run, const plan::Plan& its_plan, RunOptions its_options, ResultCache* its_cache)
    : self(run),
      plan(its_plan),
      options(std::move(its_options)),
      cache(its_cache),
      tasks(plan.size()),
      ready(plan, options.limits) {
  MLPIPE_ASSERT(options.limits.max_parallel >= 1);
  counts[static_cast<std::size_t>(TaskState::waiting)] = plan.size();
  for (std::uint32_t id = 0; id < plan.size(); ++id) {
    tasks[id].unmet = static_cast<std::uint32_t>(plan.needs(TaskId{id}).size());
    if (tasks[id].unmet == 0 || !plan.selected(TaskId{id})) to_settle.push_back(TaskId{id});
  }
  // All of them change in the first turn, and some start.
  turn.transitions.reserve(to_settle.size() +
                           std::min(to_settle.size(), static_cast<std::size_t>(options.limits.max_parallel)));
}

Run::Impl::~Impl() = default;

std::vector<TaskId> Run::Impl::active() const {
  std::vector<Slot> used;
  std::copy_if(slots.begin(), slots.end(), std::back_inserter(used),
               [](const Slot& slot) { return slot.sequence > 0; });
  std::sort(used.begin(), used.end(), [](const Slot& a, const Slot& b) { return a.sequence < b.sequence; });
  std::vector<TaskId> ids;
  for (const Slot& slot : used) ids.push_back(slot.task);
  return ids;
}

void Run::Impl::Turn::clear() {
  transitions.clear();
  if (transitions.capacity() > k_kept_transitions) transitions = {};
  inputs.clear();
  answers.clear();
  results.clear();
}

// ---- What the loop calls ----------------------------------------------------------------------------------------

Run::Run(const plan::Plan& plan, RunOptions options, ResultCache* cache, std::vector<Recovered> recovered)
    : impl_(std::make_unique<Impl>(*this, plan, std::move(options), cache)) {
  impl_->resumed = !recovered.empty();
  impl_->recover(std::move(recovered));
}
Run::~Run() = default;

void Run::apply(const Event& event, MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  if (const auto* running = std::get_if<AttemptRunning>(&event)) {
    MLPIPE_ASSERT(attempt(running->id.task) == running->id.number && is_active(state(running->id.task)));
    impl_->is_running(running->id.task, running->already);
  } else if (const auto* finished = std::get_if<AttemptFinished>(&event)) {
    MLPIPE_ASSERT(attempt(finished->id.task) == finished->id.number && is_active(state(finished->id.task)));
    impl_->has_ended(finished->id.task, finished->result);
  } else if (const auto* settled = std::get_if<ResultSettled>(&event)) {
    if (state(settled->task) == TaskState::deferred) impl_->set(settled->task, TaskState::ready);
  } else if (const auto* interrupted = std::get_if<Interrupted>(&event)) {
    const std::string by = name_of(*interrupted);
    if (impl_->interrupt_signal == 0) {
      impl_->interrupt_signal = interrupted->signal;
      impl_->interrupted_by = by;
    }
    cancel(fmt::format("{} by {}", interrupted->canceller == 0 ? "interrupted" : "cancelled", by), now, wall);
  }
}

void Run::advance(MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  while (const std::optional<TaskId> due = impl_->deadlines.take_due(now)) impl_->deadline_came(*due);
  impl_->take_up_attempts();
  while (true) {
    impl_->settle();  // again after each start, for a task whose inputs have no value fails at once
    const std::optional<TaskId> task = impl_->ready.next();
    if (!task) break;
    impl_->start(*task);
  }
  // Else nothing would ever happen again: a task that can never fit got past check_fits().
  MLPIPE_ASSERT(finished() || impl_->slots.size() > impl_->free_slots.size() || next_deadline() ||
                impl_->count(TaskState::deferred) > 0);
}

void Run::set_end(WallTime at) { impl_->recorded_end = at; }

void Run::cancel(std::string reason, MonotonicTime now, WallTime wall) {
  impl_->now = now;
  impl_->wall = wall;
  impl_->settle();
  if (finished()) return;
  if (++impl_->cancels == 1) {
    impl_->cancel_reason = std::move(reason);
    impl_->cancel_unstarted(impl_->cancel_reason, impl_->cancel_reason);
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
  if (impl_->removals) impl_->removals->end_turn();
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
int Run::lost_attempts(TaskId id) const { return impl_->at(id).faults_of_the_world; }

std::optional<std::chrono::milliseconds> Run::duration() const {
  if (!impl_->options.begun || !impl_->recorded_end) return std::nullopt;
  return std::max(std::chrono::milliseconds(0),
                  *impl_->recorded_end - *impl_->options.begun);  // a clock may be set back
}
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

const std::string& Run::cached_from(TaskId id) const {
  const Impl::Task& task = impl_->at(id);
  return impl_->reasons[task.state == TaskState::succeeded ? task.reason : 0].text;
}

std::size_t Run::cached() const { return impl_->cached; }
ResultCache* Run::cache() const { return impl_->cache; }
bool Run::resumed() const { return impl_->resumed; }

int Run::interrupt_signal() const { return impl_->interrupt_signal; }
const std::string& Run::interrupted_by() const { return impl_->interrupted_by; }

}  // namespace mlpipe::engine
