#include "mlpipe/plan/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/plan/plan.hpp"
#include "support/spec_builder.hpp"

namespace mlpipe::plan {
namespace {

using spec::ParameterType;
using test::parameter;
using ::testing::HasSubstr;
using ::testing::Not;

// n_trials: Integer = 100, rate: Float, name: String; note: String, optional.
spec::PipelineSpec four_parameters() {
  test::PipelineBuilder pipeline;
  pipeline.parameter(parameter("n_trials", ParameterType::integer, Value(100)));
  pipeline.parameter(parameter("rate", ParameterType::floating));
  pipeline.parameter(parameter("name", ParameterType::string));
  spec::ParameterSpec note = parameter("note", ParameterType::string);
  note.optional = true;
  pipeline.parameter(note);
  return pipeline.build();
}

TEST(Arguments, AreCompletedWithDefaultsAndMadeOfTheRightType) {
  const spec::PipelineSpec spec = four_parameters();
  const Result<Plan> plan = make_plan(spec, {{"rate", Value(1)}, {"name", Value(7)}});
  ASSERT_TRUE(plan) << plan.error().message;
  const Value::Struct expected{{"n_trials", Value(100)}, {"rate", Value(1.0)}, {"name", Value("7")}};
  EXPECT_EQ(plan->arguments(), expected);
  EXPECT_TRUE(plan->arguments().at("rate").is_double());
}

TEST(Arguments, AllMistakesAreListedAtOnce) {
  const spec::PipelineSpec spec = four_parameters();
  const Result<Plan> plan = make_plan(spec, {{"n_trial", Value(5)}, {"rate", Value("fast")}});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(plan.error().message, HasSubstr("arguments of pipeline 'test': 3 mistakes"));
  EXPECT_THAT(plan.error().message, HasSubstr("unknown parameter 'n_trial'; did you mean 'n_trials'?"));
  EXPECT_THAT(plan.error().message, HasSubstr("parameter 'rate' (Float): "));
  EXPECT_THAT(plan.error().message,
              HasSubstr("parameter 'name' (String) has no default and must be given: -p name=..."));
}

TEST(Arguments, AnUnknownNameLikeNoOtherGetsTheListOfThoseThereAre) {
  const spec::PipelineSpec spec = four_parameters();
  const auto arguments = parse_arguments(spec, {{"zzz", "1"}, {"rate", "1"}, {"name", "x"}}, {});
  ASSERT_FALSE(arguments);
  EXPECT_THAT(arguments.error().message,
              HasSubstr("unknown parameter 'zzz'; this pipeline has: n_trials, rate, name, note"));

  const spec::PipelineSpec none = test::PipelineBuilder().build();
  EXPECT_THAT(parse_arguments(none, {{"a", "1"}}, {}).error().message,
              HasSubstr("unknown parameter 'a': this pipeline has none"));
}

TEST(Arguments, TextsAreReadAsTheParametersTypesAndWinOverTheFile) {
  const spec::PipelineSpec spec = four_parameters();
  const auto arguments = parse_arguments(spec, {{"n_trials", "3"}, {"rate", "0.5"}, {"rate", "0.25"}, {"name", "12"}},
                                         {{"n_trials", Value(9)}, {"note", Value("from the file")}});
  ASSERT_TRUE(arguments) << arguments.error().message;
  const Value::Struct expected{
      {"n_trials", Value(3)}, {"rate", Value(0.25)}, {"name", Value("12")}, {"note", Value("from the file")}};
  EXPECT_EQ(*arguments, expected);
  EXPECT_TRUE(arguments->at("name").is_string());
}

TEST(Arguments, MistakesInTextsAndInTheFileComeTogether) {
  const spec::PipelineSpec spec = four_parameters();
  const auto arguments = parse_arguments(spec, {{"n_trials", "many"}, {"nam", "x"}}, {{"rate", Value(true)}});
  ASSERT_FALSE(arguments);
  EXPECT_THAT(arguments.error().message, HasSubstr("4 mistakes"));
  EXPECT_THAT(arguments.error().message, HasSubstr("parameter 'n_trials' (Integer): "));
  EXPECT_THAT(arguments.error().message, HasSubstr("did you mean 'name'?"));
  EXPECT_THAT(arguments.error().message, HasSubstr("parameter 'rate' (Float): "));
  EXPECT_THAT(arguments.error().message, HasSubstr("parameter 'name' (String) has no default"));
}

TEST(Arguments, ABadTextIsNotReportedAsMissingAsWell) {
  const spec::PipelineSpec spec = four_parameters();
  const auto arguments = parse_arguments(spec, {{"rate", "fast"}, {"name", "x"}}, {});
  ASSERT_FALSE(arguments);
  EXPECT_THAT(arguments.error().message, HasSubstr("arguments of pipeline 'test': parameter 'rate' (Float): "));
  EXPECT_THAT(arguments.error().message, Not(HasSubstr("must be given")));
}

}  // namespace
}  // namespace mlpipe::plan
