#include <algorithm>
#include <functional>
#include <set>

#include "mlpipe/engine/foresight.hpp"
#include "run_fixture.hpp"
#include "support/fake_cache.hpp"
#include "support/random.hpp"

// Results whose artifacts were taken away (`keep: false`) still count where nobody needs the artifacts, and only there.
namespace mlpipe::engine {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

TaskData artifact(const std::string& digest) {
  TaskData data;
  data.artifacts["data"] = Artifact{.name = "data", .type = "system.Dataset", .uri = "/root/" + digest, .digest = digest};
  return data;
}

// Tasks that give an artifact, `data`, and a parameter, `n`, and are given some of both.
spec::Interface interface_with(unsigned inputs) {
  spec::Interface interface;
  for (unsigned number = 0; number < inputs; ++number) {
    interface.input_artifacts.push_back(test::artifact("a" + std::to_string(number)));
    interface.input_artifacts.back().optional = true;
    interface.input_parameters.push_back(test::parameter("x" + std::to_string(number), spec::ParameterType::integer));
    interface.input_parameters.back().optional = true;
  }
  interface.output_artifacts = {test::artifact("data", "system.Dataset")};
  interface.output_parameters = {test::parameter("n", spec::ParameterType::integer)};
  return interface;
}

class RemovedTest : public RunTest {
 protected:
  RemovedTest() : component_(pipeline.component(interface_with(3))) {}

  test::PipelineBuilder::Task task(const std::string& name, const std::vector<std::string>& reads = {}) {
    auto task = pipeline.task(name).component(component_);
    for (std::size_t i = 0; i < reads.size(); ++i) task.argument("a" + std::to_string(i), spec::TaskOutput{reads[i], "data"});
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

// ---- Random ones ------------------------------------------------------------------------------------------------

using test::Random;
using Kind = CacheAnswer::Kind;

// The results of all runs on one root, and the artifacts of this one. What a task gives is made of its code and what it is given.
class World final : public ResultCache, public Foreseer {
 public:
  explicit World(const plan::Plan& plan) : plan_(plan) {}

  std::vector<unsigned> code;   // by task
  std::vector<bool> cache_off;  // by task
  std::set<TaskId> asked_without_artifacts;

  void begin_run() {
    run_ += 1;
    here_.clear();
    asked_without_artifacts.clear();
  }
  // Somebody takes the files of a result away, without a word.
  void lose(Random& random, unsigned percent) {
    for (auto& [key, result] : results_) {
      if (!result.copies.empty() && random.chance(percent)) result.copies = {k_lost};
    }
  }

  TaskData attempt(TaskId task, const TaskData& inputs) {
    for (const auto& [name, value] : inputs.artifacts) {
      EXPECT_TRUE(here_.contains(value.uri)) << plan_.task(task).path() << " starts, but its input is not there: " << value.uri;
    }
    Known& result = results_[key(task, inputs)];
    result.outputs = given_by(task, inputs);
    result.copies.erase(k_lost);
    result.copies.insert(run_);
    return put_here(task, result.outputs);
  }

  CacheAnswer look_up(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer = foresee(task, inputs);
    if (answer.kind == Kind::removed) asked_without_artifacts.insert(task);
    if (answer.kind != Kind::hit) return answer;
    results_.at(answer.fingerprint).copies.insert(run_);
    put_here(task, answer.outputs);
    return answer;
  }
  CacheAnswer claim(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  CacheAnswer foresee(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer{.fingerprint = key(task, inputs), .why = "no result"};
    const auto found = results_.find(answer.fingerprint);
    if (found == results_.end() || cache_off[plan::index(task)] || plan_.component(task).is_importer()) return answer;
    if (found->second.copies.contains(k_lost)) return answer;
    answer.kind = found->second.copies.empty() ? Kind::removed : Kind::hit;
    answer.from_run = "earlier";
    answer.outputs = at_place(task, found->second.outputs);
    return answer;
  }
  void release(TaskId) override {}
  Result<> make_durable() override { return {}; }
  void discard(TaskId task, const TaskData& outputs) override {
    EXPECT_EQ(here_.erase(outputs.artifacts.at("data").uri), 1U) << plan_.task(task).path();
    for (auto& [key, result] : results_) {
      if (key.starts_with(fmt::format("{} ", plan::index(task)))) result.copies.erase(run_);
    }
  }

  std::string runs_anyway(TaskId task) override { return cache_off[plan::index(task)] ? "off" : ""; }
  CacheAnswer look(TaskId task, const TaskData& inputs) override { return foresee(task, inputs); }
  Result<std::optional<TaskData>> import(TaskId task, const TaskData& inputs) override {
    return std::optional(at_place(task, given_by(task, inputs)));
  }

 private:
  static constexpr int k_lost = -1;
  struct Known {
    TaskData outputs;
    std::set<int> copies;  // in the trees of these runs
  };

  std::string key(TaskId task, const TaskData& inputs) const {
    std::string text = fmt::format("{} {}", plan::index(task), code[plan::index(task)]);
    for (const auto& [name, value] : inputs.parameters) text += fmt::format(" {}={}", name, value.as_integer());
    for (const auto& [name, value] : inputs.artifacts) text += fmt::format(" {}={}", name, value.digest);
    return text;
  }
  TaskData given_by(TaskId task, const TaskData& inputs) const {
    const std::size_t mixed = std::hash<std::string>()(key(task, inputs));
    TaskData outputs = artifact(std::to_string(mixed % 3));  // often the same from other things
    outputs.parameters.emplace("n", Value(static_cast<std::int64_t>(mixed / 3 % 2)));
    return outputs;
  }
  TaskData at_place(TaskId task, TaskData outputs) const {
    outputs.artifacts.at("data").uri = fmt::format("/run/{}", plan::index(task));
    return outputs;
  }
  TaskData put_here(TaskId task, const TaskData& outputs) {
    TaskData placed = at_place(task, outputs);
    here_.insert(placed.artifacts.at("data").uri);
    return placed;
  }

  const plan::Plan& plan_;
  std::map<std::string, Known> results_;
  std::set<std::string> here_;  // artifacts in the tree of this run
  int run_ = 0;
};

struct Ran {
  std::vector<TaskState> states;
  std::set<TaskId> open;  // had no result when all they need had ended
  std::set<TaskId> started, removed;
  std::map<TaskId, std::string> why;
};

enum class Failing { no, yes };

class RandomRemovals : public testing::TestWithParam<unsigned> {
 protected:
  void make_pipeline(Random& random) {
    test::PipelineBuilder builder;
    const spec::ComponentId passing = builder.component(interface_with(3));
    spec::ComponentSpec importer;
    importer.interface = interface_with(3);
    importer.implementation = spec::ImporterSpec{};
    const spec::ComponentId importing = builder.component(importer);
    size = random.between(2, 30);
    const unsigned kept = random.below(60);
    for (unsigned number = 0; number < size; ++number) {
      auto task = builder.task("t" + std::to_string(number)).component(passing);
      const auto earlier = [&] { return "t" + std::to_string(number - 1 - random.below(std::min(number, 8U))); };
      for (const char* input : {"a0", "a1", "a2"}) {
        if (number > 0 && random.chance(45)) task.argument(input, spec::TaskOutput{earlier(), "data"});
      }
      if (number > 0 && random.chance(20)) task.argument("x0", spec::TaskOutput{earlier(), "n"});
      if (number > 0 && random.chance(10)) task.after(earlier());
      if (number > 0 && random.chance(6)) task.when("tasks." + earlier() + ".outputs.n == 0");
      if (random.chance(5)) task.all_completed();
      if (number > 0 && random.chance(3)) task.component(importing);
      if (!random.chance(kept)) task.do_not_keep();
    }
    if (random.chance(30)) builder.output("result", "t" + std::to_string(random.below(size)), "data");
    spec = builder.build();
    plan = std::make_unique<plan::Plan>(plan::make_plan(spec, {}).value());
    world = std::make_unique<World>(*plan);
    for (unsigned task = 0; task < size; ++task) {
      world->code.push_back(random.below(1000));
      world->cache_off.push_back(random.chance(4));
    }
  }

  Ran carry_out(Random& random, Failing failing) {
    world->begin_run();
    test::FakeClock clock;
    test::FakeRunner runner(clock);
    std::map<TaskId, TaskData> given;
    Ran ran;
    runner.on_start = [&](const AttemptRequest& request) {
      given[request.id.task] = request.inputs;
      ran.started.insert(request.id.task);
    };
    runner.script = [&](AttemptId id) {
      TaskData outputs = world->attempt(id.task, given[id.task]);
      Script script = failing == Failing::yes && random.chance(10) ? fails() : succeeds(std::move(outputs));
      script.lasts = 1s * random.below(20);
      return script;
    };
    if (failing == Failing::yes && random.chance(20)) runner.at(1s * random.below(60), Interrupted{2});
    test::FakeRecord record;
    test::FakeReporter reporter;
    engine::Run run(*plan, options, world.get());
    EXPECT_TRUE(run_to_end(run, runner, record, reporter, clock));
    for (std::uint32_t task = 0; task < size; ++task) {
      ran.states.push_back(run.state(TaskId{task}));
      EXPECT_THAT(run.reason(TaskId{task}), Not(HasSubstr("taken away")));
    }
    for (const Transition& each : record.history) {
      if (each.to == TaskState::ready) ran.open.insert(each.task);
    }
    ran.removed = record.removed;
    ran.why = record.why;
    return ran;
  }

  bool reads(TaskId reader, TaskId maker) const {
    const auto& arguments = plan->task(reader).spec->arguments;
    return std::ranges::any_of(arguments, [&](const spec::Argument& argument) {
      const auto* output = std::get_if<spec::TaskOutput>(&argument.binding);
      return output != nullptr && output->task == plan->task(maker).path() && output->output == "data";
    });
  }
  std::set<TaskId> with_needs(std::set<TaskId> tasks) const {
    for (std::vector<TaskId> next(tasks.begin(), tasks.end()); !next.empty();) {
      const TaskId task = next.back();
      next.pop_back();
      for (TaskId need : plan->needs(task)) {
        if (tasks.insert(need).second) next.push_back(need);
      }
    }
    return tasks;
  }

  // Was there a reason to run `maker`, whose result had lost its artifacts? Something that it gives to, near or far, or that
  // those are given something by, had to run; or it is to have artifacts.
  bool had_to_run(TaskId maker, const Ran& ran) const {
    const spec::TaskSpec& its_spec = *plan->task(maker).spec;
    const auto& outputs = plan->spec().root_dag().outputs;
    if (its_spec.settings->keep || plan->dependants(maker).empty()) return true;
    if (!outputs.empty() && outputs[0].source.task == its_spec.name) return true;
    const std::set<TaskId> above = with_needs({maker});
    std::set<TaskId> concerned{maker};
    for (std::size_t before = 0; before != concerned.size();) {
      before = concerned.size();
      for (TaskId task : plan->order()) {
        if (!plan->selected(task)) return true;
        for (TaskId giver : std::set<TaskId>(concerned)) {
          if (reads(task, giver)) concerned.insert(task);
        }
      }
      concerned = with_needs(concerned);
      for (TaskId task : above) concerned.erase(task);
      concerned.insert(maker);
    }
    concerned.erase(maker);
    for (TaskId task : concerned) {
      if (ran.open.contains(task)) return true;
    }
    return false;
  }

  void check_foreseen(TaskId task, const Foresight& foreseen, const Ran& ran) {
    const bool started = ran.started.contains(task);
    const bool cached = ran.states[plan::index(task)] == TaskState::succeeded && !started;
    const std::string what = fmt::format("{} is foreseen as {} ({}), but {}{}{}", plan->task(task).path(),
                                         to_string(foreseen.outlook), foreseen.reason, to_string(ran.states[plan::index(task)]),
                                         started ? ", started" : "", ran.removed.contains(task) ? ", removed" : "");
    switch (foreseen.outlook) {
      case Outlook::run:
      case Outlook::import: EXPECT_TRUE(started) << what; break;
      case Outlook::cached:
        EXPECT_TRUE(cached) << what;
        EXPECT_EQ(foreseen.answer.removed, ran.removed.contains(task)) << what;
        break;
      case Outlook::depends: EXPECT_FALSE(foreseen.depends_on.empty()) << what; break;
      case Outlook::skip: EXPECT_EQ(ran.states[plan::index(task)], TaskState::skipped) << what; break;
      default: EXPECT_EQ(ran.states[plan::index(task)], TaskState::failed) << what;
    }
  }

  unsigned size = 0;
  spec::PipelineSpec spec;
  std::unique_ptr<plan::Plan> plan;
  std::unique_ptr<World> world;
  RunOptions options{.run_id = "r", .limits = {.max_parallel = 3}, .on_failure = FailurePolicy::keep_going};
};

constexpr unsigned k_pipelines = 200, k_runs = 5;

TEST_P(RandomRemovals, AreNeededByNobody) {
  unsigned accepted = 0, made_again = 0, for_nothing = 0, foreseen_so = 0;
  for (unsigned seed = GetParam() * k_pipelines; seed < (GetParam() + 1) * k_pipelines && !HasFailure(); ++seed) {
    Random random(seed);
    make_pipeline(random);
    options.limits.max_parallel = static_cast<int>(random.between(1, 5));
    options.on_failure = random.chance(70) ? FailurePolicy::keep_going : FailurePolicy::fail_fast;
    for (unsigned number = 0; number < k_runs && !HasFailure(); ++number) {
      SCOPED_TRACE(fmt::format("seed {}, run {}", seed, number));
      const Failing failing = random.chance(30) ? Failing::yes : Failing::no;
      if (number > 0 && random.chance(60)) {
        if (random.chance(70)) world->code[random.below(size)] = random.below(1000);
        if (random.chance(30)) world->lose(random, random.below(20));
      }
      const std::vector<Foresight> foreseen = foresee(*plan, options, *world);
      const Ran ran = carry_out(random, failing);
      for (TaskId task : world->asked_without_artifacts) {
        if (failing == Failing::yes || !ran.started.contains(task)) continue;
        ++made_again;
        if (!had_to_run(task, ran)) ++for_nothing;
      }
      accepted += static_cast<unsigned>(ran.removed.size());
      if (failing == Failing::yes || options.on_failure == FailurePolicy::fail_fast) continue;
      for (TaskId task : plan->order()) {
        check_foreseen(task, foreseen[plan::index(task)], ran);
        if (foreseen[plan::index(task)].answer.removed) ++foreseen_so;
      }
    }
  }
  EXPECT_GT(accepted, k_pipelines);
  EXPECT_GT(made_again, k_pipelines / 4);
  EXPECT_GT(foreseen_so, k_pipelines / 2);
  EXPECT_LT(for_nothing, made_again / 1000 + 1) << "an obstacle that was met once may count for longer than it should, but rarely";
}

INSTANTIATE_TEST_SUITE_P(Blocks, RandomRemovals, testing::Range(0U, 4U));

}  // namespace
}  // namespace mlpipe::engine
