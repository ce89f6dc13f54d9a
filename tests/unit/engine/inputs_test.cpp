#include "run_fixture.hpp"

namespace mlpipe::engine {
namespace {

using spec::ParameterType;
using test::artifact;
using test::parameter;
using test::text_template;

// `make` gives n (Integer), s (Struct) and data (Dataset); `take` has inputs of every kind, each bound by a test.
class Inputs : public RunTest {
 protected:
  Inputs() {
    spec::Interface makes;
    makes.output_parameters = {parameter("n", ParameterType::integer), parameter("s", ParameterType::structure)};
    makes.output_artifacts = {artifact("data", "system.Dataset"), artifact("remote", "system.Dataset")};
    pipeline.task("make").component(pipeline.component(makes));
    TaskData outputs;
    outputs.parameters["n"] = Value(3);
    outputs.parameters["s"] = Value(Value::Struct{{"lr", Value(0.5)}});
    outputs.artifacts["data"] = Artifact{.name = "data", .type = "system.Dataset", .uri = "/root/make/data/data"};
    outputs.artifacts["remote"] = Artifact{.name = "remote", .type = "system.Dataset", .uri = "gs://bucket/remote"};
    script("make", {succeeds(outputs)});

    takes_.input_parameters = {parameter("text", ParameterType::string), parameter("number", ParameterType::floating),
                               parameter("defaulted", ParameterType::integer, Value(9))};
    takes_.input_artifacts = {artifact("file"), artifact("maybe_file")};
    takes_.input_artifacts[1].optional = true;
    options.run_root = "/root/runs/run-1";
    options.on_failure = FailurePolicy::keep_going;
  }

  test::PipelineBuilder::Task take() { return pipeline.task("take").component(pipeline.component(takes_)); }

  Value text_of(std::string_view source) {
    take().argument("text", text_template(source)).after("make");
    EXPECT_EQ(go(), RunState::succeeded) << reason("take");
    return given().parameters["text"];
  }
  std::string failure_of(const std::string& input, spec::Binding binding) {
    take().argument(input, std::move(binding)).after("make");
    EXPECT_EQ(go(), RunState::failed);
    EXPECT_EQ(states("take"), "ready failed");
    EXPECT_EQ(run->attempt(id("take")), 0);
    return reason("take");
  }
  TaskData given() { return runner.started.back().inputs; }

  spec::Interface takes_;
};

TEST_F(Inputs, AConstantIsGivenAsTheInputsType) {
  take().argument("number", Value(2)).argument("text", Value(true));
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_TRUE(given().parameters["number"].is_double());
  EXPECT_EQ(given().parameters["text"], Value("true"));
}

TEST_F(Inputs, WhatIsOptionalAndNotThereIsNullInExpressions) {
  pipeline.parameter({.name = "note", .type = ParameterType::string, .optional = true});
  spec::Interface makes;
  makes.output_parameters = {parameter("maybe", ParameterType::integer)};
  makes.output_parameters[0].optional = true;
  makes.output_artifacts = {artifact("maybe_data")};
  makes.output_artifacts[0].optional = true;
  pipeline.task("some").component(pipeline.component(makes));
  takes_.input_parameters.push_back({.name = "number2", .type = ParameterType::integer, .optional = true});
  take()
      .argument("text", text_template("a ${{ parameters.note }}b ${{ tasks.some.outputs.maybe == null }}"))
      .argument("number", text_template("${{ tasks.some.outputs.maybe_data.path == null ? 1.5 : 2.5 }}"))
      .argument("number2", text_template("${{ parameters.note != null ? 1 : null }}"))
      .when("parameters.note == null")
      .after("some");
  EXPECT_EQ(go(), RunState::succeeded) << reason("take");
  EXPECT_EQ(given().parameters["text"], Value("a b true"));
  EXPECT_EQ(given().parameters["number"], Value(1.5));
  EXPECT_FALSE(given().parameters.contains("number2"));
}

TEST_F(Inputs, ANullForAnInputThatMustBeGivenFailsTheTask) {
  EXPECT_EQ(failure_of("text", text_template("${{ 1 > 2 ? 'a' : null }}")),
            "input 'text': ${{ 1 > 2 ? 'a' : null }} gives null");
}

TEST_F(Inputs, APipelineParameterIsGiven) {
  pipeline.parameter(parameter("p", ParameterType::integer, Value(5)));
  take().argument("number", spec::PipelineInput{"p"});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(given().parameters["number"], Value(5.0));
}

TEST_F(Inputs, AnOutputParameterIsGiven) {
  take().argument("number", spec::TaskOutput{"make", "n"});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(given().parameters["number"], Value(3.0));
}

TEST_F(Inputs, AnOutputArtifactIsGivenWhole) {
  take().argument("file", spec::TaskOutput{"make", "data"});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(given().artifacts["file"], run->outputs(id("make"))->artifacts.at("data"));
  EXPECT_EQ(record.inputs[id("take")].artifacts, given().artifacts);
}

TEST_F(Inputs, ComponentDefaultsAreNotFilledInButRecorded) {
  take().argument("number", Value(2));
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_FALSE(given().parameters.contains("defaulted"));
  const TaskData& recorded = record.inputs[id("take")];
  EXPECT_EQ(recorded.parameters.at("defaulted"), Value(9));
  EXPECT_EQ(recorded.parameters.at("number"), Value(2.0));
  EXPECT_THAT(recorded.defaults, testing::ElementsAre("defaulted"));
}

TEST_F(Inputs, AnInputThatIsGivenIsNotRecordedAsADefault) {
  take().argument("defaulted", Value(9));
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(record.inputs[id("take")].parameters.at("defaulted"), Value(9));
  EXPECT_TRUE(record.inputs[id("take")].defaults.empty());
}

TEST_F(Inputs, ATemplateMayNameParameters) {
  pipeline.parameter(parameter("p", ParameterType::structure, Value(Value::Struct{{"deep", Value(1)}})));
  EXPECT_EQ(text_of("p=${{ parameters.p.deep }}"), Value("p=1"));
}
TEST_F(Inputs, ATemplateMayNameOutputParameters) {
  EXPECT_EQ(text_of("n=${{ tasks.make.outputs.n + 1 }}"), Value("n=4"));
}
TEST_F(Inputs, ATemplateMayNameMembersOfAStruct) { EXPECT_EQ(text_of("${{ tasks.make.outputs.s.lr }}"), Value("0.5")); }
TEST_F(Inputs, ATemplateMayNameAnArtifactsUri) {
  EXPECT_EQ(text_of("${{ tasks.make.outputs.remote.uri }}"), Value("gs://bucket/remote"));
}
TEST_F(Inputs, ATemplateMayNameAnArtifactsPath) {
  EXPECT_EQ(text_of("at ${{ tasks.make.outputs.data.path }}"), Value("at /root/make/data/data"));
}
TEST_F(Inputs, ATemplateMayNameTheRun) {
  EXPECT_EQ(text_of("${{ run.id }} in ${{ run.root }}"), Value("run-1 in /root/runs/run-1"));
}

TEST_F(Inputs, ATemplateThatIsOneExpressionKeepsItsType) {
  take().argument("number", text_template("${{ tasks.make.outputs.n * 2 }}"));
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(given().parameters["number"], Value(6.0));
}

TEST_F(Inputs, AnArtifactInATemplateNeedsUriOrPath) {
  EXPECT_THAT(failure_of("text", text_template("x${{ tasks.make.outputs.data }}")),
              HasSubstr("tasks.make.outputs.data is an artifact: say .uri or .path after it"));
}
TEST_F(Inputs, ARemoteArtifactHasNoPath) {
  EXPECT_THAT(failure_of("text", text_template("x${{ tasks.make.outputs.remote.path }}")),
              HasSubstr("tasks.make.outputs.remote.path is not a file on this machine: gs://bucket/remote"));
}
TEST_F(Inputs, AnUnknownRootIsAFailure) {
  EXPECT_THAT(failure_of("text", text_template("x${{ item }}")), HasSubstr("item: nothing of that name exists here"));
}
TEST_F(Inputs, AnUnknownPartOfTheRunIsAFailure) {
  EXPECT_THAT(failure_of("text", text_template("x${{ run.name }}")),
              HasSubstr("run.name: of the run there are run.id and run.root"));
}
TEST_F(Inputs, AParameterHasNoUri) {
  EXPECT_THAT(failure_of("text", text_template("${{ tasks.make.outputs.n.uri }}")),
              HasSubstr("tasks.make.outputs.n.uri: 'n' is a parameter, not an artifact"));
}
TEST_F(Inputs, AMissingMemberIsAFailure) {
  EXPECT_THAT(failure_of("text", text_template("${{ tasks.make.outputs.s.momentum }}")),
              HasSubstr("no such key 'momentum'"));
}
TEST_F(Inputs, AValueOfTheWrongTypeIsAFailure) {
  EXPECT_THAT(failure_of("number", Value("fast")), HasSubstr("input 'number': "));
}
TEST_F(Inputs, AnOutputThatWasNotGivenIsAFailure) {
  EXPECT_EQ(failure_of("number", spec::TaskOutput{"make", "m"}),
            "input 'number': task 'make' succeeded, but gave no output 'm'");
}
TEST_F(Inputs, AnArtifactForAParameterIsAFailure) {
  EXPECT_EQ(failure_of("text", spec::TaskOutput{"make", "data"}),
            "input 'text': it takes a value, but artifact '/root/make/data/data' is given");
}
TEST_F(Inputs, AParameterForAnArtifactIsAFailure) {
  EXPECT_EQ(failure_of("file", spec::TaskOutput{"make", "n"}),
            "input 'file': it is an artifact, but a value is given: 3");
}
TEST_F(Inputs, AnInputTheComponentDoesNotHaveIsAFailure) {
  EXPECT_EQ(failure_of("nowhere", Value(1)), "input 'nowhere': the component has no such input");
}
TEST_F(Inputs, AnAbsentParameterOfThePipelineIsAFailure) {
  spec::ParameterSpec absent = parameter("p", ParameterType::integer);
  absent.optional = true;
  pipeline.parameter(absent);
  EXPECT_EQ(failure_of("number", spec::PipelineInput{"p"}),
            "input 'number': the pipeline's parameter 'p' was not given");
}

TEST_F(Inputs, WhatIsAbsentIsLeftOutWhereTheComponentDoesWithout) {
  spec::ParameterSpec absent = parameter("p", ParameterType::integer);
  absent.optional = true;
  pipeline.parameter(absent);
  take()
      .argument("defaulted", spec::PipelineInput{"p"})
      .argument("maybe_file", spec::TaskOutput{"make", "nothing"})
      .argument("number", Value(1));
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(given().parameters.size(), 1u);
  EXPECT_THAT(given().artifacts, IsEmpty());
}

TEST_F(Inputs, OfAFailedTaskAreLeftOutForTasksThatRunWhateverHappens) {
  script("make", {fails()});
  take().argument("defaulted", spec::TaskOutput{"make", "n"}).all_completed();
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(state("take"), TaskState::succeeded);
  EXPECT_EQ(given(), TaskData{});
}

TEST_F(Inputs, OfAFailedTaskThatAreIndispensableFailSuchATask) {
  script("make", {fails()});
  take().argument("number", spec::TaskOutput{"make", "n"}).all_completed();
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(reason("take"), "input 'number': output 'n' of task 'make' does not exist: the task is failed");
}

TEST_F(Inputs, AFailureToResolveSkipsDependants) {
  take().argument("number", Value("fast"));
  pipeline.task("below").after("take");
  EXPECT_EQ(go(), RunState::failed);
  EXPECT_EQ(reason("below"), "'take' failed");
}

}  // namespace
}  // namespace mlpipe::engine
