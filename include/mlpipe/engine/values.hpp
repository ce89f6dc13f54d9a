#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/plan/plan.hpp"

// The values that cross the engine's ports.
namespace mlpipe::engine {

using plan::TaskId;

// A staged file or folder.
struct Artifact {
  std::string name;
  std::string type;  // schema title, "system.Dataset"
  std::string uri;   // absolute path or gs://...
  Value metadata = Value::Struct{};
  std::string digest;  // "sha256:<hex>"; for a folder the tree digest of docs/design.md
  std::uint64_t bytes = 0;
  bool is_folder = false;
  bool operator==(const Artifact&) const = default;
};

// Inputs of an attempt, or outputs of a task.
struct TaskData {
  std::map<std::string, Value, std::less<>> parameters;
  std::map<std::string, Artifact, std::less<>> artifacts;
  // Those of `parameters` that the task did not give: the component's defaults. Of inputs on record only.
  std::set<std::string, std::less<>> defaults;
  bool operator==(const TaskData&) const = default;
};

struct AttemptId {
  TaskId task{};
  int number = 1;
  auto operator<=>(const AttemptId&) const = default;
};

enum class StopReason { timed_out, cancelled };

// What is known of an attempt that an mlpipe which ended too early had begun.
struct TakeUp {
  std::optional<WallTime> running_since;  // its container was seen running
  std::optional<StopReason> stopping;     // it had been asked to end
};

struct AttemptRequest {
  AttemptId id;
  TaskData inputs;           // what the task was given; component defaults are not filled in (KFP.md 1.4)
  std::uint64_t memory = 0;  // bytes it may have; 0: what its settings say
  // Begun by an earlier mlpipe: what became of it is to be found out, and it is to be started only if it never was.
  std::optional<TakeUp> take_up = {};
};

// How an attempt ended.
enum class AttemptEnd {
  succeeded,
  user_exit,       // exit code other than 0
  signalled,       // ended by a signal that we did not send
  out_of_memory,   // the kernel's OOM killer ended it
  timed_out,       // stopped by us: its time was up
  output_missing,  // exit 0, but a declared output is absent or unusable
  not_startable,   // the command or image cannot be started (126, 127, no such image)
  lost,            // the container vanished, or was killed together with its engine; not the task's fault
  infrastructure,  // engine, disk or network failed; not the task's fault
  cancelled,       // stopped by us: the run was cancelled
};
std::string_view to_string(AttemptEnd end);
// lost and infrastructure do not use up the user's retries.
bool is_fault_of_the_world(AttemptEnd end);

struct AttemptResult {
  AttemptEnd end = AttemptEnd::succeeded;
  int exit_code = 0;                      // as the engine gave it; 0 when there is none
  std::string message;                    // one sentence: what happened to this attempt; empty when it succeeded
  std::string hint;                       // what to do about it
  TaskData outputs;                       // when it succeeded
  bool oom_killed = false;                // a process in the container met the OOM killer, whatever the exit code
  std::optional<WallTime> ended_at = {};  // when it ended while no mlpipe was there; else it has only just ended
};

}  // namespace mlpipe::engine
