#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::spec {
namespace {

using testing::ElementsAre;

constexpr std::string_view k_component = R"(name: Split
outputs:
- {name: Train rows, type: Integer}
implementation:
  container:
    image: alpine:3.20
    command: [sh, -c, 'echo 3 > "$0"', {outputPath: Train rows}]
)";

class ExpressionWiring : public testing::Test {
 protected:
  // The pipeline with a task `split` from a component file and `use` as the text of a second task.
  PipelineSpec read(const std::string& use) {
    folder_.write("split.yaml", std::string(k_component));
    std::string text =
        "name: p\ntasks:\n  split: {component: ./split.yaml}\n  use:\n    image: alpine:3.20\n    command: "
        "[\"true\"]\n" +
        use;
    ReadPipeline read = read_pipeline_text(text, "pipeline.yaml", folder_.path(), {});
    EXPECT_TRUE(read.spec.has_value()) << render(read.diagnostics, read.sources);
    return read.spec ? *std::move(read.spec) : PipelineSpec{};
  }

 private:
  test::TempDir folder_;
};

// Plan and engine look outputs up by their declared names.
TEST_F(ExpressionWiring, ConditionsNameOutputsAsTheyAreDeclared) {
  PipelineSpec spec = read("    when: ${{ tasks.split.outputs['Train rows'] > 2 }}\n");
  ASSERT_EQ(spec.components.empty(), false);
  const TaskSpec& use = spec.root_dag().tasks[1];
  ASSERT_TRUE(use.when.has_value());
  std::string declared = spec.component(spec.root_dag().tasks[0].component).interface.output_parameters[0].name;
  EXPECT_THAT(use.when->references().at(0).path, ElementsAre("tasks", "split", "outputs", declared));
}

TEST_F(ExpressionWiring, TextsNameOutputsAsTheyAreDeclared) {
  PipelineSpec spec =
      read("    inputs: {note: String}\n    arguments: {note: \"rows: ${{ tasks.split.outputs.Train-rows }}\"}\n");
  ASSERT_EQ(spec.components.empty(), false);
  const auto* text = std::get_if<Template>(&spec.root_dag().tasks[1].arguments.at(0).binding);
  ASSERT_NE(text, nullptr);
  std::string declared = spec.component(spec.root_dag().tasks[0].component).interface.output_parameters[0].name;
  EXPECT_THAT(text->references().at(0).path, ElementsAre("tasks", "split", "outputs", declared));
}

TEST_F(ExpressionWiring, AConditionMayStandInABlockOfLines) {
  PipelineSpec spec = read("    when: |\n      ${{ tasks.split.outputs.train_rows > 2\n          && true }}\n");
  ASSERT_EQ(spec.components.empty(), false);
  ASSERT_TRUE(spec.root_dag().tasks[1].when.has_value());
  EXPECT_EQ(spec.root_dag().tasks[1].when->text(), "tasks.split.outputs.train_rows > 2 && true");
}

}  // namespace
}  // namespace mlpipe::spec
