#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"

// What the engine asks of the world. All calls come from the loop thread.
namespace mlpipe::engine {

// ---- TaskRunner -------------------------------------------------------------------------------------------------

struct AttemptRunning { AttemptId id; };                            // its container has started
struct AttemptFinished { AttemptId id; AttemptResult result; };     // exactly once per started attempt
struct Interrupted { int signal = 0; };                             // SIGINT, SIGTERM, SIGHUP reached the program
struct Progress { std::string subject; std::string text; };         // pulling or building an image; for people only
using Event = std::variant<AttemptRunning, AttemptFinished, Interrupted, Progress>;

enum class StopReason { timed_out, cancelled };
enum class StopMode { graceful, kill };

class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  // Begins an attempt and returns at once; its end comes as an AttemptFinished.
  virtual void start(AttemptRequest request) = 0;
  // Asks a started attempt to end; it still gives its AttemptFinished. Asking twice, or too late, is fine.
  virtual void stop(AttemptId id, StopReason reason, StopMode mode) = 0;
  // Blocks until there is an event or `deadline` has come (then possibly nothing). Nothing under way and no deadline: a bug.
  virtual std::vector<Event> wait(std::optional<MonotonicTime> deadline) = 0;
};

// ---- Record -----------------------------------------------------------------------------------------------------

// One change of one task's state. `result` is set when an attempt ended, and lives as long as the call it is given to.
struct Transition {
  TaskId task{};
  int attempt = 0;  // the attempt it concerns; 0: none yet
  TaskState from = TaskState::waiting;
  TaskState to = TaskState::waiting;
  WallTime at{};
  std::string reason;                      // why skipped or cancelled; what failed
  const AttemptResult* result = nullptr;
  const TaskData* inputs = nullptr;        // when an attempt starts
  std::optional<std::chrono::milliseconds> retry_in;  // to == retry_wait
};

class Record {
 public:
  virtual ~Record() = default;
  // Makes all of `transitions` durable together; returns only when they are.
  virtual Result<> commit(std::span<const Transition> transitions) = 0;
  // The run's end. Called once, after the last commit.
  virtual Result<> finish(RunState state, WallTime at) = 0;
};

// ---- Reporter ---------------------------------------------------------------------------------------------------

class Run;

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void run_started(const Run& run) = 0;
  // After the record has it, in order.
  virtual void transition(const Run& run, const Transition& transition) = 0;
  virtual void progress(const Run& run, const Progress& progress) = 0;
  // "stopping: press Ctrl-C again to kill", "the record cannot be written: ...".
  virtual void notice(const Run& run, std::string_view text) = 0;
  // When refresh() wants to be called next; nothing: never.
  virtual std::optional<MonotonicTime> next_refresh() const = 0;
  virtual void refresh(const Run& run, MonotonicTime now) = 0;
  virtual void run_finished(const Run& run) = 0;
};

}  // namespace mlpipe::engine
