#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace mlpipe::engine {

// The states of a task.
//
//                    +------------------------ retry_wait <----------------------+
//                    v                                                           |
//   waiting -----> ready -----> starting -----> running -----+--> succeeded      |
//      |             |             |               |         +--> failed         |
//      |             |             +----+----------+         +--> (retry) -------+
//      |             |                  v                    |
//      |             |              stopping ----------------+--> cancelled
//      |             +--> deferred --> ready (another run, or a twin in this one, is making the very same result)
//      +-------------+--> succeeded (the cache has its result; no attempt was made)
//      +-------------+--> skipped (something it needs did not succeed, or `when` is false; or left out of the run)
//      +-------------+--> failed (its condition or one of its inputs has no value; no attempt was made)
//      +-------------+--> cancelled (the run was cancelled, or failed fast, before it started; from retry_wait and deferred, too)
//
// An attempt may end at any time: starting and stopping have the same ways out as running.
//
// waiting     something it needs has not ended
// ready       all it needs has ended well; waits for a free slot, resources or a place in its pools
// deferred    waits for a result that somebody else is making now, or for an import that shows whether artifacts that were
//             taken away are needed; then it is ready again, and the cache is asked again
// starting    its attempt is recorded and handed to the runner: image, container, mounts
// running     its container runs; the time-out counts from here
// stopping    asked to end (time-out or cancel); its end is still to come
// retry_wait  the attempt failed, another follows at a deadline
// the rest    final
enum class TaskState {
  waiting,
  ready,
  deferred,
  starting,
  running,
  stopping,
  retry_wait,
  succeeded,
  failed,
  skipped,
  cancelled
};
constexpr std::size_t k_task_states = 11;

enum class RunState { running, succeeded, failed, cancelled };

constexpr bool is_final(TaskState state) {
  return state == TaskState::succeeded || state == TaskState::failed || state == TaskState::skipped ||
         state == TaskState::cancelled;
}
// Does an attempt of the task exist that has not ended?
constexpr bool is_active(TaskState state) {
  return state == TaskState::starting || state == TaskState::running || state == TaskState::stopping;
}

// Does the drawing have an arrow from `from` to `to`?
bool may_follow(TaskState from, TaskState to);

std::string_view to_string(TaskState state);
std::string_view to_string(RunState state);

// How many tasks are in each state.
using StateCounts = std::array<std::size_t, k_task_states>;

}  // namespace mlpipe::engine
