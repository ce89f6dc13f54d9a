#include "app/replay_source.hpp"

#include "app/compare_replay.hpp"
#include "listing_fixture.hpp"
#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/plan/selection.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using engine::TaskData;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// raw (an import) -> split -> train -> report, and other beside them.
std::unique_ptr<spec::PipelineSpec> chain() {
  auto spec = test::make_spec("prices", {"raw", "split", "train", "report", "other"});
  spec::ComponentSpec& importer = spec->components.emplace_back();
  importer.implementation = spec::ImporterSpec{.uri = spec::Template::literal("/data/raw.csv"), .metadata = {}};
  auto& tasks = std::get<spec::DagSpec>(spec->components[0].implementation).tasks;
  tasks[0].component = spec::ComponentId{2};
  for (std::size_t task = 1; task < 4; ++task) tasks[task].after = {tasks[task - 1].name};
  return spec;
}

struct Replay : ListingTest {
  // A payload below the root, and what is on record of it.
  engine::Artifact artifact(const std::string& run, const std::string& task, const std::string& name,
                            const std::string& content) {
    const fs::path path = root.run(run) / task / name / "data";
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
    engine::Artifact made = test::make_artifact(name, "system.Dataset", path.string());
    const auto digest = artifact::digest_path(path, [] { return false; });
    made.digest = digest->digest;
    made.bytes = digest->bytes;
    return made;
  }

  void begin(test::RunWriter& run, const std::string& id, const std::string& model, double rmse) {
    EXPECT_TRUE(record().record_images({{"debian:12", "sha256:1d1d", "debian@sha256:d1d1"}}));
    TaskData raw;
    raw.artifacts["artifact"] = artifact("data", "raw", "artifact", "1,2");
    run.succeed("raw", raw);
    TaskData rows;
    rows.artifacts["rows"] = artifact(id, "split", "rows", "1");
    rows.parameters["count"] = Value(1);
    run.succeed("split", rows);
    run.start("train", 1, rows);
    engine::AttemptResult trained;
    trained.outputs.artifacts["model"] = artifact(id, "train", "model", model);
    trained.outputs.artifacts["metrics"] = artifact(id, "train", "metrics", "{}");
    trained.outputs.artifacts["metrics"].type = "system.Metrics";
    trained.outputs.artifacts["metrics"].metadata = Value::Struct{{"rmse", Value(rmse)}};
    trained.outputs.parameters["seed"] = Value(7);
    run.end("train", trained, engine::TaskState::succeeded);
  }

  metadata::RunStart start(const std::string& id) {
    metadata::RunStart start = test::start_of(id);
    start.root = root.path().string();
    return start;
  }

  // As far as its last task, which was skipped.
  RecordedRun original(const Value& options = Value::Struct{}, const std::string& parent = "") {
    metadata::RunStart first = start("one");
    first.options = options;
    first.parent = parent;
    test::RunWriter run(record(), first, chain());
    begin(run, "one", "abcd", 1.5);
    run.skip("report", "its condition is false");
    run.succeed("other");
    run.finish(engine::RunState::succeeded);
    return read("one");
  }

  RecordedRun read(const std::string& id) {
    return read_run(**metadata::open_queries(root.database(), [](const std::string&) { return false; }), id).value();
  }

  // The plan of what `command` runs.
  plan::Plan plan_of(const RunCommand& command) {
    plan::Plan plan = plan::make_plan(*spec_, {}).value();
    EXPECT_TRUE(plan::select(plan, {.from = command.from, .until = command.until, .only = command.only}));
    return plan;
  }

  Result<> check(const RunCommand& command, const RecordedRun& run) {
    return check_data(plan_of(command), command, run, root, sys::StopSignal());
  }

  std::unique_ptr<spec::PipelineSpec> spec_ = chain();
};

TEST_F(Replay, RunsAllAsItWasStartedWithoutTheCache) {
  const RecordedRun run = original(Value::Struct{{"engine", "process"}, {"jobs", 3}, {"only", Value::List{"split"}}});
  const RunCommand command = command_of_replay(run, *spec_, {.options = {.keep_going = true}}).value();
  EXPECT_EQ(command.engine, EngineChoice::process);
  EXPECT_EQ(command.jobs, 3);
  EXPECT_TRUE(command.keep_going);
  EXPECT_FALSE(command.cache);
  EXPECT_EQ(command.replay_of, "one");
  EXPECT_THAT(command.only, ElementsAre("split"));
  EXPECT_THAT(command.parent, IsEmpty());
}

TEST_F(Replay, OfARunThatWentOnFromAnotherAllItsTasksRun) {
  const RecordedRun run =
      original(Value::Struct{{"from", Value::List{"split"}}, {"only", Value::List{"train"}}}, "zero");
  const RunCommand command = command_of_replay(run, *spec_, {}).value();
  EXPECT_THAT(command.from, IsEmpty());
  EXPECT_THAT(command.only, IsEmpty());
  EXPECT_THAT(command.until, ElementsAre("train"));
}

TEST_F(Replay, OneTaskComesWithThoseThatGaveItSomething) {
  const RecordedRun run = original();
  const RunCommand command = command_of_replay(run, *spec_, {.task = "train", .options = {}}).value();
  EXPECT_EQ(command.replay_task, "train");
  EXPECT_THAT(command.only, UnorderedElementsAre("raw", "split", "train"));

  const plan::Plan plan = plan_of(command);
  const runner::GivenResults given = given_results(plan, command, root).value();
  ASSERT_EQ(given.size(), 2U);
  const engine::CacheAnswer& split = given.at(plan.find("split").value());
  EXPECT_EQ(split.kind, engine::CacheAnswer::Kind::hit);
  EXPECT_EQ(split.from_run, "one");
  EXPECT_EQ(split.outputs.artifacts.at("rows").uri, (root.run("one") / "split/rows/data").string());
  EXPECT_EQ(split.outputs.parameters.at("count"), Value(1));
}

TEST_F(Replay, AReplayOfOneTaskIsReplayedAsThat) {
  const RecordedRun run = original(Value::Struct{{"replay_of", "zero"}, {"replay_task", "train"}}, "zero");
  const RunCommand command = command_of_replay(run, *spec_, {}).value();
  EXPECT_EQ(command.replay_of, "one");
  EXPECT_EQ(command.replay_task, "train");
}

TEST_F(Replay, WhatDidNotRunCannotBeReplayed) {
  const RecordedRun run = original();
  const auto skipped = command_of_replay(run, *spec_, {.task = "report", .options = {}});
  ASSERT_FALSE(skipped);
  EXPECT_EQ(skipped.error().message, "task report of run one did not run: its condition is false");
  const auto unknown = command_of_replay(run, *spec_, {.task = "trian", .options = {}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().hint, "did you mean train?");
}

TEST_F(Replay, ARunThatHasNotEndedIsNotReplayed) {
  test::RunWriter run(record(), start("open"), chain());
  const auto refused = command_of_replay(read("open"), *spec_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_EQ(refused.error().hint, "`mlpipe resume open` first");
}

TEST_F(Replay, PinsTheImagesOfWhatRunsOnly) {
  const RecordedRun run = original();
  const RunCommand command = command_of_replay(run, *spec_, {.task = "train", .options = {}}).value();
  const plan::Plan plan = plan_of(command);
  const auto pins = pinned_images(plan, given_results(plan, command, root).value(), run).value();
  ASSERT_EQ(pins.size(), 1U);
  EXPECT_EQ(pins.at("debian:12").id, "sha256:1d1d");
  EXPECT_EQ(pins.at("debian:12").digest, "debian@sha256:d1d1");
}

TEST_F(Replay, OtherDataThanRecordedIsRefused) {
  const RecordedRun run = original();
  const RunCommand all = command_of_replay(run, *spec_, {}).value();
  const RunCommand one = command_of_replay(run, *spec_, {.task = "train", .options = {}}).value();
  EXPECT_TRUE(check(all, run));
  EXPECT_TRUE(check(one, run));
  std::ofstream(root.run("data") / "raw/artifact/data") << "1,2,3";
  const Result<> import = check(all, run);
  ASSERT_FALSE(import);
  EXPECT_EQ(import.error().code, ErrorCode::conflict);
  EXPECT_THAT(import.error().message, HasSubstr("import raw is not what run one had: "));
  EXPECT_THAT(import.error().message, HasSubstr("has changed: 3 B then, 5 B now"));
  EXPECT_TRUE(check(one, run)) << "it does not read the import";

  fs::remove(root.run("one") / "split/rows/data");
  const Result<> input = check(one, run);
  ASSERT_FALSE(input);
  EXPECT_THAT(input.error().message, HasSubstr("input rows of task train is not what run one had: nothing is at"));
}

TEST_F(Replay, ComparesBytesParametersAndMetrics) {
  const RecordedRun before = original();
  metadata::RunStart second = start("two");
  second.created = test::at_millisecond(100'000);
  second.parent = "one";
  test::RunWriter run(record(), second, chain());
  run.set_time(100'000);
  begin(run, "two", "abXd", 2);
  run.skip("report", "its condition is false");
  run.start("other");
  engine::AttemptResult failed;
  failed.end = engine::AttemptEnd::user_exit;
  failed.message = "exited with code 3";
  run.end("other", failed, engine::TaskState::failed);
  run.finish(engine::RunState::failed);

  const RecordedRun now = read("two");
  const std::vector<ReplayedTask> tasks =
      compare_replay(before, now, {"raw", "split", "train", "report", "other"}, root.path(), clock.wall());
  ASSERT_EQ(tasks.size(), 5U);
  EXPECT_EQ(tasks[0].result, ReplayResult::equal);
  EXPECT_EQ(tasks[1].result, ReplayResult::equal);
  EXPECT_EQ(tasks[2].result, ReplayResult::differs);
  ASSERT_EQ(tasks[2].outputs.size(), 2U);
  EXPECT_EQ(tasks[2].outputs[0].values.name, "model");
  EXPECT_EQ(tasks[2].outputs[0].first_difference, "differs from byte 2 on");
  EXPECT_EQ(tasks[2].outputs[1].values.name, "metrics.rmse");
  EXPECT_EQ(tasks[3].result, ReplayResult::equal);
  EXPECT_EQ(tasks[4].result, ReplayResult::failed);
  EXPECT_EQ(tasks[4].message, "failed now, succeeded before: exited with code 3");
  expect_golden("replay.txt", replay_text(before, now, tasks, console()), root);
  expect_golden("replay.json", to_pretty_json(replay_value(before, now, tasks, root.path())), root);
}

TEST_F(Replay, SaysThatAnInputDifferedAlready) {
  const RecordedRun before = original();
  RecordedRun now = before;
  for (metadata::TaskRow& task : now.tasks) {
    if (task.path != "train") continue;
    task.inputs.artifacts["rows"].digest = "sha256:other";
    task.outputs.artifacts["model"].digest = "sha256:other";
  }
  const std::vector<ReplayedTask> tasks = compare_replay(before, now, {"train"}, root.path(), clock.wall());
  EXPECT_THAT(tasks.at(0).other_inputs, ElementsAre("rows"));
  EXPECT_THAT(replay_text(before, now, tasks, console()), HasSubstr("other input: rows"));
}

}  // namespace
}  // namespace mlpipe::app
