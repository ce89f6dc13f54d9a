#include "mlpipe/runner/images.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_container_engine.hpp"
#include "support/spec_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

spec::ComponentSpec image_component(const std::string& name, const std::string& image) {
  spec::ComponentSpec component;
  component.name = name;
  component.implementation = spec::ContainerSpec{.image = spec::Template::literal(image)};
  return component;
}

spec::ComponentSpec built_component(const std::string& name, const std::filesystem::path& context) {
  spec::ComponentSpec component;
  component.name = name;
  component.implementation = spec::ContainerSpec{.build_context = context};
  return component;
}

class ImagesTest : public ::testing::Test {
 protected:
  ImagesTest() { engine_.images["there:1"] = Image{.id = "sha256:there"}; }

  spec::ComponentId add(spec::ComponentSpec component) { return pipeline_.component(std::move(component)); }

  Result<PreparedImages> prepare() {
    if (spec_.components.empty()) spec_ = pipeline_.build();
    plan_ = plan::make_plan(spec_, {}).value();
    return prepare_images(
        plan_, engine_, [this](std::string_view line) { lines_.emplace_back(line); }, stop_);
  }

  Result<PreparedImages> restore(const std::map<std::string, PinnedImage>& pins) {
    if (spec_.components.empty()) spec_ = pipeline_.build();
    plan_ = plan::make_plan(spec_, {}).value();
    return restore_images(
        plan_, pins, engine_, [](std::string_view) {}, stop_);
  }

  test::FakeContainerEngine engine_;
  test::PipelineBuilder pipeline_;
  spec::PipelineSpec spec_;
  plan::Plan plan_;
  sys::StopSignal stop_;
  std::vector<std::string> lines_;
};

TEST_F(ImagesTest, AnImageThatIsThereIsNotPulled) {
  pipeline_.task("a").component(add(image_component("c", "there:1")));
  Result<PreparedImages> images = prepare();
  ASSERT_TRUE(images) << images.error().message;
  EXPECT_EQ(images->by_key.at("there:1").id, "sha256:there");
  EXPECT_THAT(engine_.pulled, IsEmpty());
}

TEST_F(ImagesTest, AMissingImageIsPulledOnceForAllTasks) {
  spec::ComponentId id = add(image_component("c", "far:1"));
  pipeline_.task("a").component(id);
  pipeline_.task("b").component(id);
  ASSERT_TRUE(prepare());
  EXPECT_THAT(engine_.pulled, ElementsAre("far:1"));
}

// A component that leaves it to its input `image` which image it is.
spec::ComponentSpec choosing_component(std::optional<Value> default_image = std::nullopt) {
  spec::ComponentSpec component = image_component("chooses", "");
  std::get<spec::ContainerSpec>(component.implementation).image = test::text_template("${{ inputs.image }}:1");
  component.interface.input_parameters = {test::parameter("image", spec::ParameterType::string)};
  component.interface.input_parameters.front().default_value = std::move(default_image);
  return component;
}

TEST_F(ImagesTest, AnImageThatAnArgumentNamesIsKnownBeforehand) {
  const spec::ComponentId chooses = add(choosing_component(Value("there")));
  pipeline_.parameter(test::parameter("p", spec::ParameterType::string, Value("pulled")));
  pipeline_.task("constant").component(chooses).argument("image", Value("there"));
  pipeline_.task("parameter").component(chooses).argument("image", spec::PipelineInput{"p"});
  pipeline_.task("of_default").component(chooses);
  Result<PreparedImages> images = prepare();
  ASSERT_TRUE(images.has_value()) << images.error().message;
  EXPECT_EQ(images->by_key.size(), 2U);
  EXPECT_EQ(images->by_key.at("there:1").id, "sha256:there");
  EXPECT_THAT(engine_.pulled, ElementsAre("pulled:1"));
  EXPECT_EQ(images->named.at(*plan_.find("constant")), "there:1");
  EXPECT_EQ(images->named.at(*plan_.find("parameter")), "pulled:1");
  EXPECT_EQ(images->named.at(*plan_.find("of_default")), "there:1");
}

TEST_F(ImagesTest, AnImageThatAnotherTaskNamesIsLeftToTheAttempt) {
  spec::Interface gives;
  gives.output_parameters = {test::parameter("image", spec::ParameterType::string)};
  pipeline_.task("choose").component(pipeline_.component(gives));
  pipeline_.task("chosen").component(add(choosing_component())).argument("image", spec::TaskOutput{"choose", "image"});
  Result<PreparedImages> images = prepare();
  ASSERT_TRUE(images.has_value()) << images.error().message;
  EXPECT_FALSE(images->named.contains(*plan_.find("chosen")));
}

TEST_F(ImagesTest, AllThatFailAreToldOfTogether) {
  engine_.pull_errors["no:1"] = {ErrorCode::not_found, "no:1: no such image", "check the name"};
  engine_.pull_errors["no:2"] = {ErrorCode::permission, "no:2: denied", ""};
  pipeline_.task("a").component(add(image_component("c", "no:1")));
  pipeline_.task("b").component(add(image_component("d", "no:2")));
  Result<PreparedImages> images = prepare();
  ASSERT_FALSE(images);
  EXPECT_THAT(images.error().message, HasSubstr("no:1: no such image"));
  EXPECT_THAT(images.error().message, HasSubstr("no:2: denied"));
}

TEST_F(ImagesTest, WhoNeedsItAndWhatIsNearAreTold) {
  engine_.images["mlpipe/python-ml:bookworm"] = Image{.id = "sha256:ml"};
  engine_.images["mlpipe/python-mx:0123456789ab"] = Image{.id = "sha256:built"};
  engine_.pull_errors["mlpipe/python-mx:bookwrm"] = {ErrorCode::not_found, "pulling it: denied", "check the name"};
  engine_.pull_errors["docker.io/python-ml"] = {ErrorCode::permission, "pulling it: denied", ""};
  engine_.pull_errors["far:1"] = {ErrorCode::permission, "pulling it: denied", ""};
  spec::ComponentSpec placed = image_component("c", "mlpipe/python-mx:bookwrm");
  std::get<spec::ContainerSpec>(placed.implementation).image_where = {.line = 3, .column = 9, .file = 0};
  const spec::ComponentId id = add(std::move(placed));
  for (const char* task : {"a", "b", "c", "d", "e"}) pipeline_.task(task).component(id);
  pipeline_.task("f").component(add(image_component("d", "docker.io/python-ml")));
  pipeline_.task("g").component(add(image_component("e", "far:1")));
  spec_ = pipeline_.build();
  spec_.sources = {{.name = "p.yaml", .text = ""}};
  Result<PreparedImages> images = prepare();
  ASSERT_FALSE(images);
  EXPECT_EQ(images.error().message + "\n" + images.error().hint,
            "task f: pulling it: denied\n  hint: did you mean mlpipe/python-ml:bookworm, which is here?\n"
            "task g: pulling it: denied\n"
            "p.yaml:3:9: tasks a, b, c and 2 more: pulling it: denied\n"
            "did you mean mlpipe/python-ml:bookworm, which is here? Else check the name");
}

TEST_F(ImagesTest, ABuildIsTaggedByItsContentAndNotRepeated) {
  test::TempDir folder;
  folder.write("Dockerfile", "FROM there:1\nCOPY code.py /\n");
  folder.write("code.py", "print(1)\n");
  pipeline_.task("a").component(add(built_component("My Component", folder.path())));
  ASSERT_TRUE(prepare());
  ASSERT_EQ(engine_.built.size(), 1U);
  EXPECT_THAT(engine_.built.front(), HasSubstr("mlpipe/my-component:"));
  ASSERT_TRUE(prepare());
  EXPECT_EQ(engine_.built.size(), 1U);
  folder.write("code.py", "print(2)\n");
  ASSERT_TRUE(prepare());
  EXPECT_EQ(engine_.built.size(), 2U);
}

TEST_F(ImagesTest, ANewBaseImageMeansANewBuild) {
  test::TempDir folder;
  folder.write("Dockerfile", "FROM --platform=linux/amd64 there:1 AS base\n");
  pipeline_.task("a").component(add(built_component("c", folder.path())));
  ASSERT_TRUE(prepare());
  engine_.images["there:1"].id = "sha256:newer";
  ASSERT_TRUE(prepare());
  EXPECT_EQ(engine_.built.size(), 2U);
}

TEST_F(ImagesTest, ImagesAreRestoredByTheirIds) {
  engine_.images["sha256:old"] = Image{.id = "sha256:old"};
  pipeline_.task("a").component(add(image_component("c", "there:1")));
  pipeline_.task("b").component(add(image_component("d", "other:1")));
  Result<PreparedImages> images = restore({{"there:1", {.id = "sha256:old", .digest = "there@sha256:d1"}}});
  ASSERT_TRUE(images) << images.error().message;
  ASSERT_EQ(images->by_key.size(), 1U);
  EXPECT_EQ(images->by_key.at("there:1").id, "sha256:old");
  EXPECT_EQ(images->by_key.at("there:1").digest, "there@sha256:d1");
  EXPECT_EQ(images->tags.at("there:1"), "there:1");
  EXPECT_THAT(engine_.pulled, IsEmpty());
}

TEST_F(ImagesTest, AnImageThatIsGoneIsPulledByItsDigest) {
  pipeline_.task("a").component(add(image_component("c", "far:1")));
  Result<PreparedImages> images = restore({{"far:1", {.id = "sha256:far@sha256:d1", .digest = "far@sha256:d1"}}});
  ASSERT_TRUE(images) << images.error().message;
  EXPECT_THAT(engine_.pulled, ElementsAre("far@sha256:d1"));
  EXPECT_EQ(images->by_key.at("far:1").id, "sha256:far@sha256:d1");
}

TEST_F(ImagesTest, AnotherImageThanTheOneThatIsGoneIsRefused) {
  pipeline_.task("a").component(add(image_component("c", "far:1")));
  pipeline_.task("b").component(add(image_component("d", "local:1")));
  Result<PreparedImages> images = restore({{"far:1", {.id = "sha256:before", .digest = "far@sha256:d1"}},
                                           {"local:1", {.id = "sha256:local", .digest = ""}}});
  ASSERT_FALSE(images);
  EXPECT_THAT(
      images.error().message,
      HasSubstr("image far:1 as the run had it (sha256:before) is gone, and pulling far@sha256:d1 gives another one"));
  EXPECT_THAT(images.error().message,
              HasSubstr("image local:1 as the run had it (sha256:local) is gone, and it came from no registry"));
}

TEST_F(ImagesTest, ABuiltImageThatIsGoneIsBuiltAnewAndMustComeOutTheSame) {
  test::TempDir folder;
  folder.write("Dockerfile", "FROM there:1\n");
  pipeline_.task("a").component(add(built_component("c", folder.path())));
  const std::string key = folder.path().string();
  ASSERT_TRUE(prepare());
  const std::string tag = engine_.built.front();
  engine_.images.erase(tag);
  ASSERT_TRUE(restore({{key, {.id = "sha256:" + tag, .digest = ""}}}));
  EXPECT_EQ(engine_.built.size(), 2U);
  Result<PreparedImages> other = restore({{key, {.id = "sha256:other", .digest = ""}}});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("building it anew from " + key + " gives another one"));
}

TEST_F(ImagesTest, AnInterruptEndsThePreparation) {
  pipeline_.task("a").component(add(image_component("c", "far:1")));
  stop_.request(sys::StopSignal::Level::graceful);
  Result<PreparedImages> images = prepare();
  ASSERT_FALSE(images);
  EXPECT_EQ(images.error().code, ErrorCode::cancelled);
}

TEST_F(ImagesTest, FindingTakesWhatIsThereAndChangesNothing) {
  test::TempDir folder;
  folder.write("Dockerfile", "FROM there:1\n");
  const std::string context = folder.path().string();
  pipeline_.task("a").component(add(image_component("c", "there:1")));
  pipeline_.task("b").component(add(image_component("c", "gone:1")));
  pipeline_.task("c").component(add(built_component("built", folder.path())));
  spec_ = pipeline_.build();
  plan_ = plan::make_plan(spec_, {}).value();
  const FoundImages before = find_images(plan_, &engine_);
  EXPECT_EQ(before.by_key.at("there:1").id, "sha256:there");
  EXPECT_EQ(before.absent.at("gone:1"), "its image is not here yet");
  EXPECT_EQ(before.absent.at(context), "its image is not built yet");
  EXPECT_THAT(engine_.pulled, IsEmpty());
  EXPECT_THAT(engine_.built, IsEmpty());

  const PreparedImages prepared = prepare().value();
  EXPECT_EQ(find_images(plan_, &engine_).by_key.at(context).id, prepared.by_key.at(context).id);
  EXPECT_EQ(find_images(plan_, nullptr).absent.size(), 3u);
  folder.write("Dockerfile", "FROM there:1\nRUN true\n");
  EXPECT_THAT(find_images(plan_, &engine_).absent.at(context), HasSubstr("is to be built anew"));
}

TEST_F(ImagesTest, SourcesSayWithoutThePlanWhichImagesThereAre) {
  test::TempDir folder;
  folder.write("Dockerfile", "FROM there:1\n");
  pipeline_.task("a").component(add(image_component("c", "there:1")));
  pipeline_.task("b").component(add(built_component("built", folder.path())));
  const PreparedImages prepared = prepare().value();
  const std::vector<ImageSource> sources = image_sources(plan_).value();
  ASSERT_EQ(sources.size(), 2u);
  for (const ImageSource& source : sources) {
    EXPECT_EQ(find_image(source, engine_).value().id, prepared.by_key.at(source.key).id) << source.key;
    EXPECT_FALSE(source.is_pulled_anew);
  }
  folder.write("Dockerfile", "FROM there:1\nRUN true\n");
  EXPECT_EQ(find_image({.key = folder.path().string(), .component = "built"}, engine_).error().code,
            ErrorCode::not_found);
}

TEST_F(ImagesTest, ThereAreNoSourcesWhenAnImageHangsOnWhatATaskGives) {
  spec::ComponentSpec component = image_component("c", "");
  component.implementation = spec::ContainerSpec{.image = test::text_template("${{ inputs.image }}")};
  component.interface.input_parameters.push_back({.name = "image"});
  pipeline_.task("a").component(add(image_component("d", "there:1")));
  pipeline_.task("b").component(add(std::move(component))).argument("image", spec::TaskOutput{"a", "o"});
  spec_ = pipeline_.build();
  plan_ = plan::make_plan(spec_, {}).value();
  EXPECT_FALSE(image_sources(plan_));
}

TEST_F(ImagesTest, FindingTellsWhatWouldBePulledAnew) {
  pipeline_.task("a").component(add(image_component("c", "there:1")));
  spec_ = pipeline_.build();
  auto& task = std::get<spec::DagSpec>(spec_.components[0].implementation).tasks[0];
  task.settings = std::make_shared<spec::TaskSettings>(spec::TaskSettings{.pull = spec::PullPolicy::always});
  plan_ = plan::make_plan(spec_, {}).value();
  EXPECT_TRUE(find_images(plan_, &engine_).pulled_anew.contains("there:1"));
  EXPECT_THAT(engine_.pulled, IsEmpty());
}

}  // namespace
}  // namespace mlpipe::runner
