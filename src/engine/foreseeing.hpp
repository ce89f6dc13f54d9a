#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "inputs.hpp"
#include "mlpipe/engine/foresight.hpp"

namespace mlpipe::engine {

// Does the task lose its artifacts at their last use? Only with `keep: false`; not when it gives an output of the
// pipeline, and not when nothing needs it or this run leaves out what does.
bool may_be_discarded(const plan::Plan& plan, TaskId task);

// Does `reader` name an artifact that `maker` gives?
bool reads_artifact(const plan::Plan& plan, TaskId reader, TaskId maker);

// What is foreseen of single tasks: as Run decides, with the same code for conditions and inputs, as far as values are
// known. A result whose artifacts were taken away counts as cached (its answer stays Kind::removed) until give_up() or
// accept().
class Foreseeing final {
 public:
  // `past`: what has happened already. Borrows all.
  Foreseeing(ValueSource past, Foreseer& foreseer);
  Foreseeing(const Foreseeing&) = delete;
  Foreseeing& operator=(const Foreseeing&) = delete;

  const plan::Plan& plan() const { return plan_; }

  // What an earlier mlpipe did of the run counts as having happened.
  void recover(const std::vector<Recovered>& recovered);
  void first_failure_is(std::optional<TaskId> task) { first_failure_ = task; }

  // Has the task ended for certain? What is only foreseen has not.
  bool has_ended(TaskId task) const;
  // Has it ended, or is it foreseen to end without an attempt?
  bool is_decided(TaskId task) const { return is_final(state_of(task)); }
  // Has it neither begun nor been foreseen?
  bool is_blank(TaskId task) const;
  // Foresees a blank task, of which nothing that it needs is blank.
  void foresee(TaskId task);
  // Of a task that was foreseen.
  const Foresight& of(TaskId task) const { return entries_.at(task).foresight; }
  bool is_foreseen(TaskId task) const { return entries_.contains(task); }

  // `answer`, which is Kind::removed, is taken for the result of `task`, whatever is known of it. What was foreseen
  // without is blank again.
  void assume(TaskId task, const CacheAnswer& answer);
  // The result of `task` stands for its own although its artifacts are gone.
  void accept(TaskId task);
  // It does not: the task is run, or it hangs on others whether it is. What was foreseen from its result is blank
  // again, but for what is run.
  void give_up(TaskId task, Outlook outlook, std::string reason, std::vector<TaskId> depends_on);

  // All that was foreseen is blank again.
  void forget() { entries_.clear(); }
  // By task; of a blank one what a Foresight is to begin with.
  std::vector<Foresight> all() &&;

 private:
  // waiting: what the task gives is known only when it has run.
  struct Entry {
    Foresight foresight;
    TaskState state = TaskState::waiting;
    bool settled = false;  // by what an earlier mlpipe did
    bool assumed = false;
    bool may_be_skipped = false;
  };

  const spec::TaskSpec& spec_of(TaskId task) const { return *plan_.task(task).spec; }
  std::string name(TaskId task) const { return fmt::format("'{}'", plan_.task(task).path()); }
  std::string names(const std::vector<TaskId>& tasks) const;
  const Entry* foreseen(TaskId task) const;  // null: what has happened counts
  TaskState state_of(TaskId task) const;
  const TaskData* outputs_of(TaskId task) const;
  bool is_open(TaskId task) const { return plan_.selected(task) && !is_final(state_of(task)); }
  bool may_be_skipped(TaskId task) const;
  std::vector<TaskId> open_givers(TaskId task) const;

  void end(TaskId task, Outlook outlook, std::string reason);
  void hang_on(TaskId task, std::vector<TaskId> others, std::string reason);
  void succeed(TaskId task, Outlook outlook, TaskData outputs, std::string reason);
  bool skips_with_need(TaskId task);
  bool condition_is_true(TaskId task);
  bool hangs_on_skipping(TaskId task);
  void foresee_import(TaskId task);
  void ask_cache(TaskId task, const TaskData& inputs);
  void forget_what_hangs_on(TaskId task);

  const ValueSource past_;
  const plan::Plan& plan_;
  const RunOptions& options_;
  Foreseer& foreseer_;
  std::unordered_map<TaskId, Entry> entries_;
  std::map<std::string, TaskId> given_up_;  // by fingerprint
  std::optional<TaskId> first_failure_;
  const ValueSource values_;
};

}  // namespace mlpipe::engine
