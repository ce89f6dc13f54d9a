#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "deadlines.hpp"
#include "mlpipe/engine/run.hpp"
#include "ready_queue.hpp"

namespace mlpipe::engine {

// For tasks that have no data, without a copy each.
inline const TaskData k_no_data;
inline bool is_empty(const TaskData& data) { return data.parameters.empty() && data.artifacts.empty(); }

class Removals;
struct Need;

struct Run::Impl {
  // What is known of each task; made small, for there may be a million.
  struct Task {
    TaskState state = TaskState::waiting;
    std::uint32_t unmet = 0;                  // needs that have not ended
    int attempt = 0;                          // of the latest, 0 before the first
    int faults_of_the_world = 0;              // attempts that do not count against the task's own retries
    std::uint32_t reason = 0;                 // index into reasons; of a succeeded task: the run it is cached from
    std::uint32_t slot = 0;                   // index into slots while active
    std::unique_ptr<const TaskData> outputs;  // of a succeeded task that has some
  };

  // What is known of an attempt under way, beyond its task. Slots are used again.
  struct Slot {
    TaskId task{};
    std::uint64_t sequence = 0;  // of starts; 0: the slot is free
    MonotonicTime since{};
    StopReason stop_reason = StopReason::cancelled;  // when stopping
    bool claimed = false;                            // the cache waits for its result
  };

  // Why a task ended without success. Tasks skipped for one cause share one.
  struct Reason {
    std::string text;
    std::uint32_t for_dependants = 0;  // the reason they get; 0: not made yet
  };

  // Everything a change of state says beyond the state.
  struct Change {
    std::uint32_t reason = 0;
    const AttemptResult* result = nullptr;
    const TaskData* inputs = nullptr;
    std::optional<std::chrono::milliseconds> retry_in = std::nullopt;
    const CacheAnswer* cache = nullptr;
    std::uint64_t memory = 0;
    std::optional<StopReason> stop_reason = std::nullopt;
    bool taken_up = false;
    std::chrono::milliseconds already{0};
  };

  // What the loop has not taken yet, and what that points to.
  struct Turn {
    std::vector<Transition> transitions;
    std::deque<TaskData> inputs;
    std::deque<CacheAnswer> answers;
    std::deque<AttemptResult> results;  // those of which more is told than the runner knows
    void clear();
  };

  Impl(const Run& run, const plan::Plan& its_plan, RunOptions its_options, ResultCache* its_cache);
  ~Impl();

  // Puts the tasks into the states an earlier mlpipe left them in. (recover.cpp)
  void recover(std::vector<Recovered> recovered);
  void take_up_attempts();

  Task& at(TaskId id) { return tasks[index(id)]; }
  const Task& at(TaskId id) const { return tasks[index(id)]; }
  const spec::TaskSpec& spec_of(TaskId id) const { return *plan.task(id).spec; }
  std::size_t count(TaskState state) const { return counts[static_cast<std::size_t>(state)]; }

  bool failing_fast() const { return first_failure.has_value() && options.on_failure == FailurePolicy::fail_fast; }
  bool may_start(TaskId id) const {
    return cancels == 0 && (!failing_fast() || spec_of(id).trigger == spec::TriggerStrategy::all_completed);
  }

  // The one place where a task changes its state: checks the step against the drawing in state.hpp, counts, moves the
  // task in or out of the ready queue, its slot and its resources, and adds the Transition. (set_state.cpp)
  void set(TaskId id, TaskState to, const Change& change);
  void set(TaskId id, TaskState to) { set(id, to, Change{}); }
  void occupy_slot(TaskId id);
  void free_slot(TaskId id);

  std::uint32_t add_reason(std::string text);
  std::uint32_t reason_for_dependants(TaskId id);

  // What follows from tasks having ended, down to the last dependant. (settle.cpp)
  void settle();
  void settle_one(TaskId id);
  void become_ready_or_not(TaskId id);
  void release_dependants(TaskId id);
  void discard_unneeded(TaskId ended);
  bool is_done(TaskId id) const;  // succeeded, or skipped for good
  // `retry`: what is said of tasks that wait for another attempt.
  void cancel_unstarted(std::string why, std::string_view retry);

  // Attempts, from their start to their end. (attempts.cpp)
  void start(TaskId id);
  // Settled by the cache instead of an attempt? `inputs` are what the task is given. (caching.cpp)
  bool is_cached(TaskId id);
  // Why a result does not do of which the artifacts were taken away; empty: nobody needs them.
  std::optional<Need> need_of(TaskId id, const CacheAnswer& answer);
  // An import tells soon what it gives: worth waiting for.
  bool is_import_under_way(TaskId id) const;
  void wake_deferred(TaskId ended);
  bool reads_what_is_gone(TaskId id) const;
  void give_back(TaskId id);  // fails it for that
  enum class Claim { granted, settled };
  Claim claim(TaskId id, const TaskData& inputs, Change& change);
  void succeed_by(TaskId id, CacheAnswer answer, TaskData inputs);
  void is_running(TaskId id, std::chrono::milliseconds already);
  void has_ended(TaskId id, const AttemptResult& result);
  // Whose tries count for an attempt that failed, the task's or the world's, and how many of them failed.
  struct Tries {
    spec::RetryPolicy policy;
    int failures = 0;
  };
  Tries tries_of(TaskId id, const AttemptResult& result) const;
  // Why there is no other attempt although some are left; else "".
  std::string in_the_way_of_retry(TaskId id, const Tries& tries, const AttemptResult& result) const;
  void raise_memory(TaskId id);
  void set_memory(TaskId id, std::uint64_t memory);
  std::uint64_t memory_of(TaskId id) const;  // 0: what its settings say
  Result<TaskData> inputs_of(TaskId id) const;
  // What a transition tells of `inputs`; lasts as long as the turn.
  const TaskData* as_recorded(TaskId id, TaskData inputs);
  void deadline_came(TaskId id);
  void ask_to_stop(TaskId id, StopReason why, StopMode mode);
  std::vector<TaskId> active() const;

  const Run& self;
  const plan::Plan& plan;
  const RunOptions options;
  ResultCache* const cache;

  std::vector<Task> tasks;
  StateCounts counts{};
  ReadyQueue ready;
  Deadlines deadlines;  // running: time-out; stopping: patience; retry_wait: the next attempt
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free_slots;
  std::unordered_map<TaskId, std::uint64_t> raised_memory;  // of tasks that met the OOM killer and want more
  std::unordered_multimap<TaskId, TaskId> deferred_until;   // an import has ended: tasks to be asked about again
  std::unique_ptr<Removals> removals;                       // once the cache knew a result without its artifacts
  std::unordered_set<TaskId> gone;                          // tasks whose artifacts nobody needs any more, or never did
  std::vector<std::pair<TaskId, TakeUp>> to_take_up;        // attempts of an earlier mlpipe, in the first turn
  std::size_t cached = 0;
  bool resumed = false;
  std::uint32_t last_source = 0;  // reason that names the run of the latest hit: mostly it is one for all
  std::uint64_t starts = 0;

  static constexpr std::uint32_t not_selected = 1;
  std::deque<Reason> reasons{Reason{}, Reason{.text = "not selected"}};
  std::vector<TaskId> to_settle;  // waiting tasks that may have nothing to wait for, and tasks that have just ended
  std::optional<TaskId> first_failure;  // a task that failed
  bool rest_cancelled = false;          // the rest was cancelled because of it
  int cancels = 0;
  std::string cancel_reason;
  std::optional<WallTime> recorded_end;
  int interrupt_signal = 0;
  std::string interrupted_by;

  MonotonicTime now{};  // of this turn
  WallTime wall{};

  Turn turn;
  Turn told;  // what take_effects() handed out is kept until the next call
  std::vector<Effect> effects;
};

}  // namespace mlpipe::engine
