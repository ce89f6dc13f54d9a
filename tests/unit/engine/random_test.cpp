#include "random_runs.hpp"

// Random DAGs with random settings, failures, losses, cancels: whatever happens, these must hold.
namespace mlpipe::engine {
namespace {

using namespace random_runs;

constexpr unsigned k_blocks = 4, k_runs_in_block = 750;

// Tells the Watch of ends as they are handed to the engine.
class WatchedRunner final : public TaskRunner {
 public:
  WatchedRunner(test::FakeRunner& inner, Watch& watch) : inner_(inner), watch_(watch) {}
  void start(AttemptRequest request) override {
    watch_.started(request);
    inner_.start(std::move(request));
  }
  void stop(AttemptId id, StopReason reason, StopMode mode) override {
    watch_.stopped(id);
    inner_.stop(id, reason, mode);
  }
  std::vector<Event> wait(std::optional<MonotonicTime> deadline) override {
    std::vector<Event> events = inner_.wait(deadline);
    for (const Event& event : events) {
      if (const auto* finished = std::get_if<AttemptFinished>(&event)) watch_.ended(finished->id);
    }
    return events;
  }

 private:
  test::FakeRunner& inner_;
  Watch& watch_;
};

Outcome carry_out(const Case& tried, const plan::Plan& plan, unsigned seed) {
  Outcome outcome;
  test::FakeClock clock;
  test::FakeRunner inner(clock);
  inner.script = [&](AttemptId id) { return random_script(seed, id); };
  for (const auto& [time, signal] : tried.interrupts) inner.at(time, Interrupted{signal});
  test::FakeReporter reporter;
  Watch watch(plan, tried.options.limits, outcome.record);
  WatchedRunner runner(inner, watch);
  Run run(plan, tried.options);
  const Result<RunState> end = run_to_end(run, runner, outcome.record, reporter, clock);
  EXPECT_TRUE(end);
  EXPECT_TRUE(run.finished());
  EXPECT_EQ(inner.under_way(), 0u);
  outcome.state = run.state();
  for (std::uint32_t task = 0; task < plan.size(); ++task) {
    outcome.states.push_back(run.state(TaskId{task}));
    outcome.reasons.push_back(run.reason(TaskId{task}));
  }
  return outcome;
}

void check_transitions(const Outcome& outcome) {
  std::map<TaskId, Transition> latest;
  for (const Transition& each : outcome.record.history) {
    const auto before = latest.find(each.task);
    EXPECT_EQ(each.from, before == latest.end() ? TaskState::waiting : before->second.to);
    EXPECT_TRUE(may_follow(each.from, each.to));
    if (before != latest.end()) {
      EXPECT_LE(before->second.at, each.at);
      EXPECT_EQ(each.attempt, before->second.attempt + (each.to == TaskState::starting ? 1 : 0));
    }
    latest.insert_or_assign(each.task, each);
  }
  for (std::size_t task = 0; task < outcome.states.size(); ++task) {
    EXPECT_TRUE(is_final(outcome.states[task]));
    EXPECT_EQ(latest.at(TaskId{static_cast<std::uint32_t>(task)}).to, outcome.states[task]);
    EXPECT_EQ(outcome.reasons[task].empty(), outcome.states[task] == TaskState::succeeded);
  }
}

void check_run_state(const Outcome& outcome, const Case& tried) {
  std::set<TaskState> states(outcome.states.begin(), outcome.states.end());
  if (outcome.state == RunState::cancelled) {
    EXPECT_FALSE(tried.interrupts.empty());
    EXPECT_TRUE(states.contains(TaskState::cancelled));
  } else {
    EXPECT_EQ(outcome.state == RunState::failed, states.contains(TaskState::failed));
  }
  EXPECT_FALSE(tried.undisturbed() && states.contains(TaskState::cancelled));
}

class RandomRuns : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomRuns, KeepEveryPromise) {
  std::map<RunState, unsigned> ends;
  std::size_t transitions = 0;
  for (unsigned seed = GetParam() * k_runs_in_block; seed < (GetParam() + 1) * k_runs_in_block; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Case tried = random_case(seed);
    const Result<plan::Plan> plan = plan::make_plan(tried.spec, {});
    ASSERT_TRUE(plan);
    ASSERT_TRUE(check_fits(*plan, tried.options.limits));
    const Outcome outcome = carry_out(tried, *plan, seed);
    check_transitions(outcome);
    check_run_state(outcome, tried);
    if (tried.undisturbed()) check_ends(tried, *plan, outcome, seed);
    if (seed % 8 == 0) {
      EXPECT_EQ(outcome.history(), carry_out(tried, *plan, seed).history());
    }
    ++ends[outcome.state];
    transitions += outcome.record.history.size();
    if (HasFailure()) return;
  }
  // The cases are no use unless they come to all ends.
  EXPECT_GT(ends[RunState::succeeded], k_runs_in_block / 50);
  EXPECT_GT(ends[RunState::failed], k_runs_in_block / 10);
  EXPECT_GT(ends[RunState::cancelled], k_runs_in_block / 20);
  EXPECT_GT(transitions, std::size_t{k_runs_in_block} * 20);
}

INSTANTIATE_TEST_SUITE_P(Blocks, RandomRuns, ::testing::Range(0u, k_blocks));

}  // namespace
}  // namespace mlpipe::engine
