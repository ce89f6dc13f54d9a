#include "mlpipe/base/assert.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {

void Run::Impl::set(TaskId id, TaskState to, const Change& change) {
  Task& task = at(id);
  const TaskState from = task.state;
  MLPIPE_ASSERT(may_follow(from, to));
  task.state = to;
  --counts[static_cast<std::size_t>(from)];
  ++counts[static_cast<std::size_t>(to)];
  if (change.reason != 0) task.reason = change.reason;

  if (from == TaskState::ready) {
    if (to != TaskState::starting) {
      ready.withdraw(id);
    } else if (change.taken_up) {
      ready.take_anyway(id);
    } else {
      ready.take(id);
    }
  }
  if (to == TaskState::ready) ready.push(id);
  if (!is_active(from) && is_active(to)) occupy_slot(id);
  if (is_active(from) && !is_active(to)) {
    if (slots[task.slot].claimed) effects.emplace_back(Release{id});
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
                                        .retry_in = change.retry_in,
                                        .cache = change.cache,
                                        .outputs = to == TaskState::succeeded ? self.outputs(id) : nullptr,
                                        .memory = change.memory,
                                        .stop_reason = change.stop_reason,
                                        .taken_up = change.taken_up,
                                        .already = change.already});
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

}  // namespace mlpipe::engine
