#include "random_runs.hpp"

// mlpipe is killed at any commit of a random run, and once more while it goes on; the containers live on without it.
// Whatever happens, no attempt is made twice, nothing that succeeded runs again, and the run ends as it would have.
namespace mlpipe::engine {
namespace {

using namespace random_runs;

constexpr unsigned k_blocks = 4, k_runs_in_block = 150;

struct Killed {};

// Where a kill strikes: at the commit of that number, from 0.
struct Kill {
  enum class Place { before_commit, before_effects, amid_effects, after_effects };
  int commit = 0;
  Place place = Place::before_commit;
};

// What outlives mlpipe: the containers. A runner that is started anew knows none of them, until it is told to take one up.
class Containers final : public TaskRunner {
 public:
  Containers(test::FakeClock& clock, std::function<Script(AttemptId)> script)
      : clock_(clock), script_(std::move(script)) {}

  void interrupt_at(MonotonicTime time, int signal) { interrupts_.emplace(time, signal); }
  void settle_at(MonotonicTime time, TaskId task) { settled_.emplace(time, task); }
  void abandon() {
    attended_.clear();
    settled_.clear();
  }
  std::size_t attended() const { return attended_.size(); }
  unsigned taken_up = 0, collected = 0;

  void start(AttemptRequest request) override {
    const auto found = containers_.find(request.id);
    Attended attended;
    if (!request.take_up) {
      EXPECT_EQ(found, containers_.end()) << "an attempt that exists was started anew";
      create(request.id);
    } else if (found != containers_.end()) {
      EXPECT_FALSE(attended_.contains(request.id));
      ++taken_up;
      if (found->second.ends <= clock_.now()) ++collected;
      // As the real one: nobody knows how it would have ended without the stop of the mlpipe that is gone.
      const AttemptEnd end = found->second.result.end;
      if (end == AttemptEnd::cancelled && found->second.ends <= clock_.now())
        found->second.result.end = AttemptEnd::lost;
    } else {
      EXPECT_FALSE(request.take_up->running_since) << "seen running, but it never was";
      create(request.id);
    }
    attended_.emplace(request.id, attended);
  }

  void stop(AttemptId id, StopReason reason, StopMode mode) override {
    EXPECT_TRUE(attended_.contains(id));
    Container& container = containers_.at(id);
    if (mode == StopMode::graceful && !container.script.heeds_graceful_stop) return;
    const MonotonicTime ends = clock_.now() + (mode == StopMode::kill ? 0ms : container.script.stops_in);
    if (container.ends <= ends) return;
    container.ends = ends;
    container.result = {};
    container.result.end = reason == StopReason::timed_out ? AttemptEnd::timed_out : AttemptEnd::cancelled;
  }

  std::vector<Event> wait(std::optional<MonotonicTime> deadline) override {
    std::optional<MonotonicTime> next = deadline;
    const auto at = [&next](MonotonicTime time) { next = next ? std::min(*next, time) : time; };
    for (const auto& [id, attended] : attended_) {
      const Container& container = containers_.at(id);
      at(comes_up(container) && !attended.running_told ? container.up : container.ends);
    }
    if (!interrupts_.empty()) at(interrupts_.begin()->first);
    if (!settled_.empty()) at(settled_.begin()->first);
    if (!next) {
      ADD_FAILURE() << "waiting for nothing";
      std::abort();
    }
    clock_.advance_to(*next);
    std::vector<Event> events;
    for (auto each = attended_.begin(); each != attended_.end();) {
      const Container& container = containers_.at(each->first);
      if (comes_up(container) && !each->second.running_told && container.up <= clock_.now()) {
        each->second.running_told = true;
        events.emplace_back(AttemptRunning{
            each->first, std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - container.up)});
      }
      const bool ended = container.ends <= clock_.now();
      if (ended) events.emplace_back(AttemptFinished{each->first, container.result});
      each = ended ? attended_.erase(each) : std::next(each);
    }
    while (!interrupts_.empty() && interrupts_.begin()->first <= clock_.now()) {
      events.emplace_back(Interrupted{interrupts_.begin()->second});
      interrupts_.erase(interrupts_.begin());
    }
    while (!settled_.empty() && settled_.begin()->first <= clock_.now()) {
      events.emplace_back(ResultSettled{settled_.begin()->second});
      settled_.erase(settled_.begin());
    }
    return events;
  }

 private:
  struct Container {
    Script script;
    MonotonicTime up, ends;
    AttemptResult result;
  };
  struct Attended {
    bool running_told = false;
  };

  void create(AttemptId id) {
    const Script script = script_(id);
    const MonotonicTime up = clock_.now() + script.starts_in;
    containers_.emplace(id, Container{script, up, up + script.lasts, script.result});
  }
  static bool comes_up(const Container& container) {
    return container.script.comes_up && container.up < container.ends;
  }

  test::FakeClock& clock_;
  std::function<Script(AttemptId)> script_;
  std::map<AttemptId, Container> containers_;
  std::map<AttemptId, Attended> attended_;
  std::multimap<MonotonicTime, int> interrupts_;
  std::multimap<MonotonicTime, TaskId> settled_;
};

// The results of one root as an mlpipe sees them: some tasks have one fingerprint, some results an earlier run has
// made, and some another one is just making, which may fail. What a killed mlpipe held is free again.
class SharedResults final : public ResultCache {
 public:
  SharedResults(const plan::Plan& plan, unsigned seed, const test::FakeClock& clock, Containers& containers,
                const test::FakeRecord& record)
      : clock_(clock), containers_(containers), record_(record) {
    Random random(seed ^ 0xcac4e);
    const unsigned fingerprints = std::max(1U, static_cast<unsigned>(plan.size()) * 2 / 3);
    for (std::size_t task = 0; task < plan.size(); ++task) fingerprints_.push_back(random.below(fingerprints));
    for (unsigned fingerprint = 0; fingerprint < fingerprints; ++fingerprint) {
      if (random.chance(15)) known_.insert(fingerprint);
      if (random.chance(25)) others_[fingerprint] = {MonotonicTime(1s * random.below(90)), random.chance(50)};
    }
  }

  unsigned hits = 0, deferred = 0;

  CacheAnswer look_up(TaskId task, const TaskData&) override { return answer(task); }
  CacheAnswer claim(TaskId task, const TaskData&) override {
    CacheAnswer found = answer(task);
    if (found.kind == CacheAnswer::Kind::hit) return found;
    const unsigned fingerprint = fingerprints_[index(task)];
    const auto other = others_.find(fingerprint);
    const bool is_others = other != others_.end() && other->second.until > clock_.now();
    const auto [holder, is_first] = is_others ? std::pair(held_.end(), false) : held_.try_emplace(fingerprint, task);
    if (is_first || (holder != held_.end() && holder->second == task)) return found;
    if (is_others) {
      containers_.settle_at(other->second.until, task);
    } else {
      waiting_.emplace(fingerprint, task);
    }
    ++deferred;
    found.kind = CacheAnswer::Kind::busy;
    found.why = "it is being made";
    return found;
  }
  CacheAnswer foresee(TaskId task, const TaskData&) override { return answer(task); }
  void release(TaskId task) override {
    const unsigned fingerprint = fingerprints_[index(task)];
    ASSERT_TRUE(held_.contains(fingerprint)) << "released, but never claimed";
    EXPECT_EQ(held_.at(fingerprint), task);
    EXPECT_FALSE(is_active(record_.state.at(task).first)) << "released before its end was recorded";
    held_.erase(fingerprint);
    for (auto [each, end] = waiting_.equal_range(fingerprint); each != end; each = waiting_.erase(each)) {
      containers_.settle_at(clock_.now(), each->second);
    }
  }
  Result<> make_durable() override {
    durable_ = true;
    return {};
  }
  void discard(TaskId, const TaskData&) override {}

  void check_commit(std::span<const Transition> transitions) const {
    EXPECT_TRUE(durable_ || std::ranges::none_of(transitions, &Transition::cached)) << "recorded before it was durable";
  }
  bool holds_nothing() const { return held_.empty(); }

 private:
  struct Other {
    MonotonicTime until;
    bool makes_it = false;
  };

  CacheAnswer answer(TaskId task) {
    const unsigned fingerprint = fingerprints_[index(task)];
    const auto other = others_.find(fingerprint);
    bool made = known_.contains(fingerprint) ||
                (other != others_.end() && other->second.makes_it && other->second.until <= clock_.now());
    for (const auto& [id, state] : record_.state) {
      made = made || (fingerprints_[index(id)] == fingerprint && state.first == TaskState::succeeded);
    }
    CacheAnswer answer{.fingerprint = std::to_string(fingerprint), .why = "never run"};
    if (!made) return answer;
    durable_ = false;
    ++hits;
    answer.kind = CacheAnswer::Kind::hit;
    answer.from_run = "earlier";
    return answer;
  }

  const test::FakeClock& clock_;
  Containers& containers_;
  const test::FakeRecord& record_;
  std::vector<unsigned> fingerprints_;  // by task
  std::set<unsigned> known_;
  std::map<unsigned, Other> others_;
  std::map<unsigned, TaskId> held_;
  std::multimap<unsigned, TaskId> waiting_;
  bool durable_ = true;
};

// One mlpipe, from its start to its kill: the record and the runner as it has them.
class KilledRecord final : public Record {
 public:
  KilledRecord(test::FakeRecord& record, std::optional<Kill> kill, const SharedResults* results)
      : record_(record), kill_(kill), results_(results) {}
  Result<> commit(std::span<const Transition> transitions) override {
    if (results_ != nullptr) results_->check_commit(transitions);
    const bool strikes = kill_ && commits_++ == kill_->commit;
    if (strikes && kill_->place == Kill::Place::before_commit) throw Killed();
    if (Result<> done = record_.commit(transitions); !done) return done;
    if (strikes && kill_->place == Kill::Place::before_effects) throw Killed();
    doomed_ = strikes;
    return {};
  }
  Result<> discard(TaskId task) override { return record_.discard(task); }
  Result<> finish(RunState state, WallTime at) override { return record_.finish(state, at); }
  // After an effect of the turn, and after all of them.
  void effect_done() const {
    if (doomed_ && kill_->place == Kill::Place::amid_effects) throw Killed();
  }
  void turn_done() const {
    if (doomed_) throw Killed();
  }

 private:
  test::FakeRecord& record_;
  const std::optional<Kill> kill_;
  const SharedResults* results_;
  int commits_ = 0;
  bool doomed_ = false;
};

class KilledRunner final : public TaskRunner {
 public:
  KilledRunner(Containers& inner, const KilledRecord& record, Watch& watch, const test::FakeRecord& history)
      : inner_(inner), record_(record), watch_(watch), history_(history) {}
  void start(AttemptRequest request) override {
    for (const Transition& each : history_.history) {
      EXPECT_FALSE(each.task == request.id.task && each.to == TaskState::succeeded) << "what succeeded runs again";
    }
    watch_.started(request);
    inner_.start(std::move(request));
    record_.effect_done();
  }
  void stop(AttemptId id, StopReason reason, StopMode mode) override {
    watch_.stopped(id);
    inner_.stop(id, reason, mode);
    record_.effect_done();
  }
  std::vector<Event> wait(std::optional<MonotonicTime> deadline) override {
    record_.turn_done();
    std::vector<Event> events = inner_.wait(deadline);
    for (const Event& event : events) {
      if (const auto* finished = std::get_if<AttemptFinished>(&event)) watch_.ended(finished->id);
    }
    return events;
  }

 private:
  Containers& inner_;
  const KilledRecord& record_;
  Watch& watch_;
  const test::FakeRecord& history_;
};

// What the record says of each task, as the next mlpipe reads it.
std::vector<Recovered> recovered_from(const test::FakeRecord& record) {
  std::map<TaskId, Recovered> tasks;
  for (const Transition& each : record.history) {
    Recovered& task = tasks[each.task];
    task.task = each.task;
    task.state = each.to;
    task.attempt = std::max(task.attempt, each.attempt);
    task.reason = each.reason;
    if (each.to == TaskState::starting && !each.taken_up) task.take_up = {};
    if (each.to == TaskState::starting) task.memory = each.memory;
    if (each.to == TaskState::running) task.take_up.running_since = each.at - each.already;
    if (each.to == TaskState::stopping) task.take_up.stopping = each.stop_reason;
  }
  for (const auto& [id, end] : record.ends) {
    if (is_fault_of_the_world(end)) ++tasks[id.task].faults_of_the_world;
  }
  std::vector<Recovered> list;
  for (auto& [id, task] : tasks) list.push_back(std::move(task));
  return list;
}

struct Seen {
  unsigned kills = 0, taken_up = 0, collected = 0, compared = 0, hits = 0, deferred = 0;
  std::map<RunState, unsigned> ends;
};

std::vector<Kill> random_kills(Random& random) {
  std::vector<Kill> kills;
  do {
    kills.push_back({.commit = static_cast<int>(random.below(random.chance(50) ? 60 : 6)),
                     .place = static_cast<Kill::Place>(random.below(4))});
  } while (random.chance(50));
  return kills;
}

enum class Caching { no, yes };

// Runs, is killed, goes on, until a run comes to its end.
Outcome carry_out(const Case& tried, const plan::Plan& plan, unsigned seed, Seen& seen, Caching caching) {
  Random random(seed ^ 0x5eed);
  std::vector<Kill> kills = random_kills(random);
  Outcome outcome;
  test::FakeClock clock;
  Containers containers(clock, [seed](AttemptId id) { return random_script(seed, id); });
  for (const auto& [time, signal] : tried.interrupts) containers.interrupt_at(MonotonicTime(time), signal);
  Watch watch(plan, tried.options.limits, outcome.record);
  while (true) {
    std::optional<Kill> kill;
    if (!kills.empty()) kill = kills.front(), kills.erase(kills.begin());
    SharedResults results(plan, seed, clock, containers, outcome.record);
    SharedResults* cache = caching == Caching::yes ? &results : nullptr;
    KilledRecord record(outcome.record, kill, cache);
    KilledRunner runner(containers, record, watch, outcome.record);
    test::FakeReporter reporter;
    Run run(plan, tried.options, cache, recovered_from(outcome.record));
    const auto count = [&] {
      seen.hits += results.hits;
      seen.deferred += results.deferred;
    };
    try {
      EXPECT_TRUE(run_to_end(run, runner, record, reporter, clock));
    } catch (const Killed&) {
      ++seen.kills;
      count();
      containers.abandon();
      watch.resumed();
      clock.advance(random.chance(50) ? 0s : 1s * random.below(60));
      continue;
    }
    count();
    EXPECT_TRUE(run.finished());
    EXPECT_TRUE(results.holds_nothing());
    EXPECT_EQ(containers.attended(), 0u);
    seen.taken_up += containers.taken_up;
    seen.collected += containers.collected;
    outcome.state = run.state();
    ++seen.ends[outcome.state];
    for (std::uint32_t task = 0; task < plan.size(); ++task) {
      outcome.states.push_back(run.state(TaskId{task}));
      outcome.reasons.push_back(run.reason(TaskId{task}));
    }
    return outcome;
  }
}

class CrashedRuns : public ::testing::TestWithParam<unsigned> {};

TEST_P(CrashedRuns, GoOnToTheEndTheyWouldHaveComeTo) {
  Seen seen;
  for (unsigned seed = GetParam() * k_runs_in_block; seed < (GetParam() + 1) * k_runs_in_block; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Case tried = random_case(seed);
    const Result<plan::Plan> plan = plan::make_plan(tried.spec, {});
    ASSERT_TRUE(plan);
    const Outcome outcome = carry_out(tried, *plan, seed, seen, Caching::no);
    for (TaskState state : outcome.states) EXPECT_TRUE(is_final(state));
    if (tried.undisturbed()) {
      ++seen.compared;
      check_ends(tried, *plan, outcome, seed);
    }
    if (HasFailure()) {
      ADD_FAILURE() << outcome.history();
      return;
    }
  }
  EXPECT_GT(seen.kills, k_runs_in_block / 2);
  EXPECT_GT(seen.taken_up, k_runs_in_block / 2);
  EXPECT_GT(seen.collected, k_runs_in_block / 10);
  EXPECT_GT(seen.compared, k_runs_in_block / 5);
  EXPECT_GT(seen.ends[RunState::succeeded], 0u);
  EXPECT_GT(seen.ends[RunState::failed], 0u);
}

// With results that others have or are making, and tasks that wait for each other's: nothing is recorded before it is
// durable, nothing is held for ever, and every task comes to its end.
TEST_P(CrashedRuns, ShareResultsAndLeaveNothingHeld) {
  Seen seen;
  for (unsigned seed = GetParam() * k_runs_in_block; seed < (GetParam() + 1) * k_runs_in_block; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Case tried = random_case(seed);
    const Result<plan::Plan> plan = plan::make_plan(tried.spec, {});
    ASSERT_TRUE(plan);
    const Outcome outcome = carry_out(tried, *plan, seed, seen, Caching::yes);
    for (TaskState state : outcome.states) EXPECT_TRUE(is_final(state));
    if (HasFailure()) {
      ADD_FAILURE() << outcome.history();
      return;
    }
  }
  EXPECT_GT(seen.kills, k_runs_in_block / 2);
  EXPECT_GT(seen.hits, k_runs_in_block);
  EXPECT_GT(seen.deferred, k_runs_in_block / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, CrashedRuns, ::testing::Range(0u, k_blocks));

}  // namespace
}  // namespace mlpipe::engine
