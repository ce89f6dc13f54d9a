#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

class Retry : public RunTest {};

TEST_F(Retry, AFailedTaskIsTriedAsOftenAsItSays) {
  pipeline.task("a").retry({.limit = 2});
  script("a", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(run->attempt(id("a")), 3);
  EXPECT_EQ(states("a"),
            "ready starting running retry_wait ready starting running retry_wait ready starting running failed");
  EXPECT_EQ(reason("a"), "exit code 1");
}

TEST_F(Retry, ATaskThatSucceedsAtLastHasSucceeded) {
  pipeline.task("a").retry({.limit = 5});
  pipeline.task("b").after("a");
  script("a", {fails(), fails(AttemptEnd::out_of_memory), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(run->attempt(id("a")), 3);
  EXPECT_EQ(starts(), "a a a b");
  EXPECT_EQ(reason("a"), "");
}

TEST_F(Retry, WaitsItsBackOffInRetryWait) {
  pipeline.task("a").retry({.limit = 2, .backoff = 2min, .factor = 10, .max_backoff = 10min});
  script("a", {fails(), fails(), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  std::vector<std::chrono::milliseconds> waits;
  for (const Transition& each : record.history) {
    if (each.to == TaskState::retry_wait) waits.push_back(each.retry_in.value());
  }
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_TRUE(waits[0] >= 1min && waits[0] <= 2min);
  EXPECT_TRUE(waits[1] >= 5min && waits[1] <= 10min);
  EXPECT_EQ(run_time(), 3s + waits[0] + waits[1]);
}

TEST_F(Retry, AWaitingTaskHoldsNoSlot) {
  options.limits.max_parallel = 1;
  pipeline.task("a").retry({.limit = 1, .backoff = 1h});
  pipeline.task("b");
  script("a", {fails(), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(starts(), "a b a");
  EXPECT_EQ(when("b", TaskState::succeeded), 2s);
}

TEST_F(Retry, TheWorldsFaultsDoNotUseUpTheTasksRetries) {
  pipeline.task("a").retry({.limit = 1});
  script("a",
         {fails(AttemptEnd::lost), fails(), fails(AttemptEnd::infrastructure), fails(AttemptEnd::lost), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(run->attempt(id("a")), 5);
}

TEST_F(Retry, TheWorldHasABudgetOfItsOwn) {
  pipeline.task("a").retry({.limit = 10});
  script("a", {fails(AttemptEnd::infrastructure, "docker: no space left on device")});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(run->attempt(id("a")), 4);  // the first and three more
  EXPECT_EQ(reason("a"), "docker: no space left on device; not tried again: such things happened 4 times");
}

TEST_F(Retry, TheWorldsBackOffStartsAtASecond) {
  pipeline.task("a");
  script("a", {fails(AttemptEnd::lost), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  const auto wait = record.history[3].retry_in.value();
  EXPECT_TRUE(wait >= 500ms && wait <= 1s) << wait.count();
}

TEST_F(Retry, ATimeOutIsRetriedLikeAnyFailure) {
  pipeline.task("a").retry({.limit = 1}).timeout(10s);
  script("a", {lasting(1h), succeeds()});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(states("a"), "ready starting running stopping retry_wait ready starting running succeeded");
  EXPECT_EQ((record.ends[{id("a"), 1}]), AttemptEnd::timed_out);
}

TEST_F(Retry, SaysThatThisFailureIsNotToBeRetried) {
  pipeline.task("a").retry({.limit = 2, .on = spec::RetryOn{.causes = {spec::RetryCause::oom}, .exit_codes = {75}}});
  pipeline.task("b").retry({.limit = 2, .on = spec::RetryOn{.causes = {spec::RetryCause::exit}, .exit_codes = {}}});
  script("a", {fails(AttemptEnd::user_exit, "exit code 3")});
  script("b", {fails(AttemptEnd::timed_out, "it took too long")});
  options.on_failure = FailurePolicy::keep_going;
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_THAT(reason("a"),
              testing::MatchesRegex("exit code 3; not retried: its exit code [0-9] is not in `retry: on`"));
  EXPECT_EQ(reason("b"), "it took too long; not retried: `timeout` is not in `retry: on`");
}

TEST_F(Retry, SaysThatTheRunIsEnding) {
  pipeline.task("bad");
  pipeline.task("slow").retry({.limit = 2});
  pipeline.task("waits").retry({.limit = 2, .backoff = 1h});
  Script later = fails();
  later.lasts = 3s;
  script("bad", {later});
  later.lasts = 5s;
  script("slow", {later});
  script("waits", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(reason("bad"), "exit code 1");
  EXPECT_EQ(reason("slow"), "exit code 1; not retried: the run is ending");
  EXPECT_EQ(reason("waits"), "not retried because 'bad' failed; attempt 1 had failed: exit code 1");
}

TEST_F(Retry, SaysNothingOfRetriesThatAreUsedUp) {
  pipeline.task("a").retry({.limit = 1, .on = spec::RetryOn{.causes = {spec::RetryCause::exit}, .exit_codes = {}}});
  script("a", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(reason("a"), "exit code 1");
}

TEST_F(Retry, AFailureWithoutMessageIsNamedByItsKind) {
  pipeline.task("a");
  script("a", {fails(AttemptEnd::output_missing, "")});
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(reason("a"), "output_missing");
}

}  // namespace
}  // namespace mlpipe::engine
