#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/engine/run.hpp"

// What a run would do, task by task, without doing any of it.
namespace mlpipe::engine {

// What becomes of a task, as far as it can be told when every attempt succeeds.
//
// run      it is run
// cached   an earlier run's result stands for its own
// depends  it is run, cached or skipped: that hangs on what other tasks give, or on a result that somebody is making
// import   it is looked at, as every import is in every run
// skip     left out of the run, or skipped: its condition is false, or something it needs did not or will not succeed
// fail     its condition or an input has no value
// done     it has succeeded or failed already, in the run that goes on
// go_on    its attempt, begun by an earlier mlpipe, is taken up
enum class Outlook { run, cached, depends, import, skip, fail, done, go_on };
std::string_view to_string(Outlook outlook);

// Does an attempt of the task follow for certain, or perhaps (depends)?
constexpr bool may_run(Outlook outlook) {
  return outlook == Outlook::run || outlook == Outlook::depends || outlook == Outlook::import ||
         outlook == Outlook::go_on;
}

struct Foresight {
  Outlook outlook = Outlook::run;
  std::string reason;              // one clause, without the task's name
  std::vector<TaskId> depends_on;  // of depends: the tasks it hangs on
  CacheAnswer answer;              // what came of asking the cache: hit, miss or busy; its outputs are taken out
  TaskData outputs;                // when they are known: of cached and done tasks, and of imports
};

// What foresee() asks of the world. Nothing it does has an effect.
class Foreseer {
 public:
  virtual ~Foreseer() = default;
  // Why the task runs whatever it is given; empty: that hangs on what it is given.
  virtual std::string runs_anyway(TaskId task) = 0;
  // As ResultCache::claim(). A task for which this is a miss counts as making its result: for another task that needs the same
  // one the answer is busy.
  virtual CacheAnswer look(TaskId task, const TaskData& inputs) = 0;
  // What an importer would give; nothing: that is known when it has run.
  virtual Result<std::optional<TaskData>> import(TaskId task, const TaskData& inputs) = 0;
};

// By task. `recovered` as Run takes it. Asks `foreseer` about each selected task after those it needs; about one that is given
// something by a result whose artifacts turn out to be needed, once more.
std::vector<Foresight> foresee(const plan::Plan& plan, const RunOptions& options, Foreseer& foreseer,
                               const std::vector<Recovered>& recovered = {});

// What `task` is given, as far as it is known before anything has run: what hangs on other tasks or on the run is left out.
TaskData inputs_known_beforehand(const plan::Plan& plan, TaskId task);

}  // namespace mlpipe::engine
