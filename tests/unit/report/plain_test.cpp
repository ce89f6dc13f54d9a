#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/scribes.hpp"
#include "support/temp_dir.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PlainReport, TellsOneLinePerEvent) {
  Stage stage;
  FakeRun run(stage.clock, {{"make", 1}, {"train", 4}, {"deploy", 1}});
  ReportOptions options = stage.options();
  options.run_folder = "/data/root/runs/numbers-1";
  auto scribe = make_plain_scribe(options);
  run.start(*scribe);
  run.begin("make");
  stage.clock.advance(milliseconds{340});
  run.run_to("make", TaskState::succeeded, 1, success_with_metrics({{"rows", 10}, {"mean", 5.5}}));
  run.begin("train");
  stage.clock.advance(milliseconds{1200});
  run.run_to("train", TaskState::retry_wait, 1, exit_code(3), milliseconds{5000});
  stage.clock.advance(seconds{5});
  run.begin("train", 2);
  stage.clock.advance(seconds{2});
  run.run_to("train", TaskState::succeeded, 2, success());
  run.to("deploy", TaskState::skipped, 0, "its condition is false");
  run.finish(engine::RunState::succeeded);
  EXPECT_EQ(stage.take(),
            "04:05:06 run numbers-1: started: 3 tasks, at most 2 at once; root /data/root\n"
            "04:05:06 make: started\n"
            "04:05:06 make: succeeded in 340 ms: mean=5.5 rows=10\n"
            "04:05:06 train: started\n"
            "04:05:07 train: attempt 1 of 4 failed after 1.2 s: exit code 3; next attempt in 5.0 s\n"
            "04:05:12 train: started (attempt 2 of 4)\n"
            "04:05:14 train: succeeded in 8.2 s (attempt 2 of 4)\n"
            "04:05:14 deploy: skipped: its condition is false\n"
            "04:05:14 run numbers-1: succeeded in 8.5 s (2 succeeded, 1 skipped)\n"
            "  in:  /data/root/runs/numbers-1\n"
            "  see: mlpipe show numbers-1\n");
}

TEST(PlainReport, CountsAttemptsThatWereLostAsMore) {
  Stage stage;
  FakeRun run(stage.clock, {{"train", 2}, {"once", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  AttemptResult lost;
  lost.end = AttemptEnd::lost;
  lost.message = "its container was lost";
  run.begin("train");
  run.run_to("train", TaskState::retry_wait, 1, lost, milliseconds{0});
  run.begin("train", 2);
  run.run_to("train", TaskState::retry_wait, 2, exit_code(3), milliseconds{0});
  run.begin("train", 3);
  run.run_to("train", TaskState::failed, 3, exit_code(3));
  const std::string text = stage.take();
  EXPECT_THAT(text, HasSubstr("train: attempt 1 of 3 failed after 0 ms: its container was lost; next attempt at once"));
  EXPECT_THAT(text, HasSubstr("train: attempt 2 of 3 failed after 0 ms: exit code 3; next attempt at once"));
  EXPECT_THAT(text, HasSubstr("train: failed after 0 ms (attempt 3 of 3): exit code 3"));
  run.begin("once");
  run.run_to("once", TaskState::retry_wait, 1, lost, milliseconds{0});
  run.begin("once", 2);
  EXPECT_THAT(stage.take(), HasSubstr("once: started (attempt 2)\n"));
}

TEST(PlainReport, EndsWithTheTailOfAFailedLog) {
  mlpipe::test::TempDir folder;
  folder.write("0-1.log", "first\nsecond \x1b[31mred\x1b[0m\nbytes \xff\nTraceback: boom\n");
  Stage stage;
  stage.logs = folder.path();
  FakeRun run(stage.clock, {{"train", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  run.begin("train");
  stage.clock.advance(milliseconds{1200});
  AttemptResult result = exit_code(137);
  result.message = "killed for want of memory: its limit is 1.0 GiB";
  result.hint = "raise `resources: {memory: ...}` of the task";
  run.run_to("train", TaskState::failed, 1, result);
  stage.take();
  run.finish(engine::RunState::failed);
  const std::string log = (folder.path() / "0-1.log").string();
  EXPECT_EQ(stage.take(),
            "\n"
            "train failed after 1.2 s: killed for want of memory: its limit is 1.0 GiB\n"
            "  hint: raise `resources: {memory: ...}` of the task\n"
            "  task: pipeline.yaml:10:3\n"
            "  log:  " +
                log +
                "\n"
                "  | first\n"
                "  | second red\n"
                "  | bytes \\xff\n"
                "  | Traceback: boom\n"
                "\n"
                "04:05:07 run numbers-1: failed after 1.2 s (1 failed)\n"
                "  see: mlpipe show numbers-1\n");
}

TEST(PlainReport, NamesALogOnlyWhenThereIsOne) {
  mlpipe::test::TempDir folder;
  folder.write("0-1.log", "boom\n");
  Stage stage;
  stage.logs = folder.path();
  FakeRun run(stage.clock, {{"logged", 1}, {"silent", 2}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  run.begin("logged");
  run.run_to("logged", TaskState::failed, 1, exit_code(3));
  // Its log is named once, in the block at the end.
  EXPECT_THAT(stage.take(), HasSubstr("logged: failed after 0 ms: exit code 3\n"));
  run.begin("silent");
  run.run_to("silent", TaskState::retry_wait, 1, exit_code(3), milliseconds{0});
  EXPECT_THAT(stage.take(), HasSubstr("silent: attempt 1 of 2 failed after 0 ms: exit code 3; next attempt at once\n"));
  run.begin("silent", 2);
  run.run_to("silent", TaskState::failed, 2, exit_code(3));
  EXPECT_THAT(stage.take(), HasSubstr("silent: failed after 0 ms (attempt 2 of 2): exit code 3\n"));
  run.finish(engine::RunState::failed);
  const std::string end = stage.take();
  EXPECT_THAT(end, HasSubstr("  log:  " + (folder.path() / "0-1.log").string() + "\n"));
  EXPECT_THAT(end, HasSubstr("silent failed after 0 ms (attempt 2 of 2): exit code 3\n  task: pipeline.yaml:11:3\n"
                             "  log:  none was written\n"));
}

TEST(PlainReport, SaysNothingOfLogsForATaskThatWritesNone) {
  Stage stage;  // log_path gives nothing, as for an import
  FakeRun run(stage.clock, {{"raw", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  run.begin("raw");
  AttemptResult result = exit_code(0);
  result.end = engine::AttemptEnd::not_startable;
  result.message = "importing /x: it is gone. Twice";
  run.run_to("raw", TaskState::failed, 1, result);
  run.finish(engine::RunState::failed);
  const std::string text = stage.take();
  EXPECT_THAT(text, HasSubstr("raw: failed after 0 ms: importing /x: it is gone. Twice\n"));
  EXPECT_THAT(text,
              HasSubstr("raw failed after 0 ms: importing /x: it is gone. Twice\n  task: pipeline.yaml:10:3\n\n"));
  EXPECT_THAT(text, Not(HasSubstr("log")));
}

TEST(PlainReport, ShowsOnlyTheLastTwentyLinesAndHowToSeeTheRest) {
  mlpipe::test::TempDir folder;
  std::string log;
  for (int i = 1; i <= 100; ++i) log += "line " + std::to_string(i) + "\n";
  folder.write("0-1.log", log);
  Stage stage;
  stage.logs = folder.path();
  FakeRun run(stage.clock, {{"train", 1}});
  ReportOptions options = stage.options();
  options.command_suffix = "--root '/data/my root'";
  auto scribe = make_plain_scribe(options);
  run.start(*scribe);
  run.begin("train");
  run.run_to("train", TaskState::failed, 1, exit_code(1));
  run.finish(engine::RunState::failed);
  const std::string text = stage.take();
  EXPECT_THAT(text, HasSubstr("  | line 81\n"));
  EXPECT_THAT(text, Not(HasSubstr("  | line 80\n")));
  EXPECT_THAT(text, HasSubstr("  | line 100\n  all of it: mlpipe logs numbers-1 train --root '/data/my root'\n"));
  EXPECT_THAT(text, HasSubstr("  see: mlpipe show numbers-1 --root '/data/my root'\n"));
}

TEST(PlainReport, QuietTellsOnlyFailuresAndTheEnd) {
  Stage stage;
  FakeRun run(stage.clock, {{"good", 1}, {"bad", 2}});
  ReportOptions options = stage.options();
  options.verbosity = Verbosity::quiet;
  auto scribe = make_plain_scribe(options);
  run.start(*scribe);
  run.progress("python:3.11-slim", "pulling 10 %");
  run.begin("good");
  run.run_to("good", TaskState::succeeded, 1, success());
  run.begin("bad");
  run.run_to("bad", TaskState::retry_wait, 1, exit_code(1), milliseconds{0});
  run.begin("bad", 2);
  EXPECT_EQ(stage.take(), "");
  run.run_to("bad", TaskState::failed, 2, exit_code(1));
  EXPECT_EQ(stage.take(), "04:05:06 bad: failed after 0 ms (attempt 2 of 2): exit code 1\n");
  run.finish(engine::RunState::failed);
  EXPECT_THAT(stage.take(), HasSubstr("run numbers-1: failed after 0 ms (1 succeeded, 1 failed)\n"));
}

TEST(PlainReport, ThrottlesTheProgressOfOneSubject) {
  Stage stage;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  stage.take();
  for (int percent = 0; percent < 100; ++percent) {
    run.progress("python:3.11-slim", "pulling " + std::to_string(percent) + " %");
    stage.clock.advance(milliseconds{100});
  }
  EXPECT_EQ(stage.take(),
            "04:05:06 python:3.11-slim: pulling 0 %\n"
            "04:05:11 python:3.11-slim: pulling 50 %\n");
}

TEST(PlainReport, CountsTheManyTasksThatNeverStarted) {
  Stage stage;
  std::vector<TaskPlan> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back({"t" + std::to_string(i), 1});
  FakeRun run(stage.clock, tasks);
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  for (const TaskPlan& task : tasks) run.to(task.name, TaskState::skipped, 0, "x failed");
  run.finish(engine::RunState::failed);
  const std::string text = stage.take();
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 30);
  EXPECT_THAT(text, HasSubstr("t20: skipped; further ones are only counted\n"));
  EXPECT_THAT(text, HasSubstr("(1000 skipped)"));
}

TEST(PlainReport, SaysWhatCancelledTheRun) {
  Stage stage;
  FakeRun run(stage.clock, {{"a", 1}, {"b", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  run.begin("a");
  stage.take();
  run.notice("stopping: press Ctrl-C again to kill");
  run.to("a", TaskState::stopping, 1, "the run was cancelled");
  AttemptResult result;
  result.end = AttemptEnd::cancelled;
  run.run_to("a", TaskState::cancelled, 1, result);
  run.to("b", TaskState::cancelled, 0, "the run was cancelled");
  run.finish(engine::RunState::cancelled, SIGINT, "SIGINT");
  EXPECT_EQ(stage.take(),
            "04:05:06 stopping: press Ctrl-C again to kill\n"
            "04:05:06 a: stopping: the run was cancelled\n"
            "04:05:06 a: cancelled\n"
            "04:05:06 b: cancelled: the run was cancelled\n"
            "04:05:06 run numbers-1: cancelled by SIGINT after 0 ms (2 cancelled)\n"
            "  see: mlpipe show numbers-1\n");
}

TEST(PlainReport, NeverPrintsEscapesOfNamesReasonsOrNotices) {
  Stage stage;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_plain_scribe(stage.options());
  run.start(*scribe);
  run.begin("a");
  AttemptResult result = exit_code(1);
  result.message = "bad \x1b]0;title\x07 news\nsecond line";
  run.progress("image\x1b[2J", "text\x1b[H");
  run.notice("notice\x1b[1m");
  run.run_to("a", TaskState::failed, 1, result);
  run.finish(engine::RunState::failed);
  EXPECT_THAT(stage.take(), Not(HasSubstr("\x1b")));
}

TEST(PlainReport, KeepsLinesForASlowReaderAndSaysWhatItDropped) {
  Stage stage;
  Output small(std::make_unique<StringSink>(stage.sink), 200);
  ReportOptions options{.output = small,
                        .clock = stage.clock,
                        .log_path = {},
                        .verbosity = Verbosity::normal,
                        .failure_blocks = FailureBlocks::yes,
                        .command_suffix = {}};
  std::vector<TaskPlan> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back({"t" + std::to_string(i), 1});
  FakeRun run(stage.clock, tasks);
  auto scribe = make_plain_scribe(options);
  run.start(*scribe);
  stage.take();
  EXPECT_EQ(scribe->next_refresh(run.story()), std::nullopt);
  stage.sink->room = 0;
  for (const TaskPlan& task : tasks) run.begin(task.name);
  ASSERT_TRUE(scribe->next_refresh(run.story()).has_value());
  EXPECT_EQ(stage.take(), "");
  stage.sink->room = static_cast<std::size_t>(-1);
  stage.clock.advance(seconds{1});
  ASSERT_LE(*scribe->next_refresh(run.story()), stage.clock.now());
  scribe->refresh(run.story(), stage.clock.now());
  EXPECT_EQ(scribe->next_refresh(run.story()), std::nullopt);
  EXPECT_THAT(stage.take(), HasSubstr("04:05:06 t0: started\n04:05:06 t1: started\n"));
  run.notice("hello");
  EXPECT_THAT(stage.take(),
              ::testing::MatchesRegex("\\([0-9]+ lines left out: nobody read them in time\\)\n04:05:07 hello\n"));
}

}  // namespace
}  // namespace mlpipe::report::test
