#pragma once

#include <set>

#include "run_fixture.hpp"
#include "support/random.hpp"

// Random DAGs with random settings, failures, losses, cancels; what one run of them must hold to, seen from outside.
namespace mlpipe::engine::random_runs {

using test::PipelineBuilder;
using test::Random;

struct Case {
  spec::PipelineSpec spec;
  RunOptions options;
  std::vector<std::pair<std::chrono::milliseconds, int>> interrupts;
  bool undisturbed() const { return interrupts.empty() && options.on_failure == FailurePolicy::keep_going; }
};

inline void add_task(PipelineBuilder& pipeline, Random& random, unsigned number, const std::vector<unsigned>& place) {
  auto task = pipeline.task("t" + std::to_string(number));
  for (unsigned edge = random.below(4); edge > 0; --edge) {
    const auto other = random.below(static_cast<unsigned>(place.size()));
    if (place[other] < place[number]) task.after("t" + std::to_string(other));
  }
  if (random.chance(40)) task.cpu(random.between(1, 8) / 2.0);
  if (random.chance(20)) task.memory(random.between(1, 10));
  if (random.chance(10)) task.gpu(static_cast<int>(random.between(1, 2)));
  if (random.chance(20)) task.pool("one");
  if (random.chance(20)) task.pool("three");
  if (random.chance(15)) task.all_completed();
  if (random.chance(10)) task.when(random.chance(50) ? "1 < 2" : random.chance(80) ? "2 < 1" : "1 + 1");
  if (random.chance(40)) {
    task.retry({.limit = static_cast<int>(random.below(4)),
                .backoff = 1s * random.below(20),
                .factor = 2,
                .max_backoff = 1min});
  }
  if (random.chance(30)) task.timeout(1s * random.between(1, 30));
}

inline Case random_case(unsigned seed) {
  Random random(seed);
  Case made;
  PipelineBuilder pipeline;
  pipeline.pool("one", 1).pool("three", 3);
  const unsigned size = random.between(1, 40);
  const std::vector<unsigned> place = random.permutation(size);
  for (unsigned number = 0; number < size; ++number) add_task(pipeline, random, number, place);
  made.spec = pipeline.build();

  made.options.limits = {.max_parallel = static_cast<int>(random.between(1, 10)),
                         .cpu = random.chance(50) ? 4.0 + random.below(5) : 0.0,
                         .memory = random.chance(50) ? 10 + random.below(10) : 0,
                         .gpu = static_cast<int>(random.between(2, 3))};
  made.options.on_failure = random.chance(50) ? FailurePolicy::keep_going : FailurePolicy::fail_fast;
  made.options.seed = seed;
  made.options.infrastructure_retries = static_cast<int>(random.below(4));
  if (random.chance(25)) made.interrupts.emplace_back(1s * random.below(60), 2);
  if (!made.interrupts.empty() && random.chance(50)) {
    made.interrupts.emplace_back(made.interrupts[0].first + 1s * random.below(10), 15);
  }
  return made;
}

inline Script random_script(unsigned seed, AttemptId id) {
  Random random(seed * 7919 + static_cast<unsigned>(index(id.task)) * 31 + static_cast<unsigned>(id.number));
  Script script = random.chance(65) ? succeeds() : fails(static_cast<AttemptEnd>(random.between(1, 8)));
  if (script.result.end == AttemptEnd::timed_out) script.result.end = AttemptEnd::user_exit;  // only when we stop it
  script.starts_in = 500ms * random.below(4);
  script.lasts = 500ms * random.below(40);
  script.stops_in = 1s * random.below(15);
  script.heeds_graceful_stop = random.chance(90);
  script.comes_up = random.chance(90);
  return script;
}

// Watches one run from outside: knows what is under way, from what the runner was told, and nothing of the engine's
// own counts.
class Watch final {
 public:
  Watch(const plan::Plan& plan, const Limits& limits, const test::FakeRecord& record)
      : plan_(plan), limits_(limits), record_(record) {}

  void started(const AttemptRequest& request) {
    const TaskId task = request.id.task;
    EXPECT_EQ(state_of(task), TaskState::starting) << "an effect before its transition was committed";
    const int latest = attempts_[task];
    if (request.take_up) {
      EXPECT_GE(request.id.number, latest);
      EXPECT_LE(request.id.number, latest + 1) << "taken up, but never recorded";
    } else {
      EXPECT_EQ(request.id.number, latest + 1) << "an attempt left out or made twice";
    }
    attempts_[task] = request.id.number;
    EXPECT_TRUE(under_way_.insert(task).second) << "two attempts of a task at once";
    for (TaskId need : plan_.needs(task)) {
      const bool met = plan_.task(task).spec->trigger == spec::TriggerStrategy::all_completed
                           ? is_final(state_of(need))
                           : state_of(need) == TaskState::succeeded;
      EXPECT_TRUE(met) << plan_.task(task).path() << " started before " << plan_.task(need).path() << " was done";
    }
    check_limits();
  }
  // The mlpipe that ran it ended; another takes up what was under way.
  void resumed() { under_way_.clear(); }
  void ended(AttemptId id) { EXPECT_EQ(under_way_.erase(id.task), 1u); }
  void stopped(AttemptId id) {
    if (under_way_.contains(id.task)) {
      EXPECT_EQ(state_of(id.task), TaskState::stopping) << "an effect before its transition was committed";
    }
  }

 private:
  TaskState state_of(TaskId task) const {
    auto found = record_.state.find(task);
    return found == record_.state.end() ? TaskState::waiting : found->second.first;
  }

  void check_limits() const {
    double cpu = 0;
    std::uint64_t memory = 0;
    int gpu = 0;
    std::map<std::string, int> pools;
    for (TaskId task : under_way_) {
      const spec::TaskSettings& settings = *plan_.task(task).spec->settings;
      cpu += settings.resources.cpu;
      memory += settings.resources.memory;
      gpu += settings.resources.gpu;
      for (const std::string& pool : settings.pools) ++pools[pool];
    }
    EXPECT_LE(under_way_.size(), static_cast<std::size_t>(limits_.max_parallel));
    EXPECT_TRUE(limits_.cpu == 0 || cpu <= limits_.cpu);
    EXPECT_TRUE(limits_.memory == 0 || memory <= limits_.memory);
    EXPECT_LE(gpu, limits_.gpu);
    for (const spec::Pool& pool : plan_.spec().pools) EXPECT_LE(pools[pool.name], pool.places);
  }

  const plan::Plan& plan_;
  const Limits& limits_;
  const test::FakeRecord& record_;
  std::set<TaskId> under_way_;
  std::map<TaskId, int> attempts_;
};

// What a run left behind.
struct Outcome {
  test::FakeRecord record;
  std::vector<TaskState> states;
  std::vector<std::string> reasons;
  RunState state = RunState::running;

  std::string history() const {
    std::string text;
    for (const Transition& each : record.history) {
      text += fmt::format("{} #{} {} -> {} at {} ms, {}\n", plan::index(each.task), each.attempt, to_string(each.from),
                          to_string(each.to), each.at.time_since_epoch().count(), each.reason);
    }
    return text;
  }
};

// Without cancels, and keeping on after failures, the end of each task follows from its needs' and its own script.
inline void check_ends(const Case& tried, const plan::Plan& plan, const Outcome& outcome, unsigned seed) {
  for (TaskId task : plan.order()) {
    const spec::TaskSpec& spec = *plan.task(task).spec;
    bool all_succeeded = true;
    for (TaskId need : plan.needs(task))
      all_succeeded = all_succeeded && outcome.states[index(need)] == TaskState::succeeded;

    TaskState expected = TaskState::failed;
    if (!all_succeeded && spec.trigger == spec::TriggerStrategy::all_succeeded) {
      expected = TaskState::skipped;
    } else if (spec.when && spec.when->text() == "2 < 1") {
      expected = TaskState::skipped;
    } else if (!spec.when || spec.when->text() == "1 < 2") {
      int own = 0, world = 0;
      for (int attempt = 1;; ++attempt) {
        const Script script = random_script(seed, {task, attempt});
        const bool too_long = spec.settings->timeout && script.comes_up && script.lasts > *spec.settings->timeout;
        // Just when a time-out and an end fall near each other either may win; take what the record says.
        const AttemptEnd end = too_long ? outcome.record.ends.at({task, attempt}) : script.result.end;
        if (end == AttemptEnd::succeeded) {
          expected = TaskState::succeeded;
          break;
        }
        int& count = is_fault_of_the_world(end) ? world : own;
        if (++count > (is_fault_of_the_world(end) ? tried.options.infrastructure_retries : spec.settings->retry.limit))
          break;
      }
    }
    EXPECT_EQ(outcome.states[index(task)], expected) << spec.name << ": " << outcome.reasons[index(task)];
  }
}

}  // namespace mlpipe::engine::random_runs
