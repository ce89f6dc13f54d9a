#include "mlpipe/plan/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/random.hpp"
#include "support/spec_builder.hpp"

namespace mlpipe::plan {
namespace {

using test::PipelineBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Plan planned(const spec::PipelineSpec& spec) {
  Result<Plan> plan = make_plan(spec, {});
  if (!plan) throw std::runtime_error(plan.error().message);
  return std::move(*plan);
}

std::vector<std::string> names(const Plan& plan, std::span<const TaskId> tasks) {
  std::vector<std::string> names;
  for (TaskId task : tasks) names.emplace_back(plan.task(task).path());
  return names;
}

TEST(Plan, FindsTasksByName) {
  PipelineBuilder pipeline;
  pipeline.task("a");
  pipeline.task("b");
  const spec::PipelineSpec spec = pipeline.build();
  const Plan plan = planned(spec);
  EXPECT_EQ(plan.find("a"), TaskId{0});
  EXPECT_EQ(plan.find("b"), TaskId{1});
  EXPECT_EQ(plan.find("c"), std::nullopt);
  EXPECT_EQ(plan.find(""), std::nullopt);
}

TEST(Plan, OfNoTasksIsEmpty) {
  const spec::PipelineSpec spec = PipelineBuilder().build();
  const Plan plan = planned(spec);
  EXPECT_EQ(plan.size(), 0u);
  EXPECT_THAT(plan.order(), IsEmpty());
  EXPECT_EQ(plan.find("a"), std::nullopt);
}

TEST(Plan, EveryKindOfReferenceIsAnEdge) {
  PipelineBuilder pipeline;
  for (const char* name : {"by_output", "by_template", "by_condition", "by_after"}) pipeline.task(name);
  pipeline.task("all")
      .argument("x", spec::TaskOutput{"by_output", "o"})
      .argument(
          "y", test::text_template("at ${{ tasks.by_template.outputs.o.uri }} in ${{ run.id }} of ${{ parameters.p }}"))
      .when("tasks.by_condition.outputs.o > 3")
      .after("by_after");
  const spec::PipelineSpec spec = pipeline.build();
  const Plan plan = planned(spec);
  EXPECT_THAT(names(plan, plan.needs(*plan.find("all"))),
              ElementsAre("by_output", "by_template", "by_condition", "by_after"));
  for (const char* name : {"by_output", "by_template", "by_condition", "by_after"}) {
    EXPECT_THAT(names(plan, plan.dependants(*plan.find(name))), ElementsAre("all"));
    EXPECT_THAT(plan.needs(*plan.find(name)), IsEmpty());
  }
}

TEST(Plan, ATaskNamedSeveralTimesIsNeededOnce) {
  PipelineBuilder pipeline;
  pipeline.task("b")
      .argument("x", spec::TaskOutput{"a", "o"})
      .argument("y", spec::TaskOutput{"a", "p"})
      .after("a")
      .after("a");
  pipeline.task("a");
  const spec::PipelineSpec spec = pipeline.build();
  const Plan plan = planned(spec);
  EXPECT_THAT(names(plan, plan.needs(*plan.find("b"))), ElementsAre("a"));
  EXPECT_THAT(names(plan, plan.dependants(*plan.find("a"))), ElementsAre("b"));
}

TEST(Plan, RankIsTheLongestPathToAnEnd) {
  PipelineBuilder pipeline;  // a -> b -> c -> d, a -> d, e
  pipeline.task("a");
  pipeline.task("b").after("a");
  pipeline.task("c").after("b");
  pipeline.task("d").after("c").after("a");
  pipeline.task("e");
  const spec::PipelineSpec spec = pipeline.build();
  const Plan plan = planned(spec);
  EXPECT_EQ(plan.rank(*plan.find("a")), 4u);
  EXPECT_EQ(plan.rank(*plan.find("b")), 3u);
  EXPECT_EQ(plan.rank(*plan.find("c")), 2u);
  EXPECT_EQ(plan.rank(*plan.find("d")), 1u);
  EXPECT_EQ(plan.rank(*plan.find("e")), 1u);
}

TEST(Plan, ACycleIsAnErrorThatShowsIt) {
  PipelineBuilder pipeline;
  pipeline.task("outside").after("c");
  pipeline.task("a").after("c");
  pipeline.task("b").after("a");
  pipeline.task("c").after("b");
  const spec::PipelineSpec spec = pipeline.build();
  const Result<Plan> plan = make_plan(spec, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::invalid_input);
  EXPECT_EQ(plan.error().message, "the tasks need each other in a circle: c -> a -> b -> c");
}

TEST(Plan, ATaskThatNeedsItselfIsACycle) {
  PipelineBuilder pipeline;
  pipeline.task("a").after("a");
  const spec::PipelineSpec spec = pipeline.build();
  const Result<Plan> plan = make_plan(spec, {});
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("a -> a"));
}

TEST(Plan, WhatTheReaderShouldHaveFoundIsAnErrorToo) {
  PipelineBuilder dangling;
  dangling.task("a").after("nowhere");
  const spec::PipelineSpec dangling_spec = dangling.build();
  EXPECT_EQ(make_plan(dangling_spec, {}).error().message,
            "task 'a' refers to a task 'nowhere', which the pipeline does not have");

  PipelineBuilder twice;
  twice.task("a");
  twice.task("a");
  const spec::PipelineSpec twice_spec = twice.build();
  EXPECT_EQ(make_plan(twice_spec, {}).error().message, "two tasks are named 'a'");
}

TEST(Plan, AVeryLongChainNeedsNoStack) {
  constexpr std::size_t k_length = 300'000;
  PipelineBuilder pipeline;
  pipeline.task("t0");
  for (std::size_t i = 1; i < k_length; ++i) pipeline.task("t" + std::to_string(i)).after("t" + std::to_string(i - 1));
  const spec::PipelineSpec spec = pipeline.build();
  const Plan plan = planned(spec);
  EXPECT_EQ(plan.order().back(), TaskId{k_length - 1});
  EXPECT_EQ(plan.rank(TaskId{0}), k_length);
}

TEST(Plan, RandomDagsAreOrderedAndTheirEdgesMirrorEachOther) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    test::Random random(seed);
    const unsigned size = random.between(1, 60);
    // Names in one order, edges in another: needs are not always above in the file.
    const std::vector<unsigned> place = random.permutation(size);
    std::set<std::pair<unsigned, unsigned>> edges;
    PipelineBuilder pipeline;
    for (unsigned i = 0; i < size; ++i) {
      auto task = pipeline.task(std::to_string(i));
      for (unsigned edge = random.below(4); edge > 0; --edge) {
        const unsigned other = random.below(size);
        if (place[other] >= place[i]) continue;
        task.after(std::to_string(other));
        edges.emplace(i, other);
      }
    }
    const spec::PipelineSpec spec = pipeline.build();
    const Plan plan = planned(spec);

    std::set<std::pair<unsigned, unsigned>> needs, dependants;
    std::vector<bool> done(size);
    ASSERT_EQ(plan.order().size(), size);
    for (TaskId task : plan.order()) {
      std::uint32_t longest = 0;
      for (TaskId need : plan.needs(task)) {
        EXPECT_TRUE(done[index(need)]);
        needs.emplace(index(task), index(need));
      }
      for (TaskId dependant : plan.dependants(task)) {
        dependants.emplace(index(dependant), index(task));
        longest = std::max(longest, plan.rank(dependant));
      }
      EXPECT_EQ(plan.rank(task), longest + 1);
      EXPECT_FALSE(done[index(task)]);
      done[index(task)] = true;
    }
    EXPECT_EQ(needs, edges);
    EXPECT_EQ(dependants, edges);
  }
}

}  // namespace
}  // namespace mlpipe::plan
