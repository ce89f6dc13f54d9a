#include <gmock/gmock.h>

#include "support/docker_fixture.hpp"

namespace mlpipe {
namespace {

using test::CollectingLog;
using test::DockerFixture;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RealBuild : public DockerFixture {
 protected:
  Result<runner::Image> build(const test::TempDir& context) {
    return engine_->build_image(
        {.context = context.path(), .tag = "mlpipe-test/built"},
        [this](std::string_view line) { lines_.emplace_back(line); }, stop_);
  }
  std::vector<std::string> lines_;
};

TEST_F(RealBuild, SendsWhatDockerignoreLeaves) {
  const test::TempDir context;
  context.write(
      "Dockerfile",
      "FROM mlpipe-test/busybox\nCOPY . /work/\nCMD [\"sh\", \"-c\", \"cd /work; ls -A; ls -A data; cat link\"]\n");
  context.write(".dockerignore", "data/*\n!data/keep.txt\n*.secret\nDockerfile\n.dockerignore\n");
  context.write("a.txt", "content of a\n");
  context.write("b.secret", "no");
  context.write("data/keep.txt", "yes");
  context.write("data/drop.txt", "no");
  std::filesystem::create_symlink("a.txt", context.path() / "link");
  const Result<runner::Image> image = build(context);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_THAT(image->id, StartsWith("sha256:"));
  EXPECT_EQ(image->digest, "");
  EXPECT_FALSE(image->architecture.empty());
  EXPECT_THAT(lines_, Contains(StartsWith("Step 1/3 : FROM")));
  runner::ContainerConfig wanted = config({});
  wanted.image = image->id;
  const test::Outcome outcome = run(wanted);
  EXPECT_EQ(outcome.out, "a.txt\ndata\nlink\nkeep.txt\ncontent of a\n") << outcome.err;
}

TEST_F(RealBuild, AFailingStepGivesItsOutputInTheError) {
  const test::TempDir context;
  context.write("Dockerfile", "FROM mlpipe-test/busybox\nRUN echo the reason is here; exit 4\n");
  const Result<runner::Image> image =
      engine_->build_image({.context = context.path(), .tag = "mlpipe-test/failed", .network = "none"}, {}, stop_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(image.error().message, HasSubstr("the reason is here"));
  EXPECT_THAT(image.error().message, HasSubstr("returned a non-zero code: 4"));
}

TEST_F(RealBuild, ADockerfileThatCannotBeReadIsInvalid) {
  const test::TempDir context;
  context.write("Dockerfile", "FRON scratch\n");
  const Result<runner::Image> image = build(context);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(image.error().message, HasSubstr("FRON"));
}

TEST_F(RealBuild, ALargeContextIsStreamed) {
  const test::TempDir context;
  context.write("Dockerfile", "FROM mlpipe-test/busybox\nCOPY big /big\n");
  context.write("big", std::string(20'000'000, 'x'));
  const Result<runner::Image> image = build(context);
  EXPECT_TRUE(image) << image.error().message;
}

TEST_F(RealBuild, AnImageThatIsNotThereIsNotFound) {
  EXPECT_EQ(engine_->inspect_image("mlpipe-test/nosuch:1").error().code, ErrorCode::not_found);
  const Result<runner::Image> found = engine_->inspect_image(k_image);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, image_);
  EXPECT_EQ(engine_->inspect_image(image_)->id, image_);
}

// Nothing listens on port 1: the pull fails at once, and says what it tried.
TEST_F(RealBuild, ARegistryThatCannotBeReachedIsUnavailable) {
  const Result<runner::Image> image = engine_->pull_image("127.0.0.1:1/mlpipe-test/nosuch:1", {}, stop_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::unavailable);
  EXPECT_THAT(image.error().message, HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(image.error().hint, HasSubstr("network"));
}

}  // namespace
}  // namespace mlpipe
