#include "mlpipe/engine/limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/plan/selection.hpp"
#include "support/spec_builder.hpp"

namespace mlpipe::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string misfits(test::PipelineBuilder& pipeline, const Limits& limits, const plan::Selection& selection = {}) {
  const spec::PipelineSpec spec = pipeline.build();
  Result<plan::Plan> plan = plan::make_plan(spec, {});
  EXPECT_TRUE(plan::select(*plan, selection));
  const Result<> fits = check_fits(*plan, limits);
  return fits ? "" : fits.error().message;
}

TEST(CheckFits, ATaskThatTakesAllThereIsFits) {
  test::PipelineBuilder pipeline;
  pipeline.pool("db", 1);
  pipeline.task("a").cpu(4).memory(1024).gpu(2).pool("db");
  EXPECT_EQ(misfits(pipeline, {.max_parallel = 1, .cpu = 4, .memory = 1024, .gpu = 2}), "");
}

TEST(CheckFits, AllTasksThatCanNeverRunAreListedWithWhatTheyNeed) {
  test::PipelineBuilder pipeline;
  pipeline.pool("closed", 0);
  pipeline.task("fits").cpu(2);
  pipeline.task("wide").cpu(8.5).gpu(2);
  pipeline.task("large").memory(4096);
  pipeline.task("shut_out").pool("closed");
  EXPECT_EQ(misfits(pipeline, {.max_parallel = 4, .cpu = 4, .memory = 2048}),
            "3 tasks can never run here:\n"
            "  'wide' needs 8.5 cpu of 4, 2 gpu of 0\n"
            "  'large' needs 4.0 KiB memory of 2.0 KiB\n"
            "  'shut_out' needs 1 places in pool 'closed' of 0");
}

TEST(CheckFits, WithoutALimitEverythingFits) {
  test::PipelineBuilder pipeline;
  pipeline.task("a").cpu(10'000).memory(~std::uint64_t{0});
  EXPECT_EQ(misfits(pipeline, {.max_parallel = 1}), "");
}

TEST(CheckFits, TasksLeftOutNeedNotFit) {
  test::PipelineBuilder pipeline;
  pipeline.task("a").gpu(1);
  pipeline.task("b");
  EXPECT_EQ(misfits(pipeline, {.max_parallel = 1}, {.only = {"b"}}), "");
}

TEST(CheckFits, AVeryLongListIsCut) {
  test::PipelineBuilder pipeline;
  for (int i = 0; i < 150; ++i) pipeline.task("t" + std::to_string(i)).gpu(1);
  const std::string text = misfits(pipeline, {.max_parallel = 1});
  EXPECT_THAT(text, HasSubstr("150 tasks can never run here:"));
  EXPECT_THAT(text, HasSubstr("'t99' needs 1 gpu of 0\n  and 50 more"));
  EXPECT_THAT(text, Not(HasSubstr("'t100'")));
}

}  // namespace
}  // namespace mlpipe::engine
