#include "app/premises.hpp"

#include "app/recorded_run.hpp"
#include "listing_fixture.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/metadata/removal.hpp"
#include "mlpipe/spec/reader.hpp"
#include "support/fake_container_engine.hpp"

namespace mlpipe::app {
namespace {

using ::testing::EndsWith;
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

  engine::Artifact described(const std::string& file) const {
    return artifact::make_local_store(folder.path())->describe(file, [] { return false; }).value();
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
    if (!import.empty()) {
      outputs.artifacts["artifact"] = described(import);
    } else if (!output.empty()) {
      output = "runs/" + id + "/a/o/data";
      folder.write(output, "rows\n");
      outputs.artifacts["o"] = described(path(output));
    }
    folder.write("runs/" + id + "/run.json", "{}");
    run.succeed("a", outputs);
    if (!import.empty()) {
      ASSERT_TRUE(record().discard(plan::TaskId{0}));  // as `keep: false` does
    }
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
  std::string output = "o";  // of the newest run; empty: it has none
  std::string import;        // what the task imports; empty: it does not
  bool is_engine_gone = false;
  int connections = 0;
};

TEST_F(PremisesTest, ARunThatRestsOnNothingThatHasChangedIsFound) {
  EXPECT_EQ(found(), "it is not on record that a run like this has succeeded");
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
    EXPECT_EQ(found(), "it is not on record that a run like this has succeeded");
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
  EXPECT_EQ(found(), "it is not on record that a run like this has succeeded");
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
  folder.write("lib/extra/c/component.yaml", component);
  folder.write("lib/other/component.yaml", component);
  folder.write("pipeline.yaml", "name: p\ntasks: {a: {component: c}}\n");
  command.component_path = {path("lib"), path("lib/extra")};
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  folder.write("lib/c/component.yaml", component);
  EXPECT_EQ(found(), "changed since run r1: there is a component at " + path("lib/c") + " now");
  std::filesystem::remove_all(path("lib/c"));
  folder.write("c", "a file that is taken for a component");
  EXPECT_EQ(found(), "changed since run r1: there is a component at " + path("c") + " now");
}

TEST_F(PremisesTest, AComponentIsNotInItsOwnWayNorInThatOfAPath) {
  const std::string component = "name: c\nimplementation:\n  container: {image: 'there:1', command: [echo]}\n";
  folder.write("c/component.yaml", component);
  folder.write("parts/c/component.yaml", component);
  folder.write("pipeline.yaml", "name: p\ntasks: {a: {component: c}, b: {component: parts/c}}\n");
  command.component_path = {folder.path().string(), path("parts")};
  succeed("r1");
  EXPECT_EQ(found(), "r1");
}

TEST_F(PremisesTest, ImportsCountAlsoWhenNobodyNeedsThemAnyMore) {
  folder.write("real.csv", "rows\n");
  std::filesystem::create_symlink("real.csv", path("raw.csv"));
  folder.write("pipeline.yaml", "name: p\ntasks:\n  a: {keep: false, import: {uri: raw.csv, type: Dataset}}\n");
  import = path("raw.csv");
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  folder.write("real.csv", "others\n");
  EXPECT_EQ(found(), "changed since run r1: " + path("raw.csv") + " has changed");
  std::filesystem::remove(path("real.csv"));
  EXPECT_EQ(found(), "changed since run r1: " + path("raw.csv") + " is gone");
}

TEST_F(PremisesTest, ARootThatIsSaidIsNotThatOfThePipeline) {
  command.root = root.path().string();
  succeed("r1");
  EXPECT_EQ(found(), "r1");
  command.root.clear();
  EXPECT_EQ(found(), "it is not on record that a run like this has succeeded");
}

TEST_F(PremisesTest, ARunWhoseFolderOrRootIsAnotherIsNotFound) {
  succeed("r1");
  std::filesystem::create_directories(path("copy/runs/r1"));
  std::filesystem::copy(root.state(), path("copy/.mlpipe"), std::filesystem::copy_options::recursive);
  root = artifact::Root(std::filesystem::canonical(path("copy")));
  EXPECT_THAT(found(), EndsWith("is not in this root"));
  std::filesystem::remove_all(root.run("r1"));
  EXPECT_THAT(found(), EndsWith("runs/r1 is gone"));
}

TEST_F(PremisesTest, OutputsAreLookedAt) {
  succeed("r1");
  folder.write(output, "others");
  EXPECT_EQ(found(), "changed since run r1: " + path(output) + " is missing or has changed");
  EXPECT_EQ(connections, 0);
  folder.write(output, "rows\n");
  EXPECT_EQ(found(), "r1");
  std::filesystem::remove(path(output));
  EXPECT_EQ(found(), "changed since run r1: " + path(output) + " is missing or has changed");
}

TEST_F(PremisesTest, ImagesCountByTheirIds) {
  succeed("r1");
  engine_images["there:1"].id = "sha256:two";
  EXPECT_EQ(found(), "changed since run r1: image there:1 has changed or is not here");
  engine_images.clear();
  EXPECT_EQ(found(), "changed since run r1: image there:1 has changed or is not here");
  is_engine_gone = true;
  EXPECT_EQ(found(), "cannot tell what has changed since run r1: no engine answers");
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
  for (const char* text : {R"({"version":2})", R"({"version":1})", R"([])",
                           R"({"version":1,"sources":[],"passed_over":[],"imports":[],"images":[]})"}) {
    keep(text, text);
    EXPECT_THAT(found(), EndsWith("was recorded by another mlpipe"));
  }
  keep("r2", "no JSON");
  EXPECT_THAT(found(), HasSubstr("what run r2 rests on"));
  keep("r3", R"({"version":1,"sources":[1],"passed_over":[2],"imports":[3],"images":[4]})");
  EXPECT_THAT(found(), StartsWith("c"));
}

TEST_F(PremisesTest, ARunThatIsGoneIsNotFound) {
  succeed("r1");
  ASSERT_TRUE(metadata::remove_run(root.database(), "r1"));
  EXPECT_EQ(found(), "it is not on record that a run like this has succeeded");
}

}  // namespace
}  // namespace mlpipe::app
