#include "mlpipe/runner/result_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <list>
#include <mutex>

#include "mlpipe/metadata/file_digests.hpp"
#include "mlpipe/sys/lock.hpp"
#include "support/fake_clock.hpp"
#include "support/record_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;
using engine::CacheAnswer;
using engine::TaskData;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = CacheAnswer::Kind;

// One root, one pipeline with task "a", and runs of it, one after the other, each with its record and its cache.
class ResultCacheTest : public ::testing::Test {
 protected:
  struct OneRun {
    RunContext context;
    std::unique_ptr<metadata::RunRecord> record;
    std::unique_ptr<artifact::ArtifactStore> store;
    std::unique_ptr<RunCache> cache;
  };

  ResultCacheTest() : spec_(test::make_spec("p", {"a", "b"})) {
    spec_->components[1].interface.input_parameters.push_back({.name = "n", .type = spec::ParameterType::integer});
    for (const char* name : {"o", "z"}) {
      spec_->components[1].interface.output_artifacts.push_back({.name = name, .type = "system.Dataset"});
    }
    digests_ = metadata::open_file_digests(folder_.path() / ".mlpipe" / "digests.db");
    make_plan();
  }
  void make_plan() { plan_ = plan::make_plan(*spec_, {}).value(); }
  void set_cache(spec::CacheSettings cache) {
    auto settings = std::make_shared<spec::TaskSettings>();
    settings->cache = std::move(cache);
    for (spec::TaskSpec& task : std::get<spec::DagSpec>(spec_->components[0].implementation).tasks)
      task.settings = settings;
    make_plan();
  }

  OneRun& begin(const std::string& id, CachePolicy policy = {}, const std::string& image = "sha256:aa") {
    OneRun& run = runs_.emplace_back();
    run.context.run_id = id;
    run.context.root = folder_.path();
    run.context.run_folder = folder_.path() / "runs" / id;
    run.context.images["debian:12"] = Image{.id = image};
    run.context.digests = digests_.get();
    fs::create_directories(run.context.run_folder);
    run.record = metadata::open_record(folder_.path() / ".mlpipe" / "metadata.db").value();
    metadata::RunStart start = test::start_of(id);
    start.root = folder_.path().string();
    EXPECT_TRUE(run.record->begin(start, plan_));
    run.store = artifact::make_local_store(run.context.run_folder, digests_.get());
    run.cache = make_run_cache(plan_, run.context, *run.record, *run.store, clock_, std::move(policy));
    run.cache->post_to([this](engine::Event event) {
      std::lock_guard lock(mutex_);
      posted_.push_back(std::get<engine::ResultSettled>(event).task);
      came_.notify_all();
    });
    return run;
  }

  static TaskData number(std::int64_t n) {
    TaskData data;
    data.parameters.emplace("n", Value(n));
    return data;
  }

  // Runs task "a" with n, as an attempt would: artifacts in place, record committed.
  void make(OneRun& run, std::int64_t n, const std::string& content = "content") {
    const plan::TaskId task{0};
    const TaskData inputs = number(n);
    const CacheAnswer answer = run.cache->claim(task, inputs);
    ASSERT_EQ(answer.kind, Kind::miss) << answer.from_run;
    const auto never = [] { return false; };
    engine::AttemptResult result;
    for (const std::string name : {"o", "z"}) {
      const fs::path staged = run.context.run_folder / "a/.mlpipe/attempts/1/work" / name / "data";
      fs::create_directories(staged.parent_path());
      std::ofstream(staged) << content;
      const std::string uri = run.store->uri_of("a", name, "data");
      ASSERT_TRUE(run.store->commit(staged, uri, never));
      engine::Artifact artifact = run.store->describe(uri, never).value();
      artifact.name = name;
      artifact.type = "system.Dataset";
      result.outputs.artifacts.emplace(name, artifact);
    }
    using engine::TaskState;
    const engine::Transition steps[] = {{.task = task, .to = TaskState::ready},
                                        {.task = task,
                                         .attempt = 1,
                                         .from = TaskState::ready,
                                         .to = TaskState::starting,
                                         .inputs = &inputs,
                                         .cache = &answer},
                                        {.task = task,
                                         .attempt = 1,
                                         .from = TaskState::starting,
                                         .to = TaskState::succeeded,
                                         .at = clock_.wall(),
                                         .result = &result,
                                         .outputs = &result.outputs}};
    ASSERT_TRUE(run.record->commit(steps));
    run.cache->release(task);
  }

  CacheAnswer ask(OneRun& run, std::int64_t n = 1) { return run.cache->look_up(plan::TaskId{0}, number(n)); }

  void wait_for_post() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !posted_.empty(); });
  }

  std::vector<plan::TaskId> posted() {
    std::lock_guard lock(mutex_);
    return posted_;
  }

  test::TempDir folder_;
  test::FakeClock clock_;
  std::unique_ptr<spec::PipelineSpec> spec_;
  plan::Plan plan_;
  std::unique_ptr<sys::FileDigests> digests_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<plan::TaskId> posted_;
  std::list<OneRun> runs_;
};

TEST_F(ResultCacheTest, AHitIsInThisRunsTreeWithoutACopy) {
  make(begin("r1"), 1);
  OneRun& second = begin("r2");
  const CacheAnswer answer = ask(second);
  ASSERT_EQ(answer.kind, Kind::hit) << answer.why;
  EXPECT_EQ(answer.from_run, "r1");
  const std::string uri = (second.context.run_folder / "a/o/data").string();
  EXPECT_EQ(answer.outputs.artifacts.at("o").uri, uri);
  EXPECT_EQ(test::slurp(uri), "content");
  EXPECT_TRUE(fs::equivalent(uri, folder_.path() / "runs/r1/a/o/data") || fs::hard_link_count(uri) == 1);
  EXPECT_TRUE(second.cache->make_durable());
}

TEST_F(ResultCacheTest, ForeseeingPutsNothingIntoTheTree) {
  make(begin("r1"), 1);
  OneRun& second = begin("r2");
  const CacheAnswer answer = second.cache->foresee(plan::TaskId{0}, number(1));
  EXPECT_EQ(answer.kind, Kind::hit);
  EXPECT_EQ(answer.outputs.artifacts.at("o").uri, (second.context.run_folder / "a/o/data").string());
  EXPECT_FALSE(fs::exists(second.context.run_folder / "a"));
}

TEST_F(ResultCacheTest, OfTwoThatNeedOneResultTheFirstIsForeseenToMakeIt) {
  OneRun& run = begin("r1");
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(run.cache->foresee(plan::TaskId{0}, number(1)).kind, Kind::miss);
    const CacheAnswer other = run.cache->foresee(plan::TaskId{1}, number(1));
    EXPECT_EQ(other.kind, Kind::busy);
    EXPECT_EQ(other.why, "'a' makes the very same result");
  }
  EXPECT_EQ(run.cache->foresee(plan::TaskId{1}, number(2)).kind, Kind::miss);
  EXPECT_FALSE(fs::exists(folder_.path() / ".mlpipe/locks"));
}

TEST_F(ResultCacheTest, AResultThatAnotherRunIsMakingIsForeseenToBeWaitedFor) {
  OneRun& first = begin("r1");
  ASSERT_EQ(first.cache->claim(plan::TaskId{1}, number(1)).kind, Kind::miss);
  const CacheAnswer answer = begin("r2").cache->foresee(plan::TaskId{0}, number(1));
  EXPECT_EQ(answer.kind, Kind::busy);
  EXPECT_EQ(answer.why, "another run is making the same result now");
}

TEST_F(ResultCacheTest, SaysWhichTasksRunWhateverTheyAreGiven) {
  const plan::TaskId task{0};
  EXPECT_EQ(begin("r1").cache->runs_anyway(task), "");
  EXPECT_EQ(begin("r2", {.off_because = "--no-cache was given"}).cache->runs_anyway(task), "--no-cache was given");
  EXPECT_EQ(begin("r3", {.again = {true, false}}).cache->runs_anyway(task), "it was asked for");
  EXPECT_EQ(begin("r4", {.off_because = "no", .parent = "r1"}).cache->runs_anyway(task), "");
  set_cache({.enabled = false});
  EXPECT_EQ(begin("r5").cache->runs_anyway(task), "it says `cache: false`");
}

TEST_F(ResultCacheTest, OtherParametersOrAnotherImageAreMisses) {
  make(begin("r1"), 1);
  EXPECT_EQ(ask(begin("r2"), 2).kind, Kind::miss);
  EXPECT_EQ(ask(begin("r3", {}, "sha256:bb"), 1).kind, Kind::miss);
}

TEST_F(ResultCacheTest, AResultThatIsNotWholeIsAMissThatSaysSo) {
  make(begin("r1"), 1);
  const fs::path payload = folder_.path() / "runs/r1/a/o/data";
  fs::permissions(payload, fs::perms::owner_all);
  std::ofstream(payload) << "tampered";
  const CacheAnswer changed = ask(begin("r2"));
  EXPECT_EQ(changed.kind, Kind::miss);
  EXPECT_THAT(changed.why, HasSubstr("artifact o of run r1 is missing or has changed"));
  fs::remove(payload);
  EXPECT_THAT(ask(begin("r3")).why, HasSubstr("artifact o of run r1 is missing or has changed"));
}

TEST_F(ResultCacheTest, OfAResultThatIsNotWholeNothingStaysInTheTree) {
  make(begin("r1"), 1);
  fs::remove(folder_.path() / "runs/r1/a/z/data");
  OneRun& second = begin("r2");
  EXPECT_THAT(ask(second).why, HasSubstr("artifact z of run r1 is missing"));
  EXPECT_FALSE(fs::exists(second.context.run_folder / "a/o"));
}

TEST_F(ResultCacheTest, AnOlderResultWillDoWhenTheNewestIsNotWhole) {
  make(begin("r1"), 1);
  for (const char* id : {"r2", "r3"}) make(begin(id, {.off_because = "--no-cache was given"}), 1);
  for (const char* id : {"r2", "r3"}) fs::remove(folder_.path() / "runs" / id / "a/o/data");
  const CacheAnswer answer = ask(begin("r4"));
  EXPECT_EQ(answer.kind, Kind::hit) << answer.why;
  EXPECT_EQ(answer.from_run, "r1");
}

TEST_F(ResultCacheTest, ThePolicyAndTheTaskMaySayNo) {
  make(begin("r1"), 1);
  EXPECT_EQ(ask(begin("r2", {.off_because = "--no-cache was given"})).why, "--no-cache was given");
  EXPECT_EQ(ask(begin("r3", {.again = {true, false}})).why, "it was asked for");
  EXPECT_EQ(ask(begin("r4", {.off_because = "no", .parent = "r1"})).kind, Kind::hit);
  EXPECT_EQ(ask(begin("r5", {.off_because = "no", .parent = "r0"})).kind, Kind::miss);
  set_cache({.enabled = false});
  EXPECT_EQ(ask(begin("r6")).why, "it says `cache: false`");
  EXPECT_EQ(ask(begin("r7", {.parent = "r1"})).kind, Kind::hit);
  set_cache({.version = "2"});
  EXPECT_EQ(ask(begin("r8")).kind, Kind::miss);
}

TEST_F(ResultCacheTest, AnOldResultDoesNotCount) {
  make(begin("r1"), 1);
  set_cache({.max_age = std::chrono::hours(1)});
  clock_.advance_to(MonotonicTime(std::chrono::minutes(59)));
  EXPECT_EQ(ask(begin("r2")).kind, Kind::hit);
  clock_.advance_to(MonotonicTime(std::chrono::minutes(61)));
  EXPECT_THAT(ask(begin("r3")).why, HasSubstr("more than its max_age of"));
}

TEST_F(ResultCacheTest, AResultGrowsOldHoweverOftenItIsReused) {
  set_cache({.max_age = std::chrono::hours(1)});
  make(begin("r1"), 1);
  clock_.advance_to(MonotonicTime(std::chrono::minutes(50)));
  OneRun& second = begin("r2");
  const CacheAnswer answer = ask(second);
  ASSERT_EQ(answer.kind, Kind::hit);
  const TaskData inputs = number(1);
  const engine::Transition cached{.task = plan::TaskId{0},
                                  .to = engine::TaskState::succeeded,
                                  .at = clock_.wall(),
                                  .inputs = &inputs,
                                  .cache = &answer,
                                  .outputs = &answer.outputs};
  ASSERT_TRUE(second.record->commit(std::span(&cached, 1)));
  clock_.advance_to(MonotonicTime(std::chrono::minutes(61)));
  EXPECT_EQ(ask(begin("r3")).kind, Kind::miss);
}

TEST_F(ResultCacheTest, OfTwoThatNeedOneResultOneMakesItAndTheOtherGetsIt) {
  OneRun& first = begin("r1");
  OneRun& second = begin("r2");
  ASSERT_EQ(first.cache->claim(plan::TaskId{1}, number(1)).kind, Kind::miss);
  EXPECT_EQ(first.cache->claim(plan::TaskId{1}, number(1)).kind, Kind::miss);  // its own already
  const CacheAnswer busy = second.cache->claim(plan::TaskId{0}, number(1));
  EXPECT_EQ(busy.kind, Kind::busy);
  EXPECT_THAT(busy.why, HasSubstr("makes the same result"));
  EXPECT_THAT(posted(), IsEmpty());
  first.cache->release(plan::TaskId{1});
  wait_for_post();
  EXPECT_THAT(posted(), ElementsAre(plan::TaskId{0}));
  make(second, 1);
  EXPECT_EQ(first.cache->claim(plan::TaskId{0}, number(1)).kind, Kind::hit);
  EXPECT_TRUE(fs::is_empty(folder_.path() / ".mlpipe/locks/results"));
}

TEST_F(ResultCacheTest, ATwinOfTheSameRunIsNamed) {
  OneRun& run = begin("r1");
  ASSERT_EQ(run.cache->claim(plan::TaskId{1}, number(1)).kind, Kind::miss);
  EXPECT_EQ(run.cache->claim(plan::TaskId{0}, number(1)).why, "task 'b' makes the same result");
}

TEST_F(ResultCacheTest, TheRunThatMakesTheResultIsNamed) {
  OneRun& first = begin("r1");
  const auto held = sys::try_lock(artifact::Root(folder_.path()).run_lock("r1"));
  ASSERT_TRUE(held);
  ASSERT_EQ(first.cache->claim(plan::TaskId{1}, number(1)).kind, Kind::miss);
  const std::string why = begin("r2").cache->claim(plan::TaskId{0}, number(1)).why;
  EXPECT_THAT(why, testing::StartsWith("run r1 (process "));
  EXPECT_THAT(why, HasSubstr("makes the same result"));
}

TEST_F(ResultCacheTest, ALockWhoseHolderDiedIsFree) {
  OneRun& first = begin("r1");
  ASSERT_EQ(first.cache->claim(plan::TaskId{0}, number(1)).kind, Kind::miss);
  ASSERT_EQ(begin("r2").cache->claim(plan::TaskId{0}, number(1)).kind, Kind::busy);
  first.cache.reset();  // as the kernel does when a process ends: the file is closed, its name stays
  wait_for_post();
  EXPECT_EQ(begin("r3").cache->claim(plan::TaskId{0}, number(1)).kind, Kind::miss);
}

TEST_F(ResultCacheTest, AGivenResultCountsWhateverElseIsSaid) {
  CachePolicy policy{.off_because = "it is replayed", .parent = {}, .again = {}, .given = {}};
  CacheAnswer& given = policy.given[plan::TaskId{0}];
  given.kind = Kind::hit;
  given.from_run = "r0";
  given.outputs.artifacts["o"] = test::make_artifact("o", "system.Dataset", "/elsewhere/o/data");
  OneRun& run = begin("r1", std::move(policy), "sha256:unknown");
  const CacheAnswer answer = run.cache->look_up(plan::TaskId{0}, {});
  EXPECT_EQ(answer.kind, Kind::hit);
  EXPECT_EQ(answer.from_run, "r0");
  EXPECT_EQ(answer.outputs.artifacts.at("o").uri, "/elsewhere/o/data");
  EXPECT_EQ(run.cache->look_up(plan::TaskId{1}, number(1)).kind, Kind::miss);
}

TEST_F(ResultCacheTest, DiscardedArtifactsAreGone) {
  OneRun& run = begin("r1");
  make(run, 1);
  run.cache->discard(plan::TaskId{0}, {});
  EXPECT_FALSE(fs::exists(run.context.run_folder / "a/o"));
}

// ---- Results whose artifacts were taken away --------------------------------------------------------------------

class RemovedResults : public ResultCacheTest {
 protected:
  void make_and_take_away(OneRun& run) {
    make(run, 1);
    ASSERT_TRUE(run.record->discard(plan::TaskId{0}));
    run.cache->discard(plan::TaskId{0}, {});
  }
};

TEST_F(RemovedResults, AreKnownWithWhatTheyGave) {
  make_and_take_away(begin("r1"));
  OneRun& second = begin("r2");
  for (const CacheAnswer& answer : {ask(second), second.cache->foresee(plan::TaskId{0}, number(1))}) {
    EXPECT_EQ(answer.kind, Kind::removed);
    EXPECT_EQ(answer.why, "the artifacts of run r1 were taken away");
    EXPECT_EQ(answer.from_run, "r1");
    ASSERT_EQ(answer.outputs.artifacts.size(), 2U);
    EXPECT_EQ(answer.outputs.artifacts.at("o").uri, (second.context.run_folder / "a/o/data").string());
    EXPECT_FALSE(answer.outputs.artifacts.at("o").digest.empty());
    EXPECT_FALSE(answer.fingerprint.empty());
  }
  EXPECT_FALSE(fs::exists(second.context.run_folder / "a"));
}

TEST_F(RemovedResults, GiveWayToAWholeOneHoweverOld) {
  make(begin("r1"), 1);
  make_and_take_away(begin("r2", {.off_because = "--no-cache was given"}));
  const CacheAnswer answer = ask(begin("r3"));
  EXPECT_EQ(answer.kind, Kind::hit) << answer.why;
  EXPECT_EQ(answer.from_run, "r1");
}

TEST_F(RemovedResults, CountNoMoreThanOthers) {
  make_and_take_away(begin("r1"));
  EXPECT_EQ(ask(begin("r2", {.off_because = "--no-cache was given"})).kind, Kind::miss);
  EXPECT_EQ(ask(begin("r3", {.again = {true, false}})).kind, Kind::miss);
  EXPECT_EQ(ask(begin("r4", {.off_because = "no", .parent = "r1"})).kind, Kind::removed);
  EXPECT_EQ(ask(begin("r5", {.off_because = "no", .parent = "r0"})).kind, Kind::miss);
  EXPECT_EQ(ask(begin("r6"), 2).kind, Kind::miss);
  set_cache({.max_age = std::chrono::hours(1)});
  EXPECT_EQ(ask(begin("r7")).kind, Kind::removed);
  clock_.advance_to(MonotonicTime(std::chrono::minutes(61)));
  const CacheAnswer old = ask(begin("r8"));
  EXPECT_EQ(old.kind, Kind::miss);
  EXPECT_THAT(old.why, HasSubstr("more than its max_age of"));
}

TEST_F(RemovedResults, AreClaimedLikeMisses) {
  make_and_take_away(begin("r1"));
  OneRun& second = begin("r2");
  OneRun& third = begin("r3");
  EXPECT_EQ(second.cache->claim(plan::TaskId{0}, number(1)).kind, Kind::removed);
  EXPECT_EQ(third.cache->claim(plan::TaskId{0}, number(1)).kind, Kind::busy);
  second.cache->release(plan::TaskId{0});
  wait_for_post();
  EXPECT_EQ(third.cache->claim(plan::TaskId{0}, number(1)).kind, Kind::removed);
}

TEST_F(RemovedResults, StandForLaterRunsAlsoFromOneThatHadNoArtifacts) {
  make_and_take_away(begin("r1"));
  OneRun& second = begin("r2");
  CacheAnswer answer = ask(second);
  answer.kind = Kind::hit;
  answer.removed = true;
  const TaskData inputs = number(1);
  const engine::Transition cached{.task = plan::TaskId{0},
                                  .to = engine::TaskState::succeeded,
                                  .at = clock_.wall(),
                                  .inputs = &inputs,
                                  .cache = &answer,
                                  .outputs = &answer.outputs};
  ASSERT_TRUE(second.record->commit(std::span(&cached, 1)));
  const CacheAnswer again = ask(begin("r3"));
  EXPECT_EQ(again.kind, Kind::removed);
  EXPECT_EQ(again.from_run, "r2");
  EXPECT_EQ(again.made, answer.made);
}

}  // namespace
}  // namespace mlpipe::runner
