#include "runner/sandbox.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/fake_container_engine.hpp"

namespace mlpipe::runner {
namespace {

// Takes a sandbox, waiting for the maker's thread to have one.
std::string take_one(SandboxPool& pool) {
  for (;;) {
    if (auto id = pool.take()) return *id;
    std::this_thread::yield();
  }
}

TEST(Sandbox, NoneIsMadeBeforeItIsWanted) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root"};
  {
    SandboxPool pool(engine, run);
    EXPECT_FALSE(pool.take());
  }
  EXPECT_TRUE(engine.created.empty());
}

TEST(Sandbox, EachIsGivenToOneTaskAtATime) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root", .concurrent_tasks = 3};
  SandboxPool pool(engine, run);
  pool.want(3);
  std::set<std::string> taken{take_one(pool), take_one(pool), take_one(pool)};
  EXPECT_EQ(taken.size(), 3U);
  EXPECT_FALSE(pool.take());
  pool.give_back(*taken.begin(), SandboxPool::Condition::good);
  EXPECT_EQ(pool.take(), *taken.begin());
}

TEST(Sandbox, NeverMoreThanCanRunAtOnce) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root", .concurrent_tasks = 2};
  {
    SandboxPool pool(engine, run);
    pool.want(50);
    take_one(pool);
    take_one(pool);
  }
  EXPECT_EQ(engine.created.size(), 2U);
}

TEST(Sandbox, AllAreRemovedAtTheEndAlsoThoseNotGivenBack) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root", .concurrent_tasks = 2};
  {
    SandboxPool pool(engine, run);
    pool.want(2);
    take_one(pool);
    pool.give_back(take_one(pool), SandboxPool::Condition::good);
  }
  EXPECT_EQ(engine.alive(), 0U);
}

TEST(Sandbox, TheyCarryTheLabelsOfTheirRun) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root", .concurrent_tasks = 1};
  SandboxPool pool(engine, run);
  pool.want(1);
  take_one(pool);
  std::lock_guard lock(engine.mutex);
  EXPECT_EQ(engine.created.front().labels.at("mlpipe.run"), "r");
  EXPECT_EQ(engine.created.front().labels.at("mlpipe.root"), "/root");
}

TEST(Sandbox, OneThatDiedIsNotGivenAgainAndNoMoreAreMade) {
  test::FakeContainerEngine engine;
  RunContext run{.run_id = "r", .root = "/root", .concurrent_tasks = 1};
  SandboxPool pool(engine, run);
  pool.want(1);
  pool.give_back(take_one(pool), SandboxPool::Condition::broken);
  EXPECT_FALSE(pool.take());
}

}  // namespace
}  // namespace mlpipe::runner
