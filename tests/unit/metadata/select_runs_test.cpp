#include "fixture.hpp"
#include "mlpipe/metadata/annotations.hpp"
#include "mlpipe/metadata/run_selection.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct SelectRuns : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";
  RunSelection selection{.now = test::at_millisecond(100'000)};

  // A run of a pipeline with a task "evaluate" whose outputs "test" and "train" have the metric rmse; begun at `begin`.
  void write(const std::string& id, const std::string& pipeline, double rate, double rmse, std::int64_t begin,
             std::int64_t took, engine::RunState state = engine::RunState::succeeded) {
    auto record = must_open(file);
    auto spec = test::make_spec(pipeline, {"evaluate"});
    spec->components[0].interface.input_parameters[0].default_value = Value(rate);
    RunStart start = test::start_of(id);
    start.created = test::at_millisecond(begin);
    RunWriter writer(*record, start, std::move(spec));
    writer.set_time(begin);
    engine::TaskData outputs;
    for (const auto& [name, value] : {std::pair("test", rmse), std::pair("train", rmse / 2)}) {
      outputs.artifacts[name] = test::make_artifact(name, "system.Metrics", "/m");
      outputs.artifacts[name].metadata = Value::Struct{{"rmse", Value(value)}, {"n.rows", Value(10)}};
    }
    if (rmse > 0) writer.succeed("evaluate", outputs);
    writer.set_time(begin + took);
    if (state != engine::RunState::running) writer.finish(state);
  }

  void write_some() {
    write("r1", "prices", 0.5, 300, 0, 9000);
    write("r2", "prices", 1.0, 100, 10'000, 5000);
    write("r3", "numbers", 0.5, 0, 20'000, 7000, engine::RunState::failed);
    write("r4", "prices", 0.25, 200, 30'000, 0, engine::RunState::running);
    write("r5", "prices", 0.5, 0, 40'000, 0, engine::RunState::running);
  }

  std::vector<std::string> ids() {
    std::vector<std::string> found;
    auto selected = must_read(file, [](const std::string& id) { return id == "r5"; })->select_runs(selection);
    EXPECT_TRUE(selected) << selected.error().message;
    if (!selected) return {};
    for (const SelectedRun& one : *selected) found.push_back(one.run.id);
    return found;
  }
};

TEST_F(SelectRuns, WithoutConditionsAllComeNewestFirst) {
  write_some();
  EXPECT_THAT(ids(), ElementsAre("r5", "r4", "r3", "r2", "r1"));
  selection.limit = 2;
  EXPECT_THAT(ids(), ElementsAre("r5", "r4"));
}

TEST_F(SelectRuns, ByStatusTellsRunningFromInterrupted) {
  write_some();
  selection.filter.statuses = {RunStatus::running};
  EXPECT_THAT(ids(), ElementsAre("r5"));
  selection.filter.statuses = {RunStatus::interrupted};
  EXPECT_THAT(ids(), ElementsAre("r4"));
  selection.filter.statuses = {RunStatus::interrupted, RunStatus::succeeded};
  EXPECT_THAT(ids(), ElementsAre("r4", "r2", "r1"));
  selection.limit = 1;  // counts what is chosen, not what is looked at
  EXPECT_THAT(ids(), ElementsAre("r4"));
}

TEST_F(SelectRuns, ByPipelineAndTime) {
  write_some();
  selection.filter.pipeline = "prices";
  selection.filter.since = test::at_millisecond(10'000);
  EXPECT_THAT(ids(), ElementsAre("r5", "r4", "r2"));
}

TEST_F(SelectRuns, ByExperiment) {
  write_some();
  ASSERT_TRUE(Database::open(file, OpenMode::create)
                  .value()
                  ->execute("UPDATE runs SET experiment = 'rates' WHERE id IN ('r1', 'r4')"));
  selection.filter.experiment = "rates";
  EXPECT_THAT(ids(), ElementsAre("r4", "r1"));
}

TEST_F(SelectRuns, ByParameterInItsTextForm) {
  write_some();
  selection.filter.parameters = {{"rate", "0.5"}};
  EXPECT_THAT(ids(), ElementsAre("r5", "r3", "r1"));
  selection.filter.parameters = {{"rate", "1"}};
  EXPECT_THAT(ids(), ElementsAre("r2"));
  selection.filter.parameters = {{"rate", "1.0"}};
  EXPECT_THAT(ids(), ElementsAre("r2"));
  selection.filter.parameters = {{"rate", "0.5' OR '1' = '1"}};
  EXPECT_THAT(ids(), IsEmpty());
}

TEST_F(SelectRuns, ByLabel) {
  write_some();
  ASSERT_TRUE(annotate(file, "r2", {.labels = {{"stage", "best"}}, .note = {}}));
  selection.filter.labels = {{"team", "prices"}, {"stage", "best"}};
  EXPECT_THAT(ids(), ElementsAre("r2"));
}

TEST_F(SelectRuns, ByMetricUnderEachOfItsNames) {
  write_some();
  for (const char* name : {"test.rmse", "evaluate.test.rmse"}) {
    selection.filter.metrics = {{name, Comparison::less, 200}};
    EXPECT_THAT(ids(), ElementsAre("r2")) << name;
    selection.filter.metrics = {{name, Comparison::at_most, 200}};
    EXPECT_THAT(ids(), ElementsAre("r4", "r2")) << name;
    selection.filter.metrics = {{name, Comparison::equal, 200}};
    EXPECT_THAT(ids(), ElementsAre("r4")) << name;
    selection.filter.metrics = {{name, Comparison::at_least, 200}};
    EXPECT_THAT(ids(), ElementsAre("r4", "r1")) << name;
    selection.filter.metrics = {{name, Comparison::greater, 200}};
    EXPECT_THAT(ids(), ElementsAre("r1")) << name;
  }
  // These mean the one of "train" too, which is half as great.
  for (const char* name : {"rmse", "evaluate.rmse"}) {
    selection.filter.metrics = {{name, Comparison::less, 110}};
    EXPECT_THAT(ids(), ElementsAre("r4", "r2")) << name;
  }
  selection.filter.metrics = {{"n.rows", Comparison::equal, 10}};  // its own name has a dot
  EXPECT_THAT(ids(), ElementsAre("r4", "r2", "r1"));
  selection.filter.metrics = {{"deploy.rmse", Comparison::less, 1000}};
  EXPECT_THAT(ids(), IsEmpty());
}

TEST_F(SelectRuns, SortedByMetricThoseWithoutComeLast) {
  write_some();
  selection.sort = RunSort{.key = RunKey::metric, .metric = "test.rmse", .direction = Direction::ascending};
  EXPECT_THAT(ids(), ElementsAre("r2", "r4", "r1", "r5", "r3"));
  selection.sort->direction = Direction::descending;
  EXPECT_THAT(ids(), ElementsAre("r1", "r4", "r2", "r5", "r3"));
  selection.limit = 2;
  EXPECT_THAT(ids(), ElementsAre("r1", "r4"));
}

TEST_F(SelectRuns, SortedByDurationARunningOneCountsUntilNow) {
  write_some();
  selection.sort = RunSort{.key = RunKey::duration, .metric = {}, .direction = Direction::descending};
  EXPECT_THAT(ids(), ElementsAre("r5", "r1", "r3", "r2", "r4"));  // r4 is interrupted: nobody knows
}

TEST_F(SelectRuns, SortedByBeginning) {
  write_some();
  selection.sort = RunSort{.key = RunKey::created, .metric = {}, .direction = Direction::ascending};
  EXPECT_THAT(ids(), ElementsAre("r1", "r2", "r3", "r4", "r5"));
}

TEST_F(SelectRuns, GivesAllThatANameMeans) {
  write_some();
  selection.filter.metrics = {{"rmse", Comparison::less, 1000}, {"n.rows", Comparison::greater, 1}};
  selection.sort = RunSort{.key = RunKey::metric, .metric = "rmse", .direction = Direction::ascending};
  EXPECT_THAT(asked_metrics(selection), ElementsAre("rmse", "n.rows"));
  const auto selected = must_read(file)->select_runs(selection).value();
  ASSERT_EQ(selected.size(), 3u);
  ASSERT_EQ(selected[0].metrics.size(), 2u);
  ASSERT_EQ(selected[0].metrics[0].size(), 2u);
  EXPECT_EQ(selected[0].metrics[0][1].task, "evaluate");
  EXPECT_EQ(selected[0].metrics[0][1].output, "train");
  EXPECT_EQ(selected[0].metrics[0][1].name, "rmse");
  EXPECT_EQ(selected[0].metrics[0][1].value, 50);
  EXPECT_EQ(selected[0].run.labels.at("team"), "prices");
}

TEST_F(SelectRuns, EachChosenRunHasItsOwnArgumentsHoweverFarApart) {
  for (int number = 0; number < 60; ++number) {
    write(fmt::format("run-{}", number), number % 30 == 0 ? "rare" : "often", number + 0.5, 0, number * 1000, 10);
  }
  selection.filter.pipeline = "rare";
  const auto selected = must_read(file)->select_runs(selection).value();
  ASSERT_EQ(selected.size(), 2u);
  EXPECT_EQ(to_json(selected[0].run.arguments), R"({"rate":30.5})");
  EXPECT_EQ(to_json(selected[1].run.arguments), R"({"rate":0.5})");
}

// ---- Annotations ----

TEST_F(SelectRuns, AnnotationsChangeLabelsAndNote) {
  write_some();
  ASSERT_TRUE(annotate(file, "r1", {.labels = {{"stage", "best"}, {"team", std::nullopt}}, .note = "the one"}));
  RunRow run = must_read(file)->find_run("r1").value();
  EXPECT_EQ(run.labels, (std::map<std::string, std::string>{{"stage", "best"}}));
  EXPECT_EQ(run.note, "the one");
  ASSERT_TRUE(annotate(file, "r1", {.labels = {{"stage", "past"}, {"nothing", std::nullopt}}, .note = {}}));
  run = must_read(file)->find_run("r1").value();
  EXPECT_EQ(run.labels.at("stage"), "past");
  EXPECT_EQ(run.note, "the one");
  ASSERT_TRUE(annotate(file, "r1", {.labels = {}, .note = ""}));
  EXPECT_EQ(must_read(file)->find_run("r1")->note, "");
  EXPECT_EQ(must_read(file)->find_run("r2")->labels.at("team"), "prices");
}

TEST_F(SelectRuns, AnnotatingAnUnknownRunChangesNothing) {
  write_some();
  const Result<> changed = annotate(file, "r", {.labels = {{"a", "b"}}, .note = "n"});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(file, "SELECT count(*) FROM labels WHERE name = 'a'"), 0);
}

TEST_F(SelectRuns, ARunThatGoesOnCanBeAnnotated) {
  auto record = must_open(file);
  RunWriter writer(*record, "r1", {"a", "b"});
  ASSERT_TRUE(annotate(file, "r1", {.labels = {{"stage", "try"}}, .note = "while it runs"}));
  writer.succeed("a");
  writer.skip("b", "left out");
  writer.finish(engine::RunState::succeeded);
  const RunRow run = must_read(file)->find_run("r1").value();
  EXPECT_EQ(run.note, "while it runs");
  EXPECT_EQ(run.labels.at("stage"), "try");
  EXPECT_EQ(run.counts[static_cast<std::size_t>(engine::TaskState::succeeded)], 1u);
}

}  // namespace
}  // namespace mlpipe::metadata
