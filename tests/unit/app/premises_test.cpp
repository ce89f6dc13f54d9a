#include "app/premises.hpp"

#include "app/recorded_run.hpp"
#include "listing_fixture.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/metadata/removal.hpp"
#include "mlpipe/spec/reader.hpp"
#include "support/fake_container_engine.hpp"

namespace mlpipe::app {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A pipeline on the disk, runs of it on record, and an engine with its images.
struct PremisesTest : ListingTest {
  PremisesTest() {
    command.pipeline = path("pipeline.yaml");
    engine_images["there:1"] = runner::Image{.id = "sha256:one"};
    folder.write("pipeline.yaml",
                 "name: p\n"
                 "tasks:\n"
                 "  a: {image: 'there:1', script: echo, outputs: {o: Dataset}}\n");
  }

  std::string path(const std::string& name) const { return (folder.path() / name).string(); }

  // Records that a run of the pipeline, as it is now, has succeeded; its task a gave the file `output`.
  void succeed(const std::string& id) {
    spec::ReadPipeline read =
        spec::read_pipeline(command.pipeline,
                            {.component_path = {command.component_path.begin(), command.component_path.end()}})
            .value();
    ASSERT_TRUE(read.spec);
    const plan::Plan plan = plan::make_plan(*read.spec, {}).value();
    test::RunWriter run(record(), id, {"a"});
    engine::TaskData outputs;
    if (!output.empty()) {
      folder.write(output, "rows\n");
      const auto store = artifact::make_local_store(folder.path());
      outputs.artifacts["o"] = store->describe(path(output), [] { return false; }).value();
    }
    run.succeed("a", outputs);
    runner::PreparedImages images;
    for (const auto& [reference, image] : engine_images) images.by_key[reference] = image;
    const std::vector<metadata::TaskRow> rows = open_record_of(root.path()).value()->tasks(id).value();
    record().keep_premises(asked_for(command).value(), premises_of(command, plan, images, rows));
    run.finish(engine::RunState::succeeded);
  }

  Outcome look() {
    return find_unchanged(command, root, clock, [this]() -> Result<std::unique_ptr<runner::ContainerEngine>> {
      ++connections;
      if (is_engine_gone) return fail(ErrorCode::unavailable, "no engine answers");
      auto engine = std::make_unique<test::FakeContainerEngine>();
      engine->images = engine_images;
      return engine;
    });
  }

  // The run that has all results, or why there is none.
  std::string found() {
    const Outcome outcome = look();
    return outcome.run ? outcome.run->id : outcome.why;
  }

  RunCommand command;
  std::map<std::string, runner::Image> engine_images;
  std::string output = "o.csv";
  bool is_engine_gone = false;
  int connections = 0;
};

TEST_F(PremisesTest, ARunThatRestsOnNothingThatHasChangedIsFound) {
  EXPECT_EQ(found(), "no run like this has succeeded yet");
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  succeed("r2");
  EXPECT_EQ(found(), "r2");
}

TEST_F(PremisesTest, WhatIsAskedForOtherwiseIsAnotherRun) {
  succeed("r1");
  folder.write("p.yaml", "rate: 1\n");
  const RunCommand before = command;
  const std::vector<std::function<void(RunCommand&)>> changes{
      [&](RunCommand& other) { other.parameters = {"rate=1"}; },
      [&](RunCommand& other) { other.parameters_file = path("p.yaml"); },
      [&](RunCommand& other) { other.from = {"a"}; },
      [&](RunCommand& other) { other.until = {"a"}; },
      [&](RunCommand& other) { other.only = {"a"}; },
      [&](RunCommand& other) { other.component_path = {folder.path().string()}; },
      [&](RunCommand& other) { other.pipeline = path("p.yaml"); }};
  for (const auto& change : changes) {
    command = before;
    change(command);
    EXPECT_EQ(found(), "no run like this has succeeded yet");
  }
  command = before;
  command.jobs = 7;
  command.keep_going = true;
  command.run_id = "r9";
  EXPECT_EQ(found(), "r1");
}

TEST_F(PremisesTest, AFileOfParametersCountsByItsText) {
  folder.write("p.yaml", "rate: 1\n");
  command.parameters_file = path("p.yaml");
  succeed("r1");
  folder.write("q.yaml", "rate: 1\n");
  command.parameters_file = path("q.yaml");
  EXPECT_EQ(found(), "r1");
  folder.write("q.yaml", "rate: 2\n");
  EXPECT_EQ(found(), "no run like this has succeeded yet");
  command.parameters_file = path("none.yaml");
  EXPECT_THAT(found(), HasSubstr("--params"));
}

TEST_F(PremisesTest, ThePipelineAndItsComponentsCountByTheirText) {
  folder.write("c/component.yaml", "name: c\nimplementation:\n  container: {image: 'there:1', command: [echo]}\n");
  folder.write("pipeline.yaml", "name: p\ntasks: {a: {component: ./c}}\n");
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  folder.write("c/component.yaml", "name: c\nimplementation:\n  container: {image: 'there:1', command: [echo, x]}\n");
  EXPECT_EQ(found(), "changed since run r1: " + path("c/component.yaml") + " has changed");
  std::filesystem::remove(path("c/component.yaml"));
  EXPECT_EQ(found(), "changed since run r1: " + path("c/component.yaml") + " is gone");
}

TEST_F(PremisesTest, AComponentThatWouldNowBeTakenInsteadIsAChange) {
  const std::string component = "name: c\nimplementation:\n  container: {image: 'there:1', command: [echo]}\n";
  folder.write("second/c/component.yaml", component);
  folder.write("first/other/component.yaml", component);
  folder.write("pipeline.yaml", "name: p\ntasks: {a: {component: c}}\n");
  command.component_path = {path("first"), path("second")};
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  folder.write("first/c/component.yaml", component);
  EXPECT_EQ(found(), "changed since run r1: there is a component at " + path("first/c") + " now");
  std::filesystem::remove_all(path("first/c"));
  folder.write("c", "a file that is taken for a component");
  EXPECT_EQ(found(), "changed since run r1: there is a component at " + path("c") + " now");
}

TEST_F(PremisesTest, OutputsAreLookedAt) {
  succeed("r1");
  folder.write("o.csv", "others");
  EXPECT_EQ(found(), "changed since run r1: " + path("o.csv") + " is missing or has changed");
  EXPECT_EQ(connections, 0);
  folder.write("o.csv", "rows\n");
  EXPECT_EQ(found(), "r1");
  std::filesystem::remove(path("o.csv"));
  EXPECT_EQ(found(), "changed since run r1: " + path("o.csv") + " is missing or has changed");
}

TEST_F(PremisesTest, ImagesCountByTheirIds) {
  succeed("r1");
  engine_images["there:1"].id = "sha256:two";
  EXPECT_EQ(found(), "changed since run r1: image there:1 has changed or is not here");
  engine_images.clear();
  EXPECT_EQ(found(), "changed since run r1: image there:1 has changed or is not here");
  is_engine_gone = true;
  EXPECT_EQ(found(), "changed since run r1: no engine answers");
}

TEST_F(PremisesTest, WhatMayAlwaysComeToSomethingElseAlwaysRuns) {
  const std::map<std::string, std::string> tasks{
      {"a: {image: 'there:1', script: echo, cache: false}", "task 'a' says `cache: false`"},
      {"a: {image: 'there:1', script: echo, pull: always}", "image there:1 is pulled anew each time"},
      {"a: {image: 'there:1', script: echo, inputs: {r: String}, arguments: {r: '${{ run.id }}'}}",
       "task 'a' is given run.id"},
      {"a: {image: 'there:1', script: echo, when: \"${{ run.id == 'x' }}\"}", "task 'a' is given run.id"},
      {"a: {image: 'other:1', script: echo}", "image other:1 is not known"}};
  output.clear();
  int number = 0;
  for (const auto& [task, why] : tasks) {
    folder.write("pipeline.yaml", "name: p\ntasks:\n  " + task + "\n");
    succeed("r" + std::to_string(++number));
    EXPECT_EQ(found(), "runs always: " + why);
  }
  command.engine = EngineChoice::process;
  EXPECT_THAT(found(), StartsWith("runs always: without containers"));
}

TEST_F(PremisesTest, AResultGrowsTooOld) {
  folder.write(
      "pipeline.yaml",
      "name: p\ntasks:\n  a: {image: 'there:1', script: echo, outputs: {o: Dataset}, cache: {max_age: 10s}}\n");
  succeed("r1");  // its attempt ended after 1.25 s
  clock.milliseconds = 11'249;
  EXPECT_EQ(found(), "r1");
  clock.milliseconds = 11'250;
  EXPECT_EQ(found(), "changed since run r1: a result is older than its max_age");
}

TEST_F(PremisesTest, ARunThatDidNotSucceedLeavesWhatAnEarlierOneRestsOn) {
  succeed("r1");
  test::RunWriter run(record(), "r2", {"a"});
  record().keep_premises(asked_for(command).value(), R"({"version":1})");
  run.finish(engine::RunState::failed);
  EXPECT_EQ(found(), "r1");
}

TEST_F(PremisesTest, WhatOtherProgramsWroteIsNotBelieved) {
  const auto keep = [this](const std::string& id, const std::string& text) {
    test::RunWriter run(record(), id, {"a"});
    record().keep_premises(asked_for(command).value(), text);
    run.finish(engine::RunState::succeeded);
  };
  keep("r1", R"({"version":2})");
  EXPECT_EQ(found(), "changed since run r1: it was recorded by another mlpipe");
  keep("r2", "no JSON");
  EXPECT_THAT(found(), HasSubstr("what run r2 rests on"));
}

TEST_F(PremisesTest, ARunThatIsGoneIsNotFound) {
  succeed("r1");
  ASSERT_TRUE(metadata::remove_run(root.database(), "r1"));
  EXPECT_EQ(found(), "no run like this has succeeded yet");
}

}  // namespace
}  // namespace mlpipe::app
