#include "app/preflight.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mlpipe/plan/selection.hpp"
#include "mlpipe/spec/reader.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Preflight : public testing::Test {
 protected:
  const spec::PipelineSpec& spec(const std::string& tasks) {
    spec::ReadPipeline read =
        spec::read_pipeline_text("name: p\ndefaults: {}\ntasks:\n" + tasks, "p.yaml", folder_.path(), {});
    EXPECT_TRUE(read.spec) << spec::render(read.diagnostics, read.sources);
    spec_ = read.spec ? *std::move(read.spec) : spec::PipelineSpec{};
    return spec_;
  }
  Error refused(const std::string& tasks, const std::string& only = "") {
    Result<plan::Plan> plan = plan::make_plan(spec(tasks), {});
    EXPECT_TRUE(plan);
    if (!only.empty()) {
      EXPECT_TRUE(plan::select(*plan, {.from = {}, .until = {}, .only = {only}}));
    }
    Result<> found = preflight(*plan);
    return found ? Error{} : found.error();
  }

  test::TempDir folder_;
  spec::PipelineSpec spec_;
};

TEST_F(Preflight, AnImportThatIsNotThereIsTheUsersMistakeWithItsPlace) {
  Error error = refused("  raw: {import: {uri: table.csv}}\n");
  EXPECT_EQ(error.code, ErrorCode::invalid_input);
  EXPECT_EQ(error.message, "p.yaml:4:3: task raw: import: nothing is at " + (folder_.path() / "table.csv").string());
  EXPECT_EQ(error.hint, "a relative path is taken from the folder of the pipeline file");
}

TEST_F(Preflight, ATaskWhoseResultIsGivenTakesNothing) {
  Result<plan::Plan> plan = plan::make_plan(spec("  raw: {import: {uri: table.csv}}\n"), {});
  ASSERT_TRUE(plan);
  EXPECT_FALSE(preflight(*plan));
  EXPECT_TRUE(preflight(*plan, {{plan::TaskId{0}, {}}}));
}

TEST_F(Preflight, FilesAndFoldersAreFine) {
  folder_.write("data/table.csv", "1");
  EXPECT_EQ(refused("  a: {import: {uri: data/table.csv}}\n  b: {import: {uri: data/}}\n").message, "");
  EXPECT_TRUE(warn_of_imports(spec_).empty());
}

TEST_F(Preflight, WhatIsNeitherFileNorFolderIsNamed) {
  ASSERT_EQ(::mkfifo((folder_.path() / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("nowhere", folder_.path() / "link");
  Error error = refused("  a: {import: {uri: pipe}}\n  b: {import: {uri: /dev/null}}\n  c: {import: {uri: link}}\n");
  EXPECT_THAT(error.message, HasSubstr("pipe is a FIFO, not a file or folder\n"));
  EXPECT_THAT(error.message, HasSubstr("/dev/null is a device, not a file or folder\n"));
  EXPECT_THAT(error.message, HasSubstr("link leads nowhere"));
  EXPECT_EQ(error.hint, "");
}

TEST_F(Preflight, WhatCannotBeReadSaysSo) {
  ASSERT_EQ(::chmod(folder_.write("closed", "x").c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  const test::Unprivileged nobody;  // root may read everything
  EXPECT_THAT(refused("  a: {import: {uri: closed}}\n").message, HasSubstr("closed: Permission denied"));
}

TEST_F(Preflight, ImportsThatMayNotRunOrRunLaterAreLeftToTheRun) {
  const std::string tasks =
      "  first: {image: x}\n"
      "  when: {import: {uri: none}, when: \"${{ 1 > 2 }}\"}\n"
      "  after: {import: {uri: none}, after: first}\n"
      "  computed: {import: {uri: \"none-${{ run.id }}\"}}\n";
  EXPECT_EQ(refused(tasks).message, "");
  EXPECT_TRUE(warn_of_imports(spec_).empty());
}

TEST_F(Preflight, PathsMadeOfParametersAreLookedAt) {
  folder_.write("here", "x");
  const auto plan_of = [&](Value::Struct arguments) {
    spec::ReadPipeline read = spec::read_pipeline_text(
        "name: p\nparameters: {u: gone, v: here}\ntasks:\n"
        "  a: {import: {uri: \"${{ parameters.u }}\"}}\n"
        "  b: {import: {uri: \"${{ parameters.v }}\"}}\n"
        "  c: {import: {uri: \"./${{ parameters.v }}\"}}\n",
        "p.yaml", folder_.path(), {});
    spec_ = std::move(read.spec).value();
    return plan::make_plan(spec_, std::move(arguments)).value();
  };
  const Result<> found = preflight(plan_of({{"u", "none"}}), {}, {"u"});
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message,
              ::testing::EndsWith(":4:3: task a: import: nothing is at " + (folder_.path() / "none").string() +
                                  " (made of parameter \"u\", given with -p)"));
  const Result<> with_default = preflight(plan_of({}));
  ASSERT_FALSE(with_default);
  EXPECT_THAT(with_default.error().message, ::testing::EndsWith((folder_.path() / "gone").string()));
  EXPECT_EQ(warn_of_imports(spec_).size(), 1U);
  EXPECT_TRUE(preflight(plan_of({{"u", "here"}})));
  const Result<> cloud = preflight(plan_of({{"u", "gs://bucket/x"}}));
  ASSERT_FALSE(cloud);
  EXPECT_THAT(cloud.error().message, HasSubstr("gs://bucket/x is no path"));
}

TEST_F(Preflight, OnlySelectedTasksCount) {
  const std::string tasks = "  a: {import: {uri: none}}\n  b: {image: x, secrets: [MLTEST_ABSENT]}\n  c: {image: x}\n";
  EXPECT_EQ(refused(tasks, "c").message, "");
  EXPECT_THAT(refused(tasks, "a").message, Not(HasSubstr("secret")));
  EXPECT_EQ(warn_of_imports(spec_).size(), 1U);
}

TEST_F(Preflight, SecretsAloneAreAMatterOfTheEnvironment) {
  Error error = refused("  a: {image: x, secrets: {MLTEST_ABSENT: {env: MLTEST_ABSENT}, F: {file: none}}}\n");
  EXPECT_EQ(error.code, ErrorCode::permission);
  EXPECT_EQ(error.message,
            "task a: secret \"MLTEST_ABSENT\": the environment variable MLTEST_ABSENT is not set\n"
            "task a: secret \"F\": no file at " +
                (folder_.path() / "none").string());
  EXPECT_EQ(error.hint, "set secrets where mlpipe runs");
}

TEST_F(Preflight, AllMistakesAreToldAtOnce) {
  Error error =
      refused("  s: {image: x, secrets: [MLTEST_ABSENT]}\n  a: {import: {uri: none}}\n  b: {import: {uri: gone}}\n");
  EXPECT_EQ(error.code, ErrorCode::invalid_input);
  EXPECT_THAT(error.message, HasSubstr("task a: import: nothing"));
  EXPECT_THAT(error.message, HasSubstr("task b: import: nothing"));
  EXPECT_THAT(error.message, HasSubstr("task s: secret"));
  EXPECT_EQ(error.hint, "a relative path is taken from the folder of the pipeline file; set secrets where mlpipe runs");
}

TEST_F(Preflight, ThousandsOfMistakesAreCounted) {
  std::string tasks;
  for (int i = 0; i < 120; ++i) tasks += "  t" + std::to_string(i) + ": {import: {uri: none}}\n";
  EXPECT_THAT(refused(tasks).message, ::testing::EndsWith("\nand 70 more"));
}

}  // namespace
}  // namespace mlpipe::app
