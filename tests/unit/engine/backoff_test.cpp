#include "engine/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mlpipe::engine {
namespace {

using namespace std::chrono_literals;

// The delay without its jitter, from the largest of many draws.
std::chrono::milliseconds longest(const spec::RetryPolicy& policy, int failures) {
  std::chrono::milliseconds most{0};
  for (std::uint32_t task = 0; task < 2000; ++task) {
    most = std::max(most, retry_delay(policy, failures, 1, {TaskId{task}, 1}));
  }
  return most;
}

TEST(Backoff, GrowsByTheFactorUpToTheLongest) {
  const spec::RetryPolicy policy{.limit = 9, .backoff = 5s, .factor = 3, .max_backoff = 1min};
  EXPECT_NEAR(static_cast<double>(longest(policy, 1).count()), 5000, 20);
  EXPECT_NEAR(static_cast<double>(longest(policy, 2).count()), 15000, 60);
  EXPECT_NEAR(static_cast<double>(longest(policy, 3).count()), 45000, 200);
  EXPECT_NEAR(static_cast<double>(longest(policy, 4).count()), 60000, 300);
  EXPECT_LE(longest(policy, 1000), 1min);  // 3^999 is infinite
  EXPECT_GE(longest(policy, 1000), 50s);
}

TEST(Backoff, IsAlwaysFromHalfToAllOfTheDelay) {
  const spec::RetryPolicy policy{.limit = 9, .backoff = 10s, .factor = 2, .max_backoff = 1h};
  std::set<std::chrono::milliseconds> different;
  for (std::uint32_t task = 0; task < 2000; ++task) {
    const std::chrono::milliseconds delay = retry_delay(policy, 1, 7, {TaskId{task}, 1});
    EXPECT_GE(delay, 5s);
    EXPECT_LE(delay, 10s);
    different.insert(delay);
  }
  EXPECT_GT(different.size(), 1000u);
}

TEST(Backoff, DependsOnSeedTaskAndAttemptOnly) {
  const spec::RetryPolicy policy{.limit = 9, .backoff = 1h, .factor = 1, .max_backoff = 1h};
  const AttemptId attempt{TaskId{3}, 2};
  EXPECT_EQ(retry_delay(policy, 2, 7, attempt), retry_delay(policy, 2, 7, attempt));
  EXPECT_NE(retry_delay(policy, 2, 7, attempt), retry_delay(policy, 2, 8, attempt));
  EXPECT_NE(retry_delay(policy, 2, 7, attempt), retry_delay(policy, 2, 7, {TaskId{4}, 2}));
  EXPECT_NE(retry_delay(policy, 2, 7, attempt), retry_delay(policy, 2, 7, {TaskId{3}, 3}));
}

TEST(Backoff, IsTheSameInEveryProcess) {
  const spec::RetryPolicy policy{.limit = 1, .backoff = 100s, .factor = 2, .max_backoff = 1h};
  EXPECT_EQ(retry_delay(policy, 1, 42, {TaskId{0}, 1}), 85'647ms);
  EXPECT_EQ(retry_delay(policy, 1, 42, {TaskId{1}, 1}), 66'986ms);
  EXPECT_EQ(retry_delay(policy, 1, 42, {TaskId{2}, 1}), 89'697ms);
}

TEST(Backoff, OfNothingStaysNothing) {
  EXPECT_EQ(longest({.limit = 9, .backoff = 0s, .factor = 2, .max_backoff = 1h}, 1), 0s);
  EXPECT_EQ(longest({.limit = 9, .backoff = 0s, .factor = 2, .max_backoff = 1h}, 5000), 0s);
}

TEST(Backoff, OfTheWorldDoublesFromASecondToThirty) {
  EXPECT_NEAR(static_cast<double>(longest(infrastructure_backoff(3), 1).count()), 1000, 5);
  EXPECT_NEAR(static_cast<double>(longest(infrastructure_backoff(3), 3).count()), 4000, 20);
  EXPECT_LE(longest(infrastructure_backoff(3), 50), 30s);
}

}  // namespace
}  // namespace mlpipe::engine
