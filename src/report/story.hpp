#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"

namespace mlpipe::report {

using engine::TaskId;
using engine::TaskState;
using std::chrono::milliseconds;

// What a report needs to know of a task before it starts. The views live as long as the run.
struct TaskInfo {
  std::string_view name;
  int attempts = 1;       // that its retry policy allows
  std::string_view file;  // where it is written; empty: unknown
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// What is known of a run when it starts.
struct RunFacts {
  std::string run_id;
  std::string pipeline;
  std::string root;  // the run's pipeline root; may be empty
  int max_parallel = 1;
  bool resumed = false;  // an earlier mlpipe began it
  std::size_t tasks = 0;
  std::function<TaskInfo(TaskId)> task;
  std::function<TaskState(TaskId)> state;  // at the start: a resumed run has ended tasks, a selection leaves some out
  std::function<int(TaskId)> lost = {};    // attempts lost to the engine before the start
};

// How the last attempt of a task that failed, or ended otherwise than well, went.
struct Ending {
  int attempt = 0;
  engine::AttemptResult result;  // without its outputs
  milliseconds duration{0};      // of that attempt
  std::string reason;            // why skipped or cancelled
};

// What has happened in a run so far, as the reports tell it. Durations come from the monotonic clock, so that a clock that
// is set does not bend them; that of a run that has ended is the record's, as in the listings.
class Story final {
 public:
  explicit Story(const Clock& clock) : clock_(clock) {}

  void start(RunFacts facts);
  void apply(const engine::Transition& transition);
  // `duration` is what the record says of the run; absent: as long as it was looked on.
  void finish(engine::RunState state, int interrupt_signal, std::string interrupted_by,
              std::optional<milliseconds> duration = {});

  const RunFacts& facts() const { return facts_; }
  bool started() const { return started_; }
  TaskInfo task(TaskId id) const { return facts_.task(id); }
  TaskState state(TaskId id) const { return tasks_[plan::index(id)].state; }
  int attempt(TaskId id) const { return tasks_[plan::index(id)].attempt; }
  // How many attempts there may be as it looks now: those lost to the engine are made again. 1: it is not retried.
  int attempts_allowed(TaskId id) const;
  std::size_t size() const { return tasks_.size(); }
  std::size_t count(TaskState state) const { return counts_[static_cast<std::size_t>(state)]; }
  std::size_t finished_tasks() const;
  std::size_t cached_tasks() const { return cached_; }  // that succeeded by an earlier run's result
  // tasks that had ended when the report began: a resumed run
  std::size_t already_done() const { return already_done_; }
  std::size_t active_tasks() const;

  // Tasks with an attempt under way, and those that wait for their next one; in the order they came to that.
  const std::vector<TaskId>& active() const { return active_; }
  const std::vector<TaskId>& retrying() const { return retrying_; }
  MonotonicTime attempt_started(TaskId id) const { return tasks_[plan::index(id)].attempt_started; }
  MonotonicTime next_attempt(TaskId id) const;
  // Of the latest attempt, and of all of them with the pauses between; 0 when it never started.
  milliseconds attempt_duration(TaskId id) const;
  milliseconds task_duration(TaskId id) const;
  bool ever_started(TaskId id) const { return tasks_[plan::index(id)].attempt > 0; }

  // In the order they failed.
  const std::vector<TaskId>& failures() const { return failures_; }
  // How a failed, skipped or cancelled task ended; null for others.
  const Ending* ending(TaskId id) const;

  engine::RunState run_state() const { return run_state_; }
  int interrupt_signal() const { return interrupt_signal_; }
  const std::string& interrupted_by() const { return interrupted_by_; }
  WallTime started_at() const { return started_at_; }
  milliseconds elapsed() const;
  const Clock& clock() const { return clock_; }

 private:
  struct TaskNow {
    TaskState state = TaskState::waiting;
    int attempt = 0;
    int lost = 0;
    bool was_started = false;  // while it was looked on
    MonotonicTime first_started{};
    MonotonicTime attempt_started{};
    MonotonicTime ended{};
  };

  void keep_lists(TaskId id, const engine::Transition& transition);

  const Clock& clock_;
  RunFacts facts_;
  bool started_ = false;
  std::size_t cached_ = 0;
  std::size_t already_done_ = 0;
  std::vector<TaskNow> tasks_;
  engine::StateCounts counts_{};
  std::vector<TaskId> active_, retrying_, failures_;
  std::map<TaskId, MonotonicTime> next_attempts_;
  std::map<TaskId, Ending> endings_;
  engine::RunState run_state_ = engine::RunState::running;
  int interrupt_signal_ = 0;
  std::string interrupted_by_;
  WallTime started_at_{};
  MonotonicTime start_{};
  MonotonicTime end_{};
};

}  // namespace mlpipe::report
