#include "app/init.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using mlpipe::test::slurp;
using mlpipe::test::TempDir;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Init, WritesAPipelineThatIsValidWithoutAWarning) {
  TempDir folder;
  const Result<std::filesystem::path> file = write_starter(folder.path() / "new" / "folder", "python:3.11-slim");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file, folder.path() / "new" / "folder" / "pipeline.yaml");
  const Result<spec::ReadPipeline> read = spec::read_pipeline(*file, {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(spec::render(read->diagnostics, read->sources), "");
  ASSERT_TRUE(read->spec);
  const Result<plan::Plan> plan = plan::make_plan(*read->spec, {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->size(), 2U);
}

TEST(Init, UsesTheImageThatWasAskedFor) {
  const std::string image = "registry.example.org:5000/team/python@sha256:00ff";
  const std::string text = starter_pipeline(image);
  EXPECT_THAT(text, HasSubstr("    image: " + image + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("@IMAGE@")));
}

TEST(Init, RefusesToOverwrite) {
  TempDir folder;
  folder.write("pipeline.yaml", "mine");
  const Result<std::filesystem::path> file = write_starter(folder.path(), "python:3.11-slim");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::conflict);
  EXPECT_THAT(file.error().message, HasSubstr("pipeline.yaml exists and is left as it is"));
  EXPECT_EQ(slurp(folder.path() / "pipeline.yaml"), "mine");
}

TEST(Init, RefusesToFollowADanglingLink) {
  TempDir folder;
  std::filesystem::create_symlink("/nonexistent/elsewhere", folder.path() / "pipeline.yaml");
  EXPECT_FALSE(write_starter(folder.path(), "python:3.11-slim"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "pipeline.yaml"));
}

TEST(Init, RefusesWhatIsNoImage) {
  TempDir folder;
  for (const char* image : {"", "has space", "x\n  command: [rm]", "\"quoted\"", "a#b", "-flag", "name:", "é"}) {
    const Result<std::filesystem::path> file = write_starter(folder.path(), image);
    ASSERT_FALSE(file) << image;
    EXPECT_EQ(file.error().code, ErrorCode::invalid_input) << image;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Init, SaysWhichFolderCannotBeMade) {
  TempDir folder;
  folder.write("file", "");
  const Result<std::filesystem::path> file = write_starter(folder.path() / "file" / "below", "python:3.11-slim");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("file/below"));
}

}  // namespace
}  // namespace mlpipe::app
