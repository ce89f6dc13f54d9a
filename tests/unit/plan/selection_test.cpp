#include "mlpipe/plan/selection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/spec_builder.hpp"

namespace mlpipe::plan {
namespace {

using test::PipelineBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// raw -> split -> train -> evaluate, by order only; `report` after split; `alone`.
spec::PipelineSpec ordered_pipeline() {
  PipelineBuilder pipeline;
  pipeline.task("raw");
  pipeline.task("split").after("raw");
  pipeline.task("train").after("split");
  pipeline.task("evaluate").after("train");
  pipeline.task("report").after("split");
  pipeline.task("alone");
  return pipeline.build();
}

class Select : public ::testing::Test {
 protected:
  std::vector<std::string> chosen(const Selection& selection) {
    plan_ = *make_plan(spec_, {});
    Result<> done = select(plan_, selection);
    if (!done) return {done.error().message};
    std::vector<std::string> names;
    for (std::uint32_t task = 0; task < plan_.size(); ++task) {
      if (plan_.selected(TaskId{task})) names.emplace_back(plan_.task(TaskId{task}).path());
    }
    return names;
  }

  spec::PipelineSpec spec_ = ordered_pipeline();
  Plan plan_;
};

TEST_F(Select, NothingSaidMeansEverything) {
  EXPECT_THAT(chosen({}), ElementsAre("raw", "split", "train", "evaluate", "report", "alone"));
}

TEST_F(Select, FromMeansTheTaskAndAllThatDependOnIt) {
  EXPECT_THAT(chosen({.from = {"split"}}), ElementsAre("split", "train", "evaluate", "report"));
  EXPECT_THAT(chosen({.from = {"evaluate", "alone"}}), ElementsAre("evaluate", "alone"));
}

TEST_F(Select, UntilMeansTheTaskAndAllItDependsOn) {
  EXPECT_THAT(chosen({.until = {"train"}}), ElementsAre("raw", "split", "train"));
}

TEST_F(Select, FromAndUntilMeanWhatBothChoose) {
  EXPECT_THAT(chosen({.from = {"split"}, .until = {"train"}}), ElementsAre("split", "train"));
  EXPECT_THAT(chosen({.from = {"report"}, .until = {"train"}}), ElementsAre());
}

TEST_F(Select, OnlyMeansExactlyThese) { EXPECT_THAT(chosen({.only = {"train", "raw"}}), ElementsAre("raw", "train")); }

TEST_F(Select, OnlyCannotBeCombined) {
  EXPECT_THAT(chosen({.from = {"raw"}, .only = {"train"}}),
              ElementsAre("--only cannot be combined with --from or --until"));
}

TEST_F(Select, UnknownTasksAreListedWithWhatWasMeant) {
  EXPECT_THAT(
      chosen({.from = {"trian"}, .until = {"zzzzzzzz"}}),
      ElementsAre("choosing tasks:\n  --from trian: no such task; did you mean 'train'?\n"
                  "  --until zzzzzzzz: no such task; this pipeline has: raw, split, train, evaluate, report, alone"));
}

TEST_F(Select, AnOutputOfATaskLeftOutIsAnErrorAndChangesNothing) {
  PipelineBuilder pipeline;
  pipeline.task("split");
  pipeline.task("train").argument("data", spec::TaskOutput{"split", "train_set"}).when("tasks.split.outputs.rows > 0");
  spec_ = pipeline.build();
  EXPECT_THAT(chosen({.from = {"train"}}),
              ElementsAre("the chosen tasks cannot run by themselves:\n"
                          "  'train' reads output 'train_set' of 'split', which is left out\n"
                          "  'train' reads output 'rows' of 'split', which is left out"));
  EXPECT_TRUE(plan_.selected(*plan_.find("split")));
}

}  // namespace
}  // namespace mlpipe::plan
