#include "mlpipe/engine/estimate.hpp"

#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

class EstimateTest : public RunTest {
 protected:
  std::chrono::milliseconds time_of(const ExpectedTimes& times) {
    prepare();
    return estimate(*plan, options.limits, times);
  }
  // After prepare().
  std::string path_of(const ExpectedTimes& times) {
    std::string text;
    for (TaskId task : critical_path(*plan, times)) text += std::string(plan->task(task).path());
    return text;
  }
};

TEST_F(EstimateTest, ChainsAddUpAndBranchesRunBesideEachOther) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  pipeline.task("c").after("a");
  EXPECT_EQ(time_of({1s, 5s, 2s}), 6s);
}

TEST_F(EstimateTest, LimitsCountAsInARun) {
  for (const char* name : {"a", "b", "c", "d"}) pipeline.task(name).cpu(1).memory(3);
  options.limits = {.max_parallel = 4, .cpu = 4, .memory = 10};
  const ExpectedTimes times(4, 10s);
  EXPECT_EQ(time_of(times), 20s);
}

TEST_F(EstimateTest, PoolsCountAsInARun) {
  pipeline.pool("db", 1);
  for (const char* name : {"a", "b", "c"}) pipeline.task(name).pool("db");
  EXPECT_EQ(time_of({1s, 2s, 3s}), 6s);
}

TEST_F(EstimateTest, JobsCountAndTheLongestPathStartsFirst) {
  pipeline.task("short");
  pipeline.task("a");
  pipeline.task("b").after("a");
  options.limits.max_parallel = 1;
  EXPECT_EQ(time_of({1s, 2s, 4s}), 7s);
  options.limits.max_parallel = 2;
  EXPECT_EQ(estimate(*plan, options.limits, {1s, 2s, 4s}), 6s);
}

TEST_F(EstimateTest, WhatDoesNotRunTakesNoTimeAndNoPlace) {
  pipeline.task("a");
  pipeline.task("b").after("a").when("1 > 2");
  pipeline.task("c").after("b");
  options.limits.max_parallel = 1;
  EXPECT_EQ(time_of({1s, std::nullopt, 2s}), 3s);
  EXPECT_EQ(estimate(*plan, options.limits, {std::nullopt, std::nullopt, std::nullopt}), 0s);
}

TEST_F(EstimateTest, IsWhatARealRunTakes) {
  for (unsigned number = 0; number < 60; ++number) {
    auto task = pipeline.task("t" + std::to_string(number)).cpu(1 + number % 3);
    if (number >= 4) task.after("t" + std::to_string(number - 4)).after("t" + std::to_string(number / 2));
    script("t" + std::to_string(number), {lasting(100ms * (number * 7 % 31))});
  }
  options.limits = {.max_parallel = 3, .cpu = 4};
  ASSERT_EQ(go(), RunState::succeeded);
  ExpectedTimes times;
  for (unsigned number = 0; number < 60; ++number) times.emplace_back(100ms * (number * 7 % 31));
  EXPECT_EQ(estimate(*plan, options.limits, times), run_time());
}

TEST_F(EstimateTest, TheCriticalPathIsTheLongestInTime) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  pipeline.task("c").after("a");
  pipeline.task("d").after("b").after("c");
  prepare();
  EXPECT_EQ(path_of({1s, 2s, 3s, 1s}), "acd");
  EXPECT_EQ(path_of({1s, 2s, std::nullopt, 1s}), "abd");
  EXPECT_EQ(path_of({std::nullopt, std::nullopt, std::nullopt, std::nullopt}), "");
}

TEST_F(EstimateTest, WithoutTimesTheCriticalPathHasTheMostTasks) {
  pipeline.task("a");
  pipeline.task("b");
  pipeline.task("c").after("b");
  prepare();
  EXPECT_EQ(path_of({0s, 0s, 0s}), "bc");
}

}  // namespace
}  // namespace mlpipe::engine
