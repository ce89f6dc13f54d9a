#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

using spec::ParameterType;

class Failing : public RunTest {
 protected:
  // bad -> middle -> end, bad -> side; other -> last.
  void two_branches() {
    pipeline.task("bad");
    pipeline.task("middle").after("bad");
    pipeline.task("end").after("middle");
    pipeline.task("side").after("bad");
    pipeline.task("other");
    pipeline.task("last").after("other");
    script("bad", {fails()});
    script("other", {lasting(10s)});
  }
};

TEST_F(Failing, KeepGoingSkipsDependantsOnly) {
  options.on_failure = FailurePolicy::keep_going;
  two_branches();
  EXPECT_EQ(go(), RunState::failed);
  for (const char* task : {"middle", "end", "side"}) {
    EXPECT_EQ(states(task), "skipped");
    EXPECT_EQ(reason(task), "'bad' failed");
  }
  EXPECT_EQ(state("other"), TaskState::succeeded);
  EXPECT_EQ(state("last"), TaskState::succeeded);
}

TEST_F(Failing, FailFastLetsRunningTasksFinishAndStartsNothing) {
  two_branches();
  EXPECT_EQ(go(), RunState::failed);
  for (const char* task : {"middle", "end", "side"}) EXPECT_EQ(reason(task), "'bad' failed");
  EXPECT_EQ(states("other"), "ready starting running succeeded");
  EXPECT_EQ(states("last"), "cancelled");
  EXPECT_EQ(reason("last"), "not started because 'bad' failed");
  EXPECT_THAT(runner.stops, IsEmpty());
  EXPECT_EQ(run_time(), 10s);
}

TEST_F(Failing, FailFastCancelsReadyTasksAndRetries) {
  options.limits.max_parallel = 2;
  pipeline.task("retried").retry({.limit = 1, .backoff = 1h});
  pipeline.task("bad");
  pipeline.task("long");
  pipeline.task("queued");
  script("retried", {fails()});
  script("bad", {lasting(2s)});
  Script bad = fails();
  bad.lasts = 2s;
  script("bad", {bad});
  script("long", {lasting(1min)});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(states("retried"), "ready starting running retry_wait cancelled");
  EXPECT_EQ(states("queued"), "ready cancelled");
  EXPECT_EQ(state("long"), TaskState::succeeded);
}

TEST_F(Failing, AfterFailFastARunningTaskIsNotRetried) {
  pipeline.task("bad");
  pipeline.task("flaky").retry({.limit = 5});
  Script flaky = fails();
  flaky.lasts = 1min;
  script("bad", {fails()});
  script("flaky", {flaky});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(states("flaky"), "ready starting running failed");
}

TEST_F(Failing, TheTaskThatIsStillRetriedDoesNotFailTheRun) {
  pipeline.task("flaky").retry({.limit = 1, .backoff = 1min});
  pipeline.task("a");
  pipeline.task("b").after("a");
  script("flaky", {fails(), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
}

TEST_F(Failing, ASkippedTaskSkipsItsDependantsOnce) {
  options.on_failure = FailurePolicy::keep_going;
  pipeline.task("bad1");
  pipeline.task("bad2");
  pipeline.task("both").after("bad1").after("bad2");
  pipeline.task("below").after("both").after("bad2");
  script("bad1", {fails()});
  script("bad2", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(states("both"), "skipped");
  EXPECT_EQ(states("below"), "skipped");
}

TEST_F(Failing, AChainOfAHundredThousandIsSkippedWithoutRecursion) {
  pipeline.task("t0");
  for (int i = 1; i < 100'000; ++i) pipeline.task("t" + std::to_string(i)).after("t" + std::to_string(i - 1));
  script("t0", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(state("t99999"), TaskState::skipped);
  EXPECT_EQ(reason("t99999"), "'t0' failed");
}

// ---- TriggerStrategy::all_completed -----------------------------------------------------------------------------

class AllCompleted : public RunTest {
 protected:
  void cleanup_after_a_failure(FailurePolicy policy) {
    options.on_failure = policy;
    pipeline.task("bad");
    pipeline.task("skipped").after("bad");
    pipeline.task("slow");
    pipeline.task("cleanup").after("skipped").after("bad").after("slow").all_completed();
    pipeline.task("after_cleanup").after("cleanup");
    script("bad", {fails()});
    script("slow", {lasting(1min)});
  }
};

TEST_F(AllCompleted, RunsWhateverTheResultOnceAllItNeedsHasEnded) {
  cleanup_after_a_failure(FailurePolicy::keep_going);
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(state("skipped"), TaskState::skipped);
  EXPECT_EQ(state("cleanup"), TaskState::succeeded);
  EXPECT_EQ(when("cleanup", TaskState::starting), 1min);
  EXPECT_EQ(state("after_cleanup"), TaskState::succeeded);
}

TEST_F(AllCompleted, RunsAfterFailFastTooButWhatFollowsItDoesNot) {
  cleanup_after_a_failure(FailurePolicy::fail_fast);
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(state("cleanup"), TaskState::succeeded);
  EXPECT_EQ(when("cleanup", TaskState::starting), 1min);
  EXPECT_EQ(states("after_cleanup"), "cancelled");
}

TEST_F(AllCompleted, IsRetriedEvenAfterFailFast) {
  pipeline.task("bad");
  pipeline.task("cleanup").after("bad").all_completed().retry({.limit = 1});
  script("bad", {fails()});
  script("cleanup", {fails(), succeeds()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(state("cleanup"), TaskState::succeeded);
}

TEST_F(AllCompleted, DoesNotWaitForMoreThanItNeeds) {
  pipeline.task("a");
  pipeline.task("b").after("a").all_completed();
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "a b");
}

// ---- when -------------------------------------------------------------------------------------------------------

class When : public RunTest {
 protected:
  void needs_a_number(Value number, std::string_view condition) {
    spec::Interface interface;
    interface.output_parameters.push_back(test::parameter("n", ParameterType::integer));
    pipeline.task("make").component(pipeline.component(interface));
    pipeline.task("maybe").when(condition);
    pipeline.task("below").after("maybe");
    TaskData outputs;
    outputs.parameters["n"] = std::move(number);
    script("make", {succeeds(outputs)});
  }
};

TEST_F(When, TrueRunsTheTask) {
  needs_a_number(Value(3), "tasks.make.outputs.n > 2");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "make maybe below");
}

TEST_F(When, FalseSkipsTheTaskAndItsDependantsAndTheRunSucceeds) {
  needs_a_number(Value(1), "tasks.make.outputs.n > 2");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(states("maybe"), "skipped");
  EXPECT_EQ(reason("maybe"), "its condition is false: tasks.make.outputs.n > 2");
  EXPECT_EQ(reason("below"), "'maybe' was skipped: its condition is false: tasks.make.outputs.n > 2");
}

TEST_F(When, NeitherTrueNorFalseFailsTheTask) {
  needs_a_number(Value(1), "tasks.make.outputs.n + 2");
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(states("maybe"), "failed");
  EXPECT_EQ(run->attempt(id("maybe")), 0);
  EXPECT_EQ(reason("maybe"), "condition 'tasks.make.outputs.n + 2' is 3, neither true nor false");
  EXPECT_EQ(reason("below"), "'maybe' failed");
}

TEST_F(When, WithoutAValueFailsTheTask) {
  needs_a_number(Value(1), "tasks.make.outputs.m > 2");
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_THAT(reason("maybe"), HasSubstr("task 'make' succeeded, but gave no output 'm'"));
}

TEST_F(When, OfATaskWithoutNeedsIsEvaluatedAtTheStart) {
  arguments["deploy"] = Value(false);
  pipeline.parameter(test::parameter("deploy", ParameterType::boolean));
  pipeline.task("deploy").when("parameters.deploy");
  pipeline.task("other");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(state("deploy"), TaskState::skipped);
  EXPECT_EQ(starts(), "other");
}

// ---- Selection --------------------------------------------------------------------------------------------------

class Selected : public RunTest {};

TEST_F(Selected, TasksLeftOutAreSkippedAndTheOrderToThemCountsAsKept) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  pipeline.task("c").after("b");
  pipeline.task("d").after("c");
  EXPECT_EQ(go({.from = {"b"}, .until = {"c"}}), RunState::succeeded);
  EXPECT_EQ(starts(), "b c");
  EXPECT_EQ(reason("a"), "not selected");
  EXPECT_EQ(states("d"), "skipped");
  EXPECT_EQ(reason("d"), "not selected");
}

TEST_F(Selected, ATaskLeftOutBelowAFailedOneIsSkippedOnce) {
  options.on_failure = FailurePolicy::keep_going;
  pipeline.task("bad");
  pipeline.task("out").after("bad");
  pipeline.task("in").after("out");
  script("bad", {fails()});
  EXPECT_EQ(go({.only = {"bad", "in"}}), RunState::failed);
  EXPECT_EQ(reason("out"), "not selected");
  EXPECT_EQ(state("in"), TaskState::succeeded);
}

}  // namespace
}  // namespace mlpipe::engine
