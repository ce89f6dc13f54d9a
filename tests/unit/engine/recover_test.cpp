#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

class Recovery : public RunTest {
 protected:
  RunState go_on(std::vector<Recovered> recovered) {
    run = std::make_unique<engine::Run>(*plan, options, nullptr, std::move(recovered));
    Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
    EXPECT_TRUE(end) << end.error().message;
    EXPECT_EQ(runner.under_way(), 0u);
    return end ? *end : RunState::running;
  }
  void chain() {
    pipeline.task("a");
    pipeline.task("b").after("a");
    pipeline.task("c").after("b");
    prepare();
  }
};

TEST_F(Recovery, WhatSucceededIsNotRunAgain) {
  chain();
  TaskData data;
  data.parameters.emplace("n", Value(std::int64_t{1}));
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::succeeded, .attempt = 2, .outputs = data}}),
            RunState::succeeded);
  EXPECT_EQ(starts(), "b c");
  EXPECT_EQ(states("a"), "");
  EXPECT_EQ(*run->outputs(id("a")), data);
  EXPECT_TRUE(run->resumed());
}

TEST_F(Recovery, AnActiveAttemptIsTakenUpUnderItsOwnNumber) {
  chain();
  const WallTime since{5s};
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::running, .attempt = 3, .take_up = {.running_since = since}}}),
            RunState::succeeded);
  EXPECT_EQ(starts(), "a b c");
  EXPECT_EQ(runner.started[0].id.number, 3);
  ASSERT_TRUE(runner.started[0].take_up);
  EXPECT_EQ(runner.started[0].take_up->running_since, since);
  EXPECT_FALSE(runner.started[1].take_up);
  EXPECT_TRUE(record.history[1].taken_up);
  EXPECT_EQ(record.history[1].to, TaskState::starting);
}

TEST_F(Recovery, TakenUpAttemptsNeedNoFreePlace) {
  options.limits.max_parallel = 1;
  pipeline.task("a");
  pipeline.task("b");
  pipeline.task("c");
  prepare();
  EXPECT_EQ(go_on({{.task = id("b"), .state = TaskState::running, .attempt = 1},
                   {.task = id("c"), .state = TaskState::starting, .attempt = 1}}),
            RunState::succeeded);
  EXPECT_EQ(starts(), "b c a");
  EXPECT_EQ(when("a", TaskState::starting), 1s);
}

TEST_F(Recovery, TheTimeoutCountsFromTheRealStart) {
  pipeline.task("a").timeout(60s);
  prepare();
  runner.script = [](AttemptId) {
    Script script = lasting(1h);
    script.comes_up = false;
    return script;
  };
  runner.at(0ms, AttemptRunning{{id("a"), 1}, 45s});
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::running, .attempt = 1}}), RunState::failed);
  EXPECT_EQ(run_time(), 15s);
  EXPECT_EQ(record.ends.at({id("a"), 1}), AttemptEnd::timed_out);
}

TEST_F(Recovery, AFailedTaskStaysFailedAndItsDependantsAreSkipped) {
  options.on_failure = FailurePolicy::keep_going;
  chain();
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::failed, .attempt = 1, .reason = "exit code 1"},
                   {.task = id("b"), .state = TaskState::skipped, .reason = "'a' failed"}}),
            RunState::failed);
  EXPECT_EQ(starts(), "");
  EXPECT_EQ(reason("a"), "exit code 1");
  EXPECT_EQ(reason("c"), "'a' failed");
}

TEST_F(Recovery, ACancelThatWasNotFinishedDoesNotCount) {
  chain();
  EXPECT_EQ(go_on({{.task = id("a"),
                    .state = TaskState::stopping,
                    .attempt = 1,
                    .take_up = {.stopping = StopReason::cancelled}},
                   {.task = id("b"), .state = TaskState::cancelled},
                   {.task = id("c"), .state = TaskState::cancelled}}),
            RunState::succeeded);
  EXPECT_EQ(runner.started[0].take_up->stopping, StopReason::cancelled);
}

TEST_F(Recovery, AttemptsThatWereMadeCount) {
  pipeline.task("a").retry({.limit = 2});
  prepare();
  script("a", {fails()});
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::retry_wait, .attempt = 3, .faults_of_the_world = 1}}),
            RunState::failed);
  EXPECT_EQ(runner.started.size(), 1u);
  EXPECT_EQ(runner.started[0].id.number, 4);
}

TEST_F(Recovery, ARunOfWhichAllIsDoneEndsAtOnce) {
  chain();
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::succeeded, .attempt = 1},
                   {.task = id("b"), .state = TaskState::succeeded, .attempt = 1},
                   {.task = id("c"), .state = TaskState::succeeded, .cached_from = "r0"}}),
            RunState::succeeded);
  EXPECT_EQ(run->cached(), 1u);
  EXPECT_EQ(run->cached_from(id("c")), "r0");
}

TEST_F(Recovery, MemoryOfARaisedAttemptStaysRaised) {
  options.limits.memory = 100;
  pipeline.task("a").memory(10).retry({.limit = 3, .memory_factor = 2});
  prepare();
  script("a", {fails(AttemptEnd::out_of_memory), fails(AttemptEnd::out_of_memory), succeeds()});
  EXPECT_EQ(go_on({{.task = id("a"), .state = TaskState::running, .attempt = 2, .memory = 20}}), RunState::succeeded);
  EXPECT_EQ(runner.started[0].memory, 20u);
  EXPECT_EQ(runner.started[1].memory, 40u);
}

// ---- What is tried again ----------------------------------------------------------------------------------------

using RetryOn = RunTest;

TEST_F(RetryOn, MemoryGrowsAfterEachOomKillUpToWhatTheMachineHas) {
  options.limits.memory = 70;
  pipeline.task("a").memory(20).retry({.limit = 5, .memory_factor = 2});
  pipeline.task("b").memory(40);
  script("a", {fails(AttemptEnd::out_of_memory), fails(AttemptEnd::out_of_memory), fails(AttemptEnd::out_of_memory),
               succeeds()});
  script("b", {lasting(1500ms)});
  EXPECT_EQ(go(), RunState::succeeded);
  std::vector<std::uint64_t> memory;
  for (const AttemptRequest& request : runner.started) {
    if (request.id.task == id("a")) memory.push_back(request.memory);
  }
  EXPECT_THAT(memory, ElementsAre(0u, 40u, 70u, 70u));
  // With 40 it does not fit beside b any more.
  EXPECT_GE(runner.started.size(), 5u);
}

TEST_F(RetryOn, OnlyTheCausesThatWereNamedAreTriedAgain) {
  int tried = 0;
  const auto attempts_after = [&](AttemptEnd end, int exit_code, spec::RetryOn on) {
    test::PipelineBuilder one;
    one.task("a").retry({.limit = 1, .on = std::move(on)});
    const spec::PipelineSpec its_spec = one.build();
    const plan::Plan its_plan = plan::make_plan(its_spec, {}).value();
    test::FakeClock its_clock;
    test::FakeRunner its_runner(its_clock);
    its_runner.script = [&](AttemptId) {
      Script script = fails(end);
      script.result.exit_code = exit_code;
      return script;
    };
    test::FakeRecord its_record;
    engine::Run its_run(its_plan, options);
    EXPECT_EQ(run_to_end(its_run, its_runner, its_record, reporter, its_clock).value(), RunState::failed) << ++tried;
    return its_runner.started.size();
  };
  using spec::RetryCause;
  EXPECT_EQ(attempts_after(AttemptEnd::user_exit, 1, {.exit_codes = {1, 75}}), 2u);
  EXPECT_EQ(attempts_after(AttemptEnd::user_exit, 2, {.exit_codes = {1, 75}}), 1u);
  EXPECT_EQ(attempts_after(AttemptEnd::user_exit, 2, {.causes = {RetryCause::exit}}), 2u);
  EXPECT_EQ(attempts_after(AttemptEnd::out_of_memory, 137, {.causes = {RetryCause::exit}}), 1u);
  EXPECT_EQ(attempts_after(AttemptEnd::out_of_memory, 137, {.causes = {RetryCause::oom}}), 2u);
  EXPECT_EQ(attempts_after(AttemptEnd::signalled, 139, {.causes = {RetryCause::signal}}), 2u);
  EXPECT_EQ(attempts_after(AttemptEnd::output_missing, 0, {.causes = {RetryCause::missing_output}}), 2u);
  EXPECT_EQ(attempts_after(AttemptEnd::not_startable, 127, {.causes = {RetryCause::exit}}), 1u);
  EXPECT_EQ(attempts_after(AttemptEnd::lost, 137, {.causes = {RetryCause::oom}}), 4u);  // the world's fault: always
}

}  // namespace
}  // namespace mlpipe::engine
