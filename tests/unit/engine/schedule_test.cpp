#include <algorithm>

#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

class Schedule : public RunTest {};

TEST_F(Schedule, ARunWithoutTasksSucceeds) {
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(reporter.finished, 1);
}

TEST_F(Schedule, IndependentTasksRunTogether) {
  pipeline.task("a");
  pipeline.task("b");
  pipeline.task("c").after("a").after("b");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "a b c");
  EXPECT_EQ(run_time(), 2s);
}

TEST_F(Schedule, TheLongestPathGoesFirstThenTheOrderOfTheFile) {
  options.limits.max_parallel = 1;
  pipeline.task("leaf1");
  pipeline.task("leaf2");
  pipeline.task("head");
  pipeline.task("middle").after("head");
  pipeline.task("tail").after("middle");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "head middle leaf1 leaf2 tail");
}

TEST_F(Schedule, NoMoreThanMaxParallelRunAtOnce) {
  options.limits.max_parallel = 3;
  for (int i = 0; i < 10; ++i) pipeline.task("t" + std::to_string(i));
  runner.on_start = [&](const AttemptRequest&) { EXPECT_LT(runner.under_way(), 3u); };
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(run_time(), 4s);
}

TEST_F(Schedule, TasksShareCpuMemoryAndGpus) {
  options.limits = {.max_parallel = 10, .cpu = 4, .memory = 8, .gpu = 1};
  pipeline.task("cpu1").cpu(3);
  pipeline.task("cpu2").cpu(1.5);
  pipeline.task("memory1").memory(5);
  pipeline.task("memory2").memory(4);
  pipeline.task("gpu1").gpu(1);
  pipeline.task("gpu2").gpu(1);
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "cpu1 memory1 gpu1 cpu2 memory2 gpu2");
  EXPECT_EQ(when("cpu2", TaskState::starting), 1s);
  EXPECT_EQ(run_time(), 2s);
}

TEST_F(Schedule, TenTenthsOfACoreFitOnOne) {
  options.limits.cpu = 1;
  for (int i = 0; i < 10; ++i) pipeline.task("t" + std::to_string(i)).cpu(0.1);
  pipeline.task("whole").cpu(1).after("t0");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(run_time(), 2s);  // all ten together; then what they held is given back without a rest
}

TEST_F(Schedule, ZeroCpuAndMemoryMeanNoLimit) {
  options.limits = {.max_parallel = 10};
  pipeline.task("a").cpu(64).memory(std::uint64_t{1} << 62);
  pipeline.task("b").cpu(64).memory(std::uint64_t{1} << 63);
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(run_time(), 1s);
}

TEST_F(Schedule, PoolsLimitTheTasksThatNameThem) {
  pipeline.pool("db", 2).pool("licence", 1);
  for (int i = 0; i < 4; ++i) pipeline.task("db" + std::to_string(i)).pool("db");
  pipeline.task("both1").pool("db").pool("licence").pool("db");  // twice is once
  pipeline.task("licence1").pool("licence");
  pipeline.task("free");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(when("free", TaskState::starting), 0s);
  EXPECT_EQ(when("licence1", TaskState::starting), 0s);
  EXPECT_EQ(when("db2", TaskState::starting), 1s);
  EXPECT_EQ(when("both1", TaskState::starting), 2s);
}

TEST_F(Schedule, SmallerTasksGoAheadOfOneThatDoesNotFitNow) {
  options.limits.cpu = 2;
  pipeline.task("first").cpu(1);
  pipeline.task("wide").cpu(2);
  pipeline.task("small").cpu(1);
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "first small wide");
}

TEST_F(Schedule, AWideTaskIsNotOvertakenForEver) {
  options.limits.cpu = 2;
  pipeline.task("first").cpu(1);
  pipeline.task("wide").cpu(2);
  for (int i = 0; i < 100; ++i) pipeline.task("small" + std::to_string(i)).cpu(1);
  Script uneven = lasting(1500ms);  // so that the two cores never come free together by themselves
  script("first", {uneven});
  EXPECT_EQ(go(), RunState::succeeded);
  const std::string order = starts();
  const auto before = std::count(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(order.find("wide")), ' ');
  EXPECT_EQ(before, 1 + 8);  // `first`, and the eight that may overtake
}

TEST_F(Schedule, AReservationHoldsAgainstHigherRanksToo) {
  options.limits.cpu = 2;
  pipeline.task("first").cpu(1);
  pipeline.task("wide").cpu(2);
  // A comb: each tooth opens the next two, so that there is always a small task of a higher rank than `wide`.
  pipeline.task("comb0").cpu(1);
  for (int i = 1; i < 40; ++i) pipeline.task("comb" + std::to_string(i)).cpu(1).after("comb" + std::to_string(i - 1));
  for (int i = 0; i < 40; ++i) pipeline.task("tooth" + std::to_string(i)).cpu(1).after("comb" + std::to_string(i));
  script("first", {lasting(1500ms)});
  EXPECT_EQ(go(), RunState::succeeded);
  const std::string order = starts();
  // The comb goes ahead by its rank, which counts for nothing; teeth of the same rank, later in the file, overtake.
  EXPECT_LT(order.find("wide"), order.find("tooth9"));
}

TEST_F(Schedule, WhatTheReservedTaskDoesNotNeedStaysFree) {
  options.limits = {.max_parallel = 10, .cpu = 2, .gpu = 1};
  pipeline.task("first").cpu(1);
  pipeline.task("timer");
  pipeline.task("wide").cpu(2);
  for (int i = 0; i < 12; ++i) pipeline.task("small" + std::to_string(i)).cpu(1);
  pipeline.task("gpu").gpu(1).after("timer");
  script("first", {lasting(1min)});
  script("timer", {lasting(30s)});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(when("small7", TaskState::starting), 7s);  // the eighth that overtakes `wide`
  EXPECT_EQ(when("gpu", TaskState::starting), 30s);    // needs no cpu
  EXPECT_EQ(when("wide", TaskState::starting), 1min);
  EXPECT_EQ(when("small8", TaskState::starting), 1min + 1s);
}

TEST_F(Schedule, ACancelledReservationIsGivenUp) {
  options.limits = {.max_parallel = 10, .cpu = 2};
  pipeline.task("bad").cpu(1);
  pipeline.task("wide").cpu(2);
  for (int i = 0; i < 12; ++i) pipeline.task("small" + std::to_string(i)).cpu(1);
  pipeline.task("cleanup").cpu(1).after("bad").all_completed();
  Script bad = fails();
  bad.lasts = 20s;
  script("bad", {bad});
  EXPECT_EQ(go(), RunState::failed);  // fail fast: `wide` is cancelled while it holds the reservation
  EXPECT_EQ(states("wide"), "ready cancelled");
  EXPECT_EQ(state("cleanup"), TaskState::succeeded);
}

TEST_F(Schedule, ActiveTasksAreListedInTheOrderTheyStarted) {
  pipeline.task("a");
  pipeline.task("b");
  pipeline.task("c");
  pipeline.task("d").after("a");
  script("b", {lasting(10s)});
  script("c", {lasting(10s)});
  std::vector<TaskId> active;
  MonotonicTime since{};
  runner.on_start = [&](const AttemptRequest& request) {
    if (request.id.task != id("d")) return;
    active = run->active();
    since = run->active_since(id("d"));
  };
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_THAT(active, ElementsAre(id("b"), id("c"), id("d")));
  EXPECT_EQ(since, MonotonicTime(1s));
  EXPECT_THAT(run->active(), IsEmpty());
}

TEST_F(Schedule, CountsAreOfTheStates) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  prepare();
  EXPECT_EQ(run->counts()[static_cast<std::size_t>(TaskState::waiting)], 2u);
  EXPECT_EQ(run->state(), RunState::running);
  run->advance(clock.now(), clock.wall());
  EXPECT_EQ(run->counts()[static_cast<std::size_t>(TaskState::waiting)], 1u);
  EXPECT_EQ(run->counts()[static_cast<std::size_t>(TaskState::starting)], 1u);
}

}  // namespace
}  // namespace mlpipe::engine
