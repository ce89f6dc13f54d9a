#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlpipe/engine/failpoint.hpp"
#include "mlpipe/engine/limits.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// fail_fast: once a task has failed, what runs may end, and nothing starts but tasks that run whatever happened
// before them (TriggerStrategy::all_completed); the rest is cancelled. keep_going: only what depends on the failed
// task is skipped.
enum class FailurePolicy { fail_fast, keep_going };

struct RunOptions {
  std::string run_id;
  Limits limits;
  FailurePolicy on_failure = FailurePolicy::fail_fast;
  int infrastructure_retries = 3;      // attempts lost to the world that do not count against a task's own retries
  std::uint64_t seed = 0;              // of the back-off jitter
  std::string run_root;                // ${{ run.root }}
  std::optional<WallTime> begun = {};  // as the record has it
};

// What the record knows of a task when its run is taken up again.
struct Recovered {
  TaskId task{};
  // succeeded and failed stay. Of an active one, the latest attempt is taken up. All others begin anew: what made them
  // so is found again, or (a cancel) does not count any more.
  TaskState state = TaskState::waiting;
  int attempt = 0;
  int faults_of_the_world = 0;  // attempts that did not use up the task's own retries
  std::uint64_t memory = 0;     // that its latest attempt had, 0: what its settings say
  std::string reason;           // of a failed task
  std::string cached_from;      // of a succeeded task
  TaskData outputs;             // of a succeeded task
  TakeUp take_up;               // of an active one
};

// The state of one run: no I/O but what its ResultCache does, no clock of its own. The loop (run_to_end) gives it events and times; it
// answers with transitions to record and, after those are durable, effects to carry out. Loop thread only.
class Run final {
 public:
  struct Start {
    AttemptRequest request;
  };
  struct Stop {
    AttemptId id;
    StopReason reason;
    StopMode mode;
  };
  // ResultCache::release()
  struct Release {
    TaskId task;
  };
  // Record::discard(), then ResultCache::discard()
  struct Discard {
    TaskId task;
  };
  using Effect = std::variant<Start, Stop, Release, Discard>;

  // `cache` is borrowed; null: every task runs. `recovered`: what an earlier mlpipe did of this run.
  Run(const plan::Plan& plan, RunOptions options, ResultCache* cache = nullptr, std::vector<Recovered> recovered = {});
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // ---- What the loop calls ----
  // Transitions point into `event`: it stays until they are taken and told.
  void apply(const Event& event, MonotonicTime now, WallTime wall);
  // Deadlines that have come (time-outs, retries), then everything that can start now.
  void advance(MonotonicTime now, WallTime wall);
  // First call: stop what runs with grace and start nothing more. Second call: kill.
  void cancel(std::string reason, MonotonicTime now, WallTime wall);
  // Transitions since take_effects(), in order; valid, with all they point to, until the next call that changes the run
  // after take_effects().
  std::span<const Transition> transitions() const;
  // Effects since the last call; to be carried out after transitions() are durable. Clears both lists.
  std::vector<Effect> take_effects();
  bool finished() const;
  std::optional<MonotonicTime> next_deadline() const;
  // The end as the record has it; once finished().
  void set_end(WallTime at);

  // ---- What reporters and callers read ----
  const plan::Plan& plan() const;
  const RunOptions& options() const;
  // running until finished(). Then cancelled when cancel() was called and a task was cancelled; else failed when one
  // failed.
  RunState state() const;
  TaskState state(TaskId id) const;
  int attempt(TaskId id) const;        // of the latest attempt, 0 before the first
  int lost_attempts(TaskId id) const;  // those that did not use up the task's own retries
  // From its beginning to its end, as the record has both; absent before the end.
  std::optional<std::chrono::milliseconds> duration() const;
  const StateCounts& counts() const;
  // Tasks with an attempt under way, in the order they started.
  std::vector<TaskId> active() const;
  MonotonicTime active_since(TaskId id) const;      // when its attempt was started; of an active task
  const TaskData* outputs(TaskId id) const;         // of a succeeded task
  const std::string& reason(TaskId id) const;       // why it was skipped, cancelled or failed
  const std::string& cached_from(TaskId id) const;  // the run whose result stands for its own; empty: none
  std::size_t cached() const;                       // how many succeeded by an earlier run's result
  ResultCache* cache() const;
  bool resumed() const;                       // an earlier mlpipe began it
  int interrupt_signal() const;               // the signal that cancelled the run, 0 if none
  const std::string& interrupted_by() const;  // for people: "SIGINT", "`mlpipe cancel` (process 4711)"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs to the end. Every turn: record the transitions, then carry out the effects, then report, then wait.
// When the record cannot be written: kills what runs, waits for it, returns the Error (the run stays resumable).
Result<RunState> run_to_end(Run& run, TaskRunner& runner, Record& record, Reporter& reporter, const Clock& clock,
                            const Failpoint& failpoint = {});

}  // namespace mlpipe::engine
