#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/scribes.hpp"
#include "support/temp_dir.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

using mlpipe::test::slurp;
using mlpipe::test::TempDir;
using ::testing::HasSubstr;

TEST(GithubReport, AnnotatesFailuresAndGroupsTheirLogs) {
  TempDir folder;
  folder.write("0-1.log", "fine\n::set-output name=x::y\n##[error]no\n");
  Stage stage;
  stage.logs = folder.path();
  FakeRun run(stage.clock, {{"train,a:b", 1}});
  auto scribe = make_github_scribe(stage.options(), {.step_summary = {}, .on_error = {}, .stop_token = "TOKEN"});
  run.start(*scribe);
  run.begin("train,a:b");
  AttemptResult result = exit_code(1);
  result.message = "100% wrong";
  result.hint = "mend it";
  run.run_to("train,a:b", TaskState::failed, 1, result);
  EXPECT_EQ(stage.take(), "");
  run.finish(engine::RunState::failed);
  EXPECT_EQ(stage.take(),
            "::error title=task train%2Ca%3Ab failed,file=pipeline.yaml,line=10::100%25 wrong%0Amend it\n"
            "::group::train,a:b: the end of its log\n"
            "::stop-commands::TOKEN\n"
            "fine\n"
            "::set-output name=x::y\n"
            "##[error]no\n"
            "::TOKEN::\n"
            "::endgroup::\n");
}

TEST(GithubReport, MakesATokenThatALogCannotGuess) {
  TempDir folder;
  folder.write("0-1.log", "text\n");
  Stage stage;
  stage.logs = folder.path();
  std::string first;
  for (int i = 0; i < 2; ++i) {
    FakeRun run(stage.clock, {{"a", 1}});
    auto scribe = make_github_scribe(stage.options(), {});
    run.start(*scribe);
    run.begin("a");
    run.run_to("a", TaskState::failed, 1, exit_code(1));
    run.finish(engine::RunState::failed);
    const std::string text = stage.take();
    const std::size_t at = text.find("::stop-commands::") + 17;
    const std::string token = text.substr(at, text.find('\n', at) - at);
    EXPECT_EQ(token.size(), 32U);
    EXPECT_THAT(text, HasSubstr("\n::" + token + "::\n"));
    EXPECT_NE(token, first);
    first = token;
  }
}

TEST(GithubReport, AppendsATableToTheStepSummary) {
  TempDir folder;
  const auto file = folder.write("summary.md", "before\n");
  Stage stage;
  FakeRun run(stage.clock, {{"good_one", 1}, {"bad", 1}, {"after", 1}});
  auto scribe = make_github_scribe(stage.options(), {.step_summary = file, .on_error = {}, .stop_token = {}});
  run.start(*scribe);
  run.begin("good_one");
  stage.clock.advance(milliseconds{1500});
  run.run_to("good_one", TaskState::succeeded, 1, success());
  run.begin("bad");
  AttemptResult result = exit_code(1);
  result.message = "a | b\n<script>";
  run.run_to("bad", TaskState::failed, 1, result);
  run.to("after", TaskState::skipped, 0, "bad failed");
  run.finish(engine::RunState::failed);
  EXPECT_EQ(slurp(file),
            "before\n"
            "### numbers: failed after 1.5 s \\(1 succeeded, 1 failed, 1 skipped\\)\n"
            "\n"
            "Run `numbers-1`\n"
            "\n"
            "| Task | State | Duration | Attempts | |\n"
            "| --- | --- | ---: | ---: | --- |\n"
            "| bad | failed | 0 ms | 1 | a \\| b\\\\x0a&lt;script> |\n"
            "| good\\_one | succeeded | 1.5 s | 1 |  |\n"
            "| after | skipped |  | 0 | bad failed |\n"
            "\n");
}

TEST(GithubReport, SaysWhenTheSummaryCannotBeWritten) {
  Stage stage;
  std::vector<Error> errors;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_github_scribe(stage.options(), {.step_summary = "/nonexistent/summary.md",
                                                     .on_error = [&](const Error& error) { errors.push_back(error); },
                                                     .stop_token = {}});
  run.start(*scribe);
  run.finish(engine::RunState::succeeded);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0].message, HasSubstr("/nonexistent/summary.md: No such file or directory"));
}

}  // namespace
}  // namespace mlpipe::report::test
