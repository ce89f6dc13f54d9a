#include "run_fixture.hpp"
#include "support/fake_cache.hpp"

namespace mlpipe::engine {
namespace {

using ::testing::Contains;
using ::testing::Not;

class Caching : public RunTest {
 protected:
  RunState go_with_cache() {
    prepare();
    if (HasFatalFailure()) return RunState::running;
    if (!cache) cache = std::make_unique<test::FakeCache>(*plan);
    run = std::make_unique<engine::Run>(*plan, options, cache.get());
    if (set_up) set_up(*cache);
    Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
    EXPECT_TRUE(end) << end.error().message;
    EXPECT_EQ(runner.under_way(), 0u);
    return end ? *end : RunState::running;
  }

  std::function<void(test::FakeCache&)> set_up;
  std::unique_ptr<test::FakeCache> cache;
};

TaskData number(std::int64_t value) {
  TaskData data;
  data.parameters.emplace("n", Value(value));
  return data;
}

TEST_F(Caching, AHitEndsATaskWithoutAnAttempt) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  set_up = [](test::FakeCache& known) { known.known["a"] = number(7); };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(states("a"), "succeeded");
  EXPECT_EQ(states("b"), "ready starting running succeeded");
  EXPECT_EQ(starts(), "b");
  EXPECT_EQ(run->attempt(id("a")), 0);
  EXPECT_EQ(run->cached_from(id("a")), "earlier");
  EXPECT_EQ(run->cached_from(id("b")), "");
  EXPECT_EQ(run->cached(), 1u);
  EXPECT_EQ(*run->outputs(id("a")), number(7));
  EXPECT_EQ(reason("a"), "");
}

TEST_F(Caching, AWholeChainOfHitsEndsInOneTurn) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  pipeline.task("c").after("b");
  set_up = [](test::FakeCache& known) { known.known = {{"a", {}}, {"b", {}}, {"c", {}}}; };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(record.commits, 1);
  EXPECT_THAT(cache->calls, ElementsAre("look_up a", "look_up b", "look_up c", "durable"));
}

TEST_F(Caching, HitsNeedNoFreePlace) {
  options.limits.max_parallel = 1;
  pipeline.task("slow");
  pipeline.task("a");
  pipeline.task("b").after("a");
  script("slow", {lasting(1h)});
  set_up = [](test::FakeCache& known) { known.known = {{"a", {}}, {"b", {}}}; };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(when("b", TaskState::succeeded), 0ms);
}

TEST_F(Caching, AMissIsClaimedAndReleasedWhenItsEndIsRecorded) {
  pipeline.task("a").retry({.limit = 1, .backoff = 10s});
  script("a", {fails(), succeeds()});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_THAT(cache->calls, ElementsAre("look_up a", "claim a", "release a", "claim a", "release a"));
}

TEST_F(Caching, AClaimIsKeptWhenTheTaskIsTriedAgainAtOnce) {
  pipeline.task("a").retry({.limit = 1});
  script("a", {fails(), succeeds()});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_THAT(cache->calls, ElementsAre("look_up a", "claim a", "claim a", "release a"));
}

TEST_F(Caching, AClaimIsNotKeptWhenTheResultArrivesBeforeTheNextAttempt) {
  pipeline.task("a").retry({.limit = 1});
  script("a", {fails()});
  set_up = [](test::FakeCache& known) { known.arrives_later["a"] = number(3); };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "a");
  EXPECT_THAT(cache->calls, ElementsAre("look_up a", "claim a", "claim a", "durable", "release a"));
}

TEST_F(Caching, AResultThatArrivesBeforeTheStartIsTaken) {
  pipeline.task("a");
  set_up = [](test::FakeCache& known) { known.arrives["a"] = number(3); };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(states("a"), "ready succeeded");
  EXPECT_EQ(starts(), "");
  EXPECT_EQ(*run->outputs(id("a")), number(3));
}

TEST_F(Caching, ATaskWhoseResultIsBeingMadeIsDeferred) {
  pipeline.task("a");
  set_up = [this](test::FakeCache& known) {
    known.busy.insert("a");
    known.arrives["a"] = number(5);
    runner.at(10s, ResultSettled{id("a")});
  };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(states("a"), "ready deferred ready succeeded");
  EXPECT_EQ(run_time(), 10s);
  EXPECT_THAT(cache->calls, Not(Contains("release a")));
}

TEST_F(Caching, ADeferredTaskRunsItselfWhenNothingCameOfIt) {
  pipeline.task("a");
  set_up = [this](test::FakeCache& known) {
    known.busy.insert("a");
    runner.at(10s, ResultSettled{id("a")});
  };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(states("a"), "ready deferred ready starting running succeeded");
}

TEST_F(Caching, ADeferredTaskHoldsNoPlace) {
  options.limits.max_parallel = 1;
  pipeline.task("a");
  pipeline.task("b");
  set_up = [this](test::FakeCache& known) {
    known.busy.insert("a");
    runner.at(10s, ResultSettled{id("a")});
  };
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(when("b", TaskState::succeeded), 1s);
  EXPECT_EQ(when("a", TaskState::succeeded), 11s);
}

TEST_F(Caching, ACancelledRunDoesNotWaitForDeferredTasks) {
  pipeline.task("a");
  set_up = [this](test::FakeCache& known) {
    known.busy.insert("a");
    runner.at(3s, Interrupted{2});
    runner.at(4s, ResultSettled{id("a")});
  };
  EXPECT_EQ(go_with_cache(), RunState::cancelled);
  EXPECT_EQ(states("a"), "ready deferred cancelled");
}

TEST_F(Caching, HitsThatAreNotDurableStopTheRun) {
  pipeline.task("a");
  prepare();
  cache = std::make_unique<test::FakeCache>(*plan);
  cache->known["a"] = {};
  cache->disk_full = true;
  run = std::make_unique<engine::Run>(*plan, options, cache.get());
  const Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::no_space);
  EXPECT_EQ(record.commits, 0);
}

class Discarding : public Caching {
 protected:
  Discarding() {
    spec::Interface makes;
    makes.output_artifacts = {test::artifact("data", "system.Dataset")};
    const spec::ComponentId maker = pipeline.component(makes);
    spec::Interface takes;
    takes.input_artifacts = {test::artifact("data")};
    taker_ = pipeline.component(takes);
    pipeline.task("make").component(maker).do_not_keep();
    TaskData outputs;
    outputs.artifacts["data"] = Artifact{.name = "data", .type = "system.Dataset", .uri = "/root/make/data/data"};
    script("make", {succeeds(outputs)});
  }
  void reader(const std::string& name) {
    pipeline.task(name).component(taker_).argument("data", spec::TaskOutput{"make", "data"});
  }
  spec::ComponentId taker_{};
};

TEST_F(Discarding, ArtifactsGoWhenTheLastReaderHasEnded) {
  reader("first");
  reader("second");
  script("second", {lasting(5s)});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_THAT(record.discarded, ElementsAre(id("make")));
  EXPECT_EQ(cache->calls.back(), "discard make");
}

TEST_F(Discarding, ArtifactsStayWhenAReaderFailed) {
  reader("first");
  reader("second");
  script("second", {fails()});
  EXPECT_EQ(go_with_cache(), RunState::failed);
  EXPECT_THAT(record.discarded, IsEmpty());
}

TEST_F(Discarding, ArtifactsThatNobodyReadsStay) {
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_THAT(record.discarded, IsEmpty());
}

}  // namespace
}  // namespace mlpipe::engine
