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

// Its container runs, and has done so for `already` (an attempt that was taken up).
struct AttemptRunning {
  AttemptId id;
  std::chrono::milliseconds already{0};
};
// exactly once per started attempt
struct AttemptFinished {
  AttemptId id;
  AttemptResult result;
};
// SIGINT, SIGTERM, SIGHUP reached the program; `canceller` is the process of the `mlpipe cancel` that sent it, or 0.
struct Interrupted {
  int signal = 0;
  int canceller = 0;
};
// pulling or building an image; for people only
struct Progress {
  std::string subject;
  std::string text;
};
// what a deferred task waited for was made, or never will be
struct ResultSettled {
  TaskId task{};
};
using Event = std::variant<AttemptRunning, AttemptFinished, Interrupted, Progress, ResultSettled>;

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

// ---- ResultCache ------------------------------------------------------------------------------------------------

// What the cache says about a task.
struct CacheAnswer {
  enum class Kind {
    hit,      // `outputs` are its result, in this run's tree
    removed,  // its result is known, but the artifacts were taken away: a hit if nobody needs them, else a miss
    miss,     // it has to run
    busy,     // somebody is making the same result: a ResultSettled follows
  };
  Kind kind = Kind::miss;
  std::string fingerprint;       // empty: it has none
  std::string fingerprint_text;  // what the fingerprint was made of
  std::string why;               // of a miss: why there is nothing to reuse; removed: by whom; busy: who makes it
  std::string from_run;          // of a hit, removed: the run that made it
  WallTime made{};               // of a hit, removed: when an attempt made it, however often it was reused since
  bool removed = false;          // of a hit: its payload is gone, but nobody will need it (keep: false)
  TaskData outputs;
};

// Results of earlier runs. All calls come from the loop thread; they may take as long as looking at a few files does.
class ResultCache {
 public:
  virtual ~ResultCache() = default;
  // Is the result of `task`, given `inputs`, there? Asked when all it needs has ended. Never busy.
  virtual CacheAnswer look_up(TaskId task, const TaskData& inputs) = 0;
  // The same right before it starts. A miss, or removed, makes the caller the one who makes the result, until release();
  // claiming what one has already is fine.
  virtual CacheAnswer claim(TaskId task, const TaskData& inputs) = 0;
  // What claim() would say: nothing is put into the tree, and nothing is held. Of several tasks that need the same result, the
  // first that is asked about makes it, and for the others it is busy.
  virtual CacheAnswer foresee(TaskId task, const TaskData& inputs) = 0;
  // The attempt for which claim() was no hit has ended, and its end is recorded; or there will be none.
  virtual void release(TaskId task) = 0;
  // What hits put into the tree is on the disk when this returns. Before they are recorded.
  virtual Result<> make_durable() = 0;
  // No task needs the artifacts of `task` any more, and it wants them gone; recorded already.
  virtual void discard(TaskId task, const TaskData& outputs) = 0;
};

// ---- Record -----------------------------------------------------------------------------------------------------

// One change of one task's state. `result` is set when an attempt ended, and lives as long as the call it is given to.
struct Transition {
  TaskId task{};
  int attempt = 0;  // the attempt it concerns; 0: none yet
  TaskState from = TaskState::waiting;
  TaskState to = TaskState::waiting;
  WallTime at{};
  std::string reason;  // why skipped or cancelled; what failed
  const AttemptResult* result = nullptr;
  const TaskData* inputs = nullptr;                   // when an attempt starts, or would have but for the cache
  std::optional<std::chrono::milliseconds> retry_in;  // to == retry_wait
  const CacheAnswer* cache = nullptr;  // what the cache said: to == starting, deferred; a succeeded without attempt
  const TaskData* outputs = nullptr;   // of a succeeded task, also when they came from the cache
  std::uint64_t memory = 0;            // to == starting: bytes it may have
  std::optional<StopReason> stop_reason = {};  // to == stopping
  bool taken_up = false;                 // to == starting: the attempt was begun by an mlpipe that ended too early
  std::chrono::milliseconds already{0};  // to == running: how long it has run, when it was taken up

  // Did the task succeed by an earlier run's result?
  bool cached() const { return to == TaskState::succeeded && cache != nullptr; }
};

class Record {
 public:
  virtual ~Record() = default;
  // Makes all of `transitions` durable together; returns only when they are.
  virtual Result<> commit(std::span<const Transition> transitions) = 0;
  // The artifacts of a task that succeeded are about to be taken away.
  virtual Result<> discard(TaskId task) = 0;
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
