#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

constexpr int k_sigint = 2, k_sigterm = 15, k_sighup = 1;

// ---- Time-outs --------------------------------------------------------------------------------------------------

class TimeOut : public RunTest {};

TEST_F(TimeOut, StopsTheAttemptWithGrace) {
  pipeline.task("a").timeout(10s);
  script("a", {lasting(1h)});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(states("a"), "ready starting running stopping failed");
  ASSERT_EQ(runner.stops.size(), 1u);
  EXPECT_EQ(runner.stops[0].reason, StopReason::timed_out);
  EXPECT_EQ(runner.stops[0].mode, StopMode::graceful);
  EXPECT_EQ(run_time(), 10s);
}

TEST_F(TimeOut, CountsFromWhenTheContainerRuns) {
  pipeline.task("a").timeout(10s);
  Script slow_to_pull = lasting(9s);
  slow_to_pull.starts_in = 1h;
  script("a", {slow_to_pull});
  EXPECT_EQ(go(), RunState::succeeded);
}

TEST_F(TimeOut, OfAFastTaskIsForgotten) {
  pipeline.task("a").timeout(10s);
  pipeline.task("b").after("a");
  script("b", {lasting(1h)});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_THAT(runner.stops, IsEmpty());
}

TEST_F(TimeOut, AnAttemptThatEndsWellWhileStoppingHasSucceeded) {
  pipeline.task("a").timeout(10s);
  Script nearly = lasting(11s);
  nearly.stops_in = 5s;
  script("a", {nearly});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(states("a"), "ready starting running stopping succeeded");
}

TEST_F(TimeOut, ARunnerThatIsNotHeardOfIsAskedToKill) {
  pipeline.task("a").timeout(10s);
  Script deaf = lasting(1000h);
  deaf.heeds_graceful_stop = false;
  script("a", {deaf});
  EXPECT_EQ(go(), RunState::failed);
  ASSERT_EQ(runner.stops.size(), 2u);
  EXPECT_EQ(runner.stops[1].mode, StopMode::kill);
  EXPECT_EQ(runner.stops[1].reason, StopReason::timed_out);
  EXPECT_EQ(runner.stops[1].at - runner.stops[0].at, 60s);
}

// ---- Cancel -----------------------------------------------------------------------------------------------------

class Cancel : public RunTest {
 protected:
  // `running` for an hour, `ready` behind it for the one slot, `waiting` for both.
  void three_tasks() {
    options.limits.max_parallel = 1;
    pipeline.task("running");
    pipeline.task("ready");
    pipeline.task("waiting").after("running").after("ready");
    script("running", {lasting(1h)});
  }
};

TEST_F(Cancel, TheFirstSignalStopsWithGraceAndStartsNothingMore) {
  three_tasks();
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("running"), "ready starting running stopping cancelled");
  EXPECT_EQ(states("ready"), "ready cancelled");
  EXPECT_EQ(states("waiting"), "cancelled");
  for (const char* task : {"running", "ready", "waiting"}) EXPECT_EQ(reason(task), "interrupted by SIGINT");
  ASSERT_EQ(runner.stops.size(), 1u);
  EXPECT_EQ(runner.stops[0].reason, StopReason::cancelled);
  EXPECT_EQ(runner.stops[0].mode, StopMode::graceful);
  EXPECT_EQ(run->interrupt_signal(), k_sigint);
  EXPECT_EQ(run_time(), 5s);
  EXPECT_THAT(reporter.notices, ElementsAre("stopping what runs; interrupt again to kill it"));
}

TEST_F(Cancel, WhoCancelsFromElsewhereIsNamedAtOnce) {
  three_tasks();
  runner.at(5s, Interrupted{k_sigterm, 4711});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_THAT(reporter.notices, ElementsAre("cancelled by `mlpipe cancel` (process 4711): stopping what runs; "
                                            "interrupt again to kill it"));
}

TEST_F(Cancel, TheSecondSignalKills) {
  three_tasks();
  Script slow = lasting(1h);
  slow.stops_in = 10min;
  script("running", {slow});
  runner.at(5s, Interrupted{k_sigterm});
  runner.at(8s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  ASSERT_EQ(runner.stops.size(), 2u);
  EXPECT_EQ(runner.stops[1].mode, StopMode::kill);
  EXPECT_EQ(run_time(), 8s);
  EXPECT_EQ(run->interrupt_signal(), k_sigterm);  // the one that cancelled it
  EXPECT_THAT(reporter.notices, ElementsAre("stopping what runs; interrupt again to kill it", "killing what runs"));
}

TEST_F(Cancel, AClosedTerminalCancelsToo) {
  three_tasks();
  runner.at(5s, Interrupted{k_sighup});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(reason("ready"), "interrupted by SIGHUP");
}

TEST_F(Cancel, SaysWhenItWasMlpipeCancel) {
  three_tasks();
  runner.at(5s, Interrupted{k_sigterm, 4711});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(reason("ready"), "cancelled by `mlpipe cancel` (process 4711)");
  EXPECT_EQ(run->interrupt_signal(), k_sigterm);
  EXPECT_EQ(run->interrupted_by(), "`mlpipe cancel` (process 4711)");
}

TEST_F(Cancel, ReachesAttemptsThatAreStillStarting) {
  pipeline.task("a");
  Script pulling = lasting(1h);
  pulling.starts_in = 1h;
  script("a", {pulling});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("a"), "ready starting stopping cancelled");
}

TEST_F(Cancel, AContainerThatComesUpWhileStoppingStaysStopping) {
  pipeline.task("a").timeout(1s);
  Script late;
  late.starts_in = 6s;
  late.lasts = 100s;
  late.stops_in = 10s;
  script("a", {late});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("a"), "ready starting stopping cancelled");
}

TEST_F(Cancel, EndsAWaitForARetry) {
  pipeline.task("a").retry({.limit = 3, .backoff = 1h});
  script("a", {fails()});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("a"), "ready starting running retry_wait cancelled");
  EXPECT_EQ(run_time(), 5s);
}

TEST_F(Cancel, NothingIsRetriedAfterwards) {
  pipeline.task("a").retry({.limit = 3});
  pipeline.task("b");
  Script failing = fails();
  failing.lasts = 10s;
  failing.stops_in = 1h;
  script("a", {failing});
  script("b", {lasting(1h)});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("a"), "ready starting running stopping failed");
}

TEST_F(Cancel, WhatTheWorldDoesMeanwhileIsPartOfIt) {
  pipeline.task("a");
  Script lost = fails(AttemptEnd::lost, "the container vanished");
  lost.lasts = 10s;
  lost.stops_in = 1h;
  script("a", {lost});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(state("a"), TaskState::cancelled);
}

TEST_F(Cancel, ThatChangesNothingLeavesTheRunsResult) {
  pipeline.task("a");
  Script last = succeeds();
  last.lasts = 10s;
  last.stops_in = 1h;
  script("a", {last});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::succeeded);
}

TEST_F(Cancel, AlsoCancelsTasksThatRunWhateverHappens) {
  pipeline.task("a");
  pipeline.task("cleanup").after("a").all_completed();
  script("a", {lasting(1h)});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(states("cleanup"), "cancelled");
}

TEST_F(Cancel, ADeafAttemptIsKilledAfterAWhile) {
  pipeline.task("a");
  Script deaf = lasting(1000h);
  deaf.heeds_graceful_stop = false;
  script("a", {deaf});
  runner.at(5s, Interrupted{k_sigint});
  EXPECT_EQ(go(), RunState::cancelled);
  EXPECT_EQ(run_time(), 65s);
}

TEST_F(Cancel, BeforeAnythingStartedCancelsEverything) {
  three_tasks();
  prepare();
  run->cancel("no space left", clock.now(), clock.wall());
  run->advance(clock.now(), clock.wall());
  EXPECT_TRUE(run->finished());
  EXPECT_EQ(run->state(), RunState::cancelled);
  EXPECT_THAT(run->take_effects(), IsEmpty());
  EXPECT_EQ(reason("running"), "no space left");
}

}  // namespace
}  // namespace mlpipe::engine
