#include "app/component_run.hpp"

#include <gmock/gmock.h>

#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ComponentRun : public testing::Test {
 protected:
  ComponentRun() {
    folder_.write("train/component.yaml", R"(
name: Train it
inputs:
  - {name: dataset, type: Dataset}
  - {name: test-set, type: Dataset, optional: true}
  - {name: n-trials, type: Integer, default: "100"}
  - {name: title, type: String}
  - {name: comment, type: String, optional: true}
outputs: [{name: model, type: Model}]
implementation:
  container: {image: "debian:12", command: [train, {inputPath: dataset}, {outputPath: model}]}
)");
    folder_.write("a.csv", "1");
    component_ = spec::read_component(folder_.path() / "train").value().component.value();
  }
  std::string file(const std::string& name) { return (folder_.path() / name).string(); }

  test::TempDir folder_;
  spec::ComponentSpec component_;
};

TEST_F(ComponentRun, ParametersAndArtifactsAreToldApart) {
  const auto arguments = component_arguments(component_, {"dataset=" + file("a.csv"), "title=x=y"});
  ASSERT_TRUE(arguments) << arguments.error().message;
  EXPECT_THAT(arguments->parameters, ElementsAre("title=x=y"));
  EXPECT_THAT(arguments->paths, ElementsAre(testing::Pair("dataset", file("a.csv"))));
}

TEST_F(ComponentRun, AllMistakesAreToldOfAtOnce) {
  const auto refused = component_arguments(component_, {"datset=x", "test-set=" + file("none"), "comment"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_input);
  EXPECT_EQ(refused.error().message,
            "-a datset=x: the component has no input \"datset\"; did you mean dataset?\n-a test-set=" + file("none") +
                ": nothing is at " + file("none") +
                "\n-a comment: no name=value\ninput dataset is missing: say -a dataset=PATH "
                "(system.Dataset)\ninput title is missing: say -a title=VALUE (String)");
}

TEST_F(ComponentRun, AnInputMayBeSaidAsTheComponentWritesIt) {
  const auto arguments = component_arguments(
      component_, {"Dataset=" + file("a.csv"), "Test Set=" + file("a.csv"), "title=x", "N Trials=3"});
  ASSERT_TRUE(arguments) << arguments.error().message;
  EXPECT_THAT(arguments->parameters, ElementsAre("title=x", "n-trials=3"));
  EXPECT_THAT(arguments->paths,
              ElementsAre(testing::Pair("dataset", file("a.csv")), testing::Pair("test-set", file("a.csv"))));
}

TEST_F(ComponentRun, TwoSpellingsOfOneInputAreAMistake) {
  const auto refused = component_arguments(component_, {"dataset=" + file("a.csv"), "Title=x", "title=y"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "-a title=y: \"Title\" and \"title\" are the same input");
}

TEST_F(ComponentRun, ASpellingOfTwoInputsIsAMistake) {
  component_.interface.input_parameters.push_back({.name = "n__trials", .optional = true});
  const auto refused = component_arguments(component_, {"dataset=" + file("a.csv"), "title=x", "N Trials=3"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "-a N Trials=3: \"N Trials\" can be any of the inputs n-trials, n__trials");
  EXPECT_TRUE(component_arguments(component_, {"dataset=" + file("a.csv"), "title=x", "n__trials=3"}));
}

TEST_F(ComponentRun, ThePipelineAroundItIsRead) {
  EXPECT_EQ(name_around(component_), "Train-it");
  const std::string text = pipeline_around(component_, file("train"), {{"dataset", file("a.csv")}});
  const spec::ReadPipeline read = spec::read_pipeline_text(text, "pipeline.yaml", "/nowhere", {});
  ASSERT_TRUE(read.spec) << text << spec::render(read.diagnostics, read.sources);
  EXPECT_TRUE(read.diagnostics.empty()) << spec::render(read.diagnostics, read.sources);
  EXPECT_EQ(read.spec->name, "Train-it");
  const auto& tasks = read.spec->root_dag().tasks;
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].name, "dataset");
  EXPECT_EQ(tasks[1].name, "Train-it");
  EXPECT_EQ(tasks[1].arguments.size(), 4U);
  const spec::ParameterSpec* trials = read.spec->root_component().interface.input_parameter("n-trials");
  ASSERT_NE(trials, nullptr);
  EXPECT_EQ(trials->default_value, Value(100));
}

TEST_F(ComponentRun, APathMayHoldWhatATemplateWouldTake) {
  component_.name = "dataset";  // as its input
  const std::string text = pipeline_around(component_, file("train"), {{"dataset", "/data/${{ x }}.csv"}});
  EXPECT_THAT(text, HasSubstr("\"/data/$${{ x }}.csv\""));
  EXPECT_THAT(text, HasSubstr("\"dataset_input\":\n"));
}

}  // namespace
}  // namespace mlpipe::app
