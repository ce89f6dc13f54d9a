#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlpipe/engine/ports.hpp"
#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// What running tasks may use together. 0 in cpu or memory: not limited.
struct Limits {
  int max_parallel = 1;  // --jobs
  double cpu = 0;
  std::uint64_t memory = 0;
  int gpu = 0;
};

enum class FailurePolicy { fail_fast, keep_going };

struct RunOptions {
  std::string run_id;
  Limits limits;
  FailurePolicy on_failure = FailurePolicy::fail_fast;
  int infrastructure_retries = 3;  // attempts lost to the world that do not count against a task's own retries
  std::uint64_t seed = 0;          // of the back-off jitter
  std::string run_root;            // ${{ run.root }}
};

// The state of one run: pure, no I/O, no clock of its own. The loop (run_to_end) gives it events and times; it answers with
// transitions to record and, after those are durable, effects to carry out. Loop thread only.
class Run final {
 public:
  struct Start { AttemptRequest request; };
  struct Stop { AttemptId id; StopReason reason; StopMode mode; };
  using Effect = std::variant<Start, Stop>;

  Run(const plan::Plan& plan, RunOptions options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // ---- What the loop calls ----
  void apply(const Event& event, MonotonicTime now, WallTime wall);
  // Deadlines that have come (time-outs, retries), then everything that can start now.
  void advance(MonotonicTime now, WallTime wall);
  // First call: stop what runs with grace and start nothing more. Second call: kill.
  void cancel(std::string reason, MonotonicTime now, WallTime wall);
  // Transitions since the last call, in order; valid until the next call that changes the run.
  std::span<const Transition> transitions() const;
  // Effects since the last call; to be carried out after transitions() are durable. Clears both lists.
  std::vector<Effect> take_effects();
  bool finished() const;
  std::optional<MonotonicTime> next_deadline() const;

  // ---- What reporters and callers read ----
  const plan::Plan& plan() const;
  const RunOptions& options() const;
  RunState state() const;  // running until finished()
  TaskState state(TaskId id) const;
  int attempt(TaskId id) const;  // of the latest attempt, 0 before the first
  const StateCounts& counts() const;
  // Tasks with an attempt under way, in the order they started.
  std::vector<TaskId> active() const;
  MonotonicTime active_since(TaskId id) const;
  const TaskData* outputs(TaskId id) const;  // of a succeeded task
  const std::string& reason(TaskId id) const;  // why it was skipped, cancelled or failed
  int interrupt_signal() const;  // the signal that cancelled the run, 0 if none

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs to the end. Every turn: record the transitions, then carry out the effects, then report, then wait.
// When the record cannot be written: kills what runs, waits for it, returns the Error (the run stays resumable).
Result<RunState> run_to_end(Run& run, TaskRunner& runner, Record& record, Reporter& reporter, const Clock& clock);

}  // namespace mlpipe::engine
