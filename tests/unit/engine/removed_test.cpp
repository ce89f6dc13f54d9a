#include <algorithm>
#include <functional>
#include <set>

#include "mlpipe/engine/foresight.hpp"
#include "removed_fixture.hpp"
#include "run_fixture.hpp"
#include "support/fake_cache.hpp"

// Results whose artifacts were taken away (`keep: false`) still count where nobody needs the artifacts, and only there.
namespace mlpipe::engine {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class RemovedTest : public RunTest {
 protected:
  RemovedTest() : component_(pipeline.component(interface_with(3))) {}

  test::PipelineBuilder::Task task(const std::string& name, const std::vector<std::string>& reads = {}) {
    auto task = pipeline.task(name).component(component_);
    for (std::size_t i = 0; i < reads.size(); ++i)
      task.argument("a" + std::to_string(i), spec::TaskOutput{reads[i], "data"});
    return task;
  }
  void import(const std::string& name, std::chrono::milliseconds lasts, AttemptEnd end = AttemptEnd::succeeded) {
    spec::ComponentSpec importer;
    importer.interface.output_artifacts = {test::artifact("data", "system.Dataset")};
    importer.implementation = spec::ImporterSpec{};
    pipeline.task(name).component(pipeline.component(std::move(importer)));
    imports_[name] = {lasts, end};
  }
  test::PipelineBuilder::Task passing(const std::string& name, const std::vector<std::string>& reads = {}) {
    return task(name, reads).do_not_keep();
  }
  void known(const std::vector<std::string>& names) {
    for (const std::string& name : names) known_[name] = artifact(name);
  }
  void removed(const std::vector<std::string>& names) {
    for (const std::string& name : names) removed_[name] = artifact(name);
  }

  RunState go_with_cache(const plan::Selection& selection = {}) {
    prepare(selection);
    if (HasFatalFailure()) return RunState::running;
    cache = std::make_unique<test::FakeCache>(*plan);
    fill(*cache);
    runner.script = [this](AttemptId id) {
      Script script = succeeds(artifact(std::string(plan->task(id.task).path())));
      script.lasts = lasting_;
      if (const auto imported = imports_.find(plan->task(id.task).path()); imported != imports_.end()) {
        script.lasts = imported->second.first;
        script.result.end = imported->second.second;
      }
      return script;
    };
    run = std::make_unique<engine::Run>(*plan, options, cache.get());
    Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
    EXPECT_TRUE(end) << end.error().message;
    return end ? *end : RunState::running;
  }
  void fill(test::FakeCache& results) const {
    results.known = known_;
    results.removed = removed_;
    results.vanishing = vanishing;
  }
  std::vector<std::string> without_artifacts() const {
    std::vector<std::string> names;
    for (TaskId id : record.removed) names.emplace_back(plan->task(id).path());
    return names;
  }
  std::string why(const std::string& name) const { return record.why.at(id(name)); }

  std::unique_ptr<test::FakeCache> cache;
  std::set<std::string> vanishing;
  std::chrono::milliseconds lasting_ = 1s;

 private:
  spec::ComponentId component_{};
  std::map<std::string, TaskData> known_, removed_;
  std::map<std::string, std::pair<std::chrono::milliseconds, AttemptEnd>, std::less<>> imports_;
};

TEST_F(RemovedTest, AResultWithoutArtifactsDoesWhenAllReadersAreCached) {
  passing("make");
  task("first", {"make"});
  task("second", {"make"});
  removed({"make"});
  known({"first", "second"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "");
  EXPECT_EQ(record.commits, 1);
  EXPECT_EQ(run->cached_from(id("make")), "earlier");
  EXPECT_EQ(run->cached(), 3U);
  EXPECT_THAT(without_artifacts(), ElementsAre("make"));
  EXPECT_THAT(record.discarded, IsEmpty());
  EXPECT_THAT(cache->calls, Not(Contains("discard make")));
}

TEST_F(RemovedTest, TheMakerRunsWhenOneReaderIsToRun) {
  passing("make");
  task("first", {"make"});
  task("second", {"make"});
  removed({"make"});
  known({"first"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "make second");
  EXPECT_THAT(without_artifacts(), IsEmpty());
  EXPECT_EQ(why("make"), "the artifacts of run earlier were taken away, and 'second' needs them");
  EXPECT_THAT(record.discarded, ElementsAre(id("make")));
}

TEST_F(RemovedTest, AChainOfThemDoesWhenItsEndIsCached) {
  passing("a");
  passing("b", {"a"});
  passing("c", {"b"});
  task("end", {"c"});
  removed({"a", "b", "c"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "");
  EXPECT_THAT(without_artifacts(), UnorderedElementsAre("a", "b", "c"));
}

TEST_F(RemovedTest, AChainOfThemRunsWhenItsEndIsToRun) {
  passing("a");
  passing("b", {"a"});
  task("side", {"a"});
  task("end", {"b"});
  removed({"a", "b"});
  known({"side"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "a b end");
  EXPECT_EQ(why("a"), "the artifacts of run earlier were taken away, and 'end' needs what is made of them");
  EXPECT_EQ(why("b"), "the artifacts of run earlier were taken away, and 'end' needs them");
}

TEST_F(RemovedTest, TheProofReachesOverTheOtherInputsOfReaders) {
  passing("a");
  passing("b");
  task("whole");
  task("end", {"a", "b", "whole"});
  removed({"a", "b"});
  known({"whole", "end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "");
  EXPECT_THAT(without_artifacts(), UnorderedElementsAre("a", "b"));
}

TEST_F(RemovedTest, OneMakerThatRunsTakesTheOthersWithIt) {
  passing("a");
  passing("b");
  task("end", {"a", "b"});
  task("only_b", {"b"});
  removed({"a", "b"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "a b only_b");  // what b gives now is known too late
  EXPECT_EQ(why("a"), "the artifacts of run earlier were taken away, and whether they are needed hangs on 'only_b'");
}

TEST_F(RemovedTest, WhatIsUnknownIsNoProofAndNothingWaitsForIt) {
  passing("make");
  task("runs");
  task("end", {"make", "runs"});
  removed({"make"});
  known({"end"});
  lasting_ = 10s;
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(when("make", TaskState::starting), 0s);
  EXPECT_EQ(why("make"), "the artifacts of run earlier were taken away, and whether they are needed hangs on 'runs'");
  EXPECT_EQ(run->cached_from(id("end")), "earlier");
}

TEST_F(RemovedTest, WhatHasEndedIsNoObstacleAnyMore) {
  task("runs");
  passing("make").after("runs");
  task("end", {"make", "runs"});
  removed({"make"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "runs");
  EXPECT_THAT(without_artifacts(), ElementsAre("make"));
}

TEST_F(RemovedTest, AnObstacleThatHasEndedIsForgotten) {
  task("first");
  passing("a");
  passing("b", {"a"});
  task("end", {"b", "first"});
  removed({"a", "b"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "a first");  // when a has ended, so has first
  EXPECT_THAT(without_artifacts(), ElementsAre("b"));
}

TEST_F(RemovedTest, WhatIsToBeKeptIsMade) {
  task("make");
  task("end", {"make"});
  removed({"make"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "make");
  EXPECT_EQ(why("make"), "the artifacts of run earlier were taken away");
}

TEST_F(RemovedTest, AnOutputOfThePipelineIsMade) {
  passing("make");
  task("end", {"make"});
  pipeline.output("result", "make", "data");
  removed({"make"});
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "make");
}

TEST_F(RemovedTest, WhatNobodyReadsIsMade) {
  passing("make");
  removed({"make"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "make");
}

TEST_F(RemovedTest, WhatIsReadOnlyByTasksThatAreLeftOutIsMade) {
  passing("make");
  task("end", {"make"});
  removed({"make"});
  known({"end"});
  EXPECT_EQ(go_with_cache({.until = {"make"}}), RunState::succeeded);
  EXPECT_EQ(starts(), "make");
}

TEST_F(RemovedTest, WhoReadsOnlyAParameterMayRun) {
  passing("make");
  task("counts").argument("x0", spec::TaskOutput{"make", "n"});
  TaskData result = artifact("make");
  result.parameters.emplace("n", Value(std::int64_t{3}));
  prepare();
  cache = std::make_unique<test::FakeCache>(*plan);
  cache->removed["make"] = result;
  run = std::make_unique<engine::Run>(*plan, options, cache.get());
  ASSERT_TRUE(run_to_end(*run, runner, record, reporter, clock));
  EXPECT_EQ(starts(), "counts");
  EXPECT_EQ(record.inputs.at(id("counts")).parameters.at("x0"), Value(std::int64_t{3}));
}

TEST_F(RemovedTest, AReaderThatIsSkippedNeedsNothing) {
  passing("make");
  task("end", {"make"}).when("1 > 2");
  removed({"make"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "");
  EXPECT_EQ(states("end"), "skipped");
}

TEST_F(RemovedTest, AReaderWhoseResultGoesInThatMomentFailsClearly) {
  passing("make");
  task("end", {"make"});
  task("below", {"end"});
  removed({"make"});
  known({"end"});
  vanishing = {"end"};
  EXPECT_EQ(go_with_cache(), RunState::failed);
  EXPECT_EQ(starts(), "");
  EXPECT_THAT(reason("end"), HasSubstr("what it reads was taken away"));
  EXPECT_THAT(reason("end"), HasSubstr("mlpipe resume run-1 --retry-failed"));
  EXPECT_EQ(cache->calls.back(), "release end");
}

TEST_F(RemovedTest, AnImportUnderWayIsWaitedFor) {
  import("first", 1s);
  import("second", 5s);
  passing("make", {"first"});
  task("join", {"make", "second"});
  removed({"make"});
  known({"join"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(starts(), "first second");
  EXPECT_EQ(states("make"), "ready deferred ready succeeded");
  EXPECT_EQ(run->cached(), 2U);
}

class FailingImport : public RemovedTest, public testing::WithParamInterface<FailurePolicy> {};

TEST_P(FailingImport, SetsTheMakerFree) {
  options.on_failure = GetParam();
  import("first", 1s);
  import("second", 5s, AttemptEnd::not_startable);
  passing("make", {"first"}).all_completed();
  task("join", {"make", "second"});
  removed({"make"});
  known({"join"});
  EXPECT_EQ(go_with_cache(), RunState::failed);
  EXPECT_THAT(states("make"), HasSubstr("deferred ready"));
  EXPECT_EQ(state("make"), TaskState::succeeded);
}

INSTANTIATE_TEST_SUITE_P(Policies, FailingImport, testing::Values(FailurePolicy::keep_going, FailurePolicy::fail_fast));

// ---- What a dry run says ------------------------------------------------------------------------------------------

class KnownForeseer final : public Foreseer {
 public:
  explicit KnownForeseer(test::FakeCache& cache) : cache_(cache) {}
  std::string runs_anyway(TaskId) override { return {}; }
  CacheAnswer look(TaskId task, const TaskData& inputs) override { return cache_.foresee(task, inputs); }
  Result<std::optional<TaskData>> import(TaskId, const TaskData&) override { return std::optional<TaskData>(); }

 private:
  test::FakeCache& cache_;
};

class ForeseenRemovals : public RemovedTest {
 protected:
  void look() {
    prepare();
    test::FakeCache known(*plan);
    fill(known);
    KnownForeseer foreseer(known);
    foreseen_ = foresee(*plan, options, foreseer);
  }
  std::string outlook(const std::string& name) const {
    const Foresight& task = foreseen_.at(plan::index(id(name)));
    return fmt::format("{}: {}", to_string(task.outlook), task.reason);
  }

 private:
  std::vector<Foresight> foreseen_;
};

TEST_F(ForeseenRemovals, AreCachedWhenNothingNeedsThem) {
  passing("make");
  task("end", {"make"});
  removed({"make"});
  known({"end"});
  look();
  EXPECT_EQ(outlook("make"), "cached: from run earlier; its artifacts were taken away, and nothing needs them");
  EXPECT_EQ(outlook("end"), "cached: from run earlier");
}

TEST_F(ForeseenRemovals, RunDownToWhatNeedsThem) {
  passing("a");
  passing("b", {"a"});
  task("side", {"a"});
  task("end", {"b"});
  removed({"a", "b"});
  known({"side"});
  look();
  EXPECT_EQ(outlook("a"), "run: the artifacts of run earlier were taken away, and 'end' needs what is made of them");
  EXPECT_EQ(outlook("b"), "run: the artifacts of run earlier were taken away, and 'end' needs them");
  EXPECT_EQ(outlook("side"), "depends: on 'a': cached if it gives the same");
  EXPECT_EQ(outlook("end"), "run: never run");
}

TEST_F(ForeseenRemovals, HangOnWhatIsNotKnownYet) {
  passing("make");
  task("runs");
  task("end", {"make", "runs"});
  removed({"make"});
  known({"end"});
  look();
  EXPECT_EQ(outlook("make"),
            "depends: the artifacts of run earlier were taken away, and whether they are needed hangs on 'runs'");
  EXPECT_EQ(outlook("end"), "depends: on 'make', 'runs': cached if they give the same");
}

TEST_F(ForeseenRemovals, AreCachedWhenAllThatRunsEndsBefore) {
  task("runs");
  passing("make").after("runs");
  task("end", {"make"}).after("runs");
  removed({"make"});
  known({"end"});
  look();
  EXPECT_EQ(outlook("runs"), "run: never run");
  EXPECT_EQ(outlook("make"), "cached: from run earlier; its artifacts were taken away, and nothing needs them");
}

class LongChain : public RemovedTest {
 protected:
  static constexpr unsigned k_long = 1000;
  LongChain() {
    for (unsigned i = 0; i < k_long; ++i) {
      names_.push_back("t" + std::to_string(i));
      passing(names_.back(), i == 0 ? std::vector<std::string>() : std::vector<std::string>{names_[i - 1]});
    }
    task("end", {names_.back()});
    removed(names_);
  }
  std::ptrdiff_t looks_ahead() const {
    return std::ranges::count_if(cache->calls, [](const std::string& call) { return call.starts_with("foresee"); });
  }

 private:
  std::vector<std::string> names_;
};

TEST_F(LongChain, IsForeseenOnceWhenItIsCached) {
  known({"end"});
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(record.removed.size(), k_long);
  EXPECT_LE(looks_ahead(), k_long);
}

TEST_F(LongChain, IsForeseenOnceWhenItRuns) {
  EXPECT_EQ(go_with_cache(), RunState::succeeded);
  EXPECT_EQ(runner.started.size(), k_long + 1);
  EXPECT_LE(looks_ahead(), k_long);
}

}  // namespace
}  // namespace mlpipe::engine
