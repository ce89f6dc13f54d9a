#include "mlpipe/engine/state.hpp"

#include <initializer_list>

#include "mlpipe/engine/values.hpp"

namespace mlpipe::engine {
namespace {

// Per state, the states that may follow it, one bit each: the arrows of the drawing.
constexpr std::array<unsigned, k_task_states> k_arrows = [] {
  using enum TaskState;
  std::array<unsigned, k_task_states> arrows{};
  auto from = [&](TaskState state, std::initializer_list<TaskState> followers) {
    for (TaskState follower : followers)
      arrows[static_cast<std::size_t>(state)] |= 1u << static_cast<unsigned>(follower);
  };
  from(waiting, {ready, succeeded, skipped, failed, cancelled});
  from(ready, {starting, deferred, succeeded, skipped, failed, cancelled});
  from(deferred, {ready, cancelled});
  from(starting, {running, stopping, succeeded, failed, retry_wait, cancelled});
  from(running, {stopping, succeeded, failed, retry_wait, cancelled});
  from(stopping, {succeeded, failed, retry_wait, cancelled});
  from(retry_wait, {ready, cancelled});
  return arrows;
}();

}  // namespace

bool may_follow(TaskState from, TaskState to) {
  return (k_arrows[static_cast<std::size_t>(from)] >> static_cast<unsigned>(to) & 1u) != 0;
}

std::string_view to_string(TaskState state) {
  switch (state) {
    case TaskState::waiting: return "waiting";
    case TaskState::ready: return "ready";
    case TaskState::deferred: return "deferred";
    case TaskState::starting: return "starting";
    case TaskState::running: return "running";
    case TaskState::stopping: return "stopping";
    case TaskState::retry_wait: return "retry_wait";
    case TaskState::succeeded: return "succeeded";
    case TaskState::failed: return "failed";
    case TaskState::skipped: return "skipped";
    case TaskState::cancelled: return "cancelled";
  }
  return "?";
}

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::running: return "running";
    case RunState::succeeded: return "succeeded";
    case RunState::failed: return "failed";
    case RunState::cancelled: return "cancelled";
  }
  return "?";
}

std::string_view to_string(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::succeeded: return "succeeded";
    case AttemptEnd::user_exit: return "user_exit";
    case AttemptEnd::signalled: return "signalled";
    case AttemptEnd::out_of_memory: return "out_of_memory";
    case AttemptEnd::timed_out: return "timed_out";
    case AttemptEnd::output_missing: return "output_missing";
    case AttemptEnd::not_startable: return "not_startable";
    case AttemptEnd::lost: return "lost";
    case AttemptEnd::infrastructure: return "infrastructure";
    case AttemptEnd::cancelled: return "cancelled";
  }
  return "?";
}

bool is_fault_of_the_world(AttemptEnd end) { return end == AttemptEnd::lost || end == AttemptEnd::infrastructure; }

}  // namespace mlpipe::engine
