#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "mlpipe/base/text.hpp"
#include "report/scribes.hpp"
#include "support/temp_dir.hpp"
#include "unit/report/support.hpp"
#include "unit/report/virtual_terminal.hpp"

namespace mlpipe::report::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A run shown on a virtual terminal.
class Show {
 public:
  Show(std::vector<TaskPlan> tasks, int columns = 80, int rows = 24, Color color = Color::no)
      : run_(stage_.clock, std::move(tasks)), size_{columns, rows}, terminal_(columns, rows) {
    stage_.logs = logs_.path();
    scribe_ = make_terminal_scribe(stage_.options(),
                                   {.color = color, .glyphs = Glyphs::unicode, .size = [this] { return size_; }});
    run_.start(*scribe_);
    pump();
  }

  void log(std::string_view task, int attempt, const std::string& text) {
    logs_.write(std::to_string(plan::index(run_.id(task))) + "-" + std::to_string(attempt) + ".log", text);
  }
  // Time goes on, and the loop calls refresh() whenever it is wanted.
  void pass(milliseconds time) {
    const MonotonicTime end = stage_.clock.now() + time;
    while (true) {
      const std::optional<MonotonicTime> next = scribe_->next_refresh(run_.story());
      if (!next || *next > end) break;
      if (*next > stage_.clock.now()) {
        stage_.clock.advance(std::chrono::duration_cast<milliseconds>(*next - stage_.clock.now()));
      }
      scribe_->refresh(run_.story(), stage_.clock.now());
      ++refreshes_;
    }
    stage_.clock.advance(std::chrono::duration_cast<milliseconds>(end - stage_.clock.now()));
    pump();
  }
  void finish(engine::RunState state, int signal = 0, const std::string& by = "") {
    run_.finish(state, signal, by);
    pump();
  }
  void resize(int columns, int rows) {
    size_ = {columns, rows};
    terminal_.resize(columns, rows);
  }
  void pump() { terminal_.feed(stage_.take()); }

  mlpipe::test::TempDir logs_;
  Stage stage_;
  FakeRun run_;
  sys::TerminalSize size_;
  VirtualTerminal terminal_;
  std::unique_ptr<Scribe> scribe_;
  int refreshes_ = 0;
};

TEST(TerminalReport, ShowsWhatRunsAboveABarAndScrollsUpWhatEnded) {
  Show show({{"generate", 1}, {"train", 4}, {"deploy", 1}});
  show.run_.begin("generate");
  show.log("generate", 1, "made 5 numbers\nmade 10 numbers\n");
  show.pass(milliseconds{1340});
  EXPECT_THAT(show.terminal_.all(),
              ElementsAre("run numbers-1  3 tasks, at most 2 at once",  //
                          "⠋ generate     1 s  made 10 numbers",
                          "────────────────────────────── 0/3 done · 1 running · 2 waiting · 1 s"));
  show.run_.run_to("generate", TaskState::succeeded, 1, success_with_metrics({{"rmse", 26510.25}, {"r2", 0.91}}));
  show.run_.begin("train");
  show.pass(milliseconds{100});
  EXPECT_THAT(show.terminal_.all(),
              ElementsAre("run numbers-1  3 tasks, at most 2 at once",  //
                          "✓ generate   1.3 s  r2=0.91 rmse=26510", "⠙ train        0 s",
                          "━━━━━━━━━━──────────────────── 1/3 done · 1 running · 1 waiting · 1 s"));
  show.finish(engine::RunState::cancelled);
}

TEST(TerminalReport, RedrawsFromTheFirstRowDoNotFillTheHistory) {
  std::vector<TaskPlan> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back({"t" + std::to_string(i), 1});
  Show show(tasks, 120, 8);
  for (const TaskPlan& task : tasks) {
    show.run_.begin(task.name);
    show.log(task.name, 1, std::string(200, 'x') + "\n");
  }
  show.pass(milliseconds{1000});
  show.resize(40, 8);  // breaks every line in three: the live part no longer fits
  show.pass(milliseconds{1000});
  EXPECT_FALSE(show.terminal_.cleared());
  show.finish(engine::RunState::cancelled);
}

TEST(TerminalReport, KeepsOnlyTheFinishedLinesAndTheEndOnTheScreen) {
  Show show({{"good", 1}, {"bad", 2}, {"after", 1}});
  show.run_.begin("good");
  show.pass(milliseconds{500});
  show.run_.run_to("good", TaskState::succeeded, 1, success());
  show.run_.begin("bad");
  show.pass(milliseconds{1200});
  show.run_.run_to("bad", TaskState::retry_wait, 1, exit_code(3), milliseconds{5000});
  show.pass(milliseconds{1200});
  EXPECT_THAT(show.terminal_.all(), Contains("↻ bad            again in 4 s"));
  show.pass(milliseconds{3800});
  show.run_.begin("bad", 2);
  show.log("bad", 2, "one\ntwo\n");
  show.pass(milliseconds{2200});
  EXPECT_THAT(show.terminal_.text(), HasSubstr(" bad       2 s  attempt 2 of 2  two\n"));
  show.run_.run_to("bad", TaskState::failed, 2, exit_code(3));
  show.run_.to("after", TaskState::skipped, 0, "bad failed");
  show.finish(engine::RunState::failed);
  const std::string log = (show.logs_.path() / "1-2.log").string();
  VirtualTerminal expected(80, 24);
  expected.feed(
      "run numbers-1  3 tasks, at most 2 at once\n"
      "✓ good   500 ms\n"
      "↻ bad     1.2 s  exit code 3 (attempt 1 of 2), again in 5.0 s\n"
      "✗ bad     2.2 s  exit code 3 (attempt 2 of 2)\n"
      "↷ after          skipped: bad failed\n"
      "\n"
      "✗ bad failed after 2.2 s (attempt 2 of 2): exit code 3\n"
      "  task: pipeline.yaml:11:3\n"
      "  log:  " +
      log +
      "\n"
      "  │ one\n"
      "  │ two\n"
      "\n"
      "✗ run numbers-1 failed after 8.9 s (1 succeeded, 1 failed, 1 skipped)\n"
      "  see: mlpipe show numbers-1\n");
  EXPECT_EQ(show.terminal_.text(), expected.text());
  EXPECT_TRUE(show.terminal_.cursor_visible());
}

TEST(TerminalReport, HidesTheCursorAndAlwaysShowsItAgain) {
  Show show({{"a", 1}});
  show.run_.begin("a");
  show.pass(seconds{1});
  EXPECT_FALSE(show.terminal_.cursor_visible());
  show.scribe_.reset();  // the program ends without run_finished()
  show.pump();
  EXPECT_TRUE(show.terminal_.cursor_visible());
  EXPECT_FALSE(show.terminal_.in_update());
}

TEST(TerminalReport, DrawsAtMostTwelveTimesASecondHoweverMuchHappens) {
  std::vector<TaskPlan> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back({"t" + std::to_string(i), 1});
  Show show(tasks);
  show.refreshes_ = 0;
  for (const TaskPlan& task : tasks) {
    show.run_.begin(task.name);
    show.pass(milliseconds{1});
    show.run_.run_to(task.name, TaskState::succeeded, 1, success());
  }
  EXPECT_LE(show.refreshes_, 12);
  EXPECT_GE(show.refreshes_, 10);
  show.finish(engine::RunState::succeeded);
  EXPECT_THAT(show.terminal_.all(), Contains("✓ t999    1 ms"));
  EXPECT_EQ(show.terminal_.all().size(), 1003U);
}

TEST(TerminalReport, DrawsOnceASecondWhenNothingRuns) {
  Show show({{"a", 1}});
  show.refreshes_ = 0;
  show.pass(seconds{10});
  EXPECT_LE(show.refreshes_, 11);
}

TEST(TerminalReport, WritesEachFrameInOneWrite) {
  Show show({{"a", 1}, {"b", 1}});
  show.run_.begin("a");
  show.run_.begin("b");
  show.stage_.sink->writes = 0;
  show.refreshes_ = 0;
  show.pass(seconds{3});
  EXPECT_EQ(show.stage_.sink->writes, show.refreshes_);
}

TEST(TerminalReport, SaysHowManyMoreRunThanFit) {
  std::vector<TaskPlan> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back({"task" + std::to_string(i), 1});
  Show show(tasks, 80, 10);
  for (const TaskPlan& task : tasks) show.run_.begin(task.name);
  show.pass(seconds{1});
  const std::vector<std::string> screen = show.terminal_.all();
  ASSERT_EQ(screen.size(), 10U);  // one that scrolled up, and nine rows
  EXPECT_THAT(screen[7], HasSubstr(" task6 "));
  EXPECT_EQ(screen[8], "… and 13 more");
  EXPECT_THAT(screen[9], HasSubstr("0/20 done · 20 running"));
  show.pass(seconds{1});
  EXPECT_EQ(show.terminal_.all().size(), 10U);  // nothing is left behind
}

TEST(TerminalReport, NeverBreaksALineAtAnyWidth) {
  for (int columns : {20, 21, 25, 33, 40, 61, 80, 132, 500}) {
    Show show({{"generate_日本語_data", 3}, {"e\u0301te\u0301_cafe\u0301", 1}, {std::string(100, 'n'), 1}}, columns,
              12);
    show.log("generate_日本語_data", 2, std::string(3000, 'x') + "\n");
    show.run_.begin("generate_日本語_data", 2);
    std::string wide;
    for (int i = 0; i < 200; ++i) wide += "漢字🎉";
    show.log("e\u0301te\u0301_cafe\u0301", 1, wide + "\n");
    show.run_.begin("e\u0301te\u0301_cafe\u0301");
    show.run_.progress("registry.example.org/team/" + std::string(100, 'i'), "pulling");
    show.pass(seconds{3});
    AttemptResult result = exit_code(1);
    result.message = std::string(300, 'm');
    show.run_.run_to("generate_日本語_data", TaskState::retry_wait, 2, result, milliseconds{100});
    show.run_.run_to("e\u0301te\u0301_cafe\u0301", TaskState::succeeded, 1,
                     success_with_metrics({{std::string(200, 'k'), 1}}));
    show.pass(seconds{1});
    EXPECT_FALSE(show.terminal_.wrapped()) << "at " << columns << " columns:\n" << show.terminal_.text();
    const std::vector<std::string> screen = show.terminal_.all();
    EXPECT_THAT(screen.back(), HasSubstr("1/3"));
    for (const std::string& line : screen) EXPECT_LT(display_width(line), static_cast<std::size_t>(columns)) << line;
  }
}

TEST(TerminalReport, LeavesNothingBehindWhenTheTerminalIsResized) {
  Show show({{"alpha", 1}, {"beta", 1}}, 100, 20);
  show.log("alpha", 1, std::string(500, 'x') + "\n");
  show.log("beta", 1, std::string(500, 'y') + "\n");
  show.run_.begin("alpha");
  show.run_.begin("beta");
  show.pass(seconds{1});
  for (int columns : {60, 30, 20, 50, 200, 40}) {
    show.resize(columns, 20);
    show.pass(seconds{1});
    const std::vector<std::string> screen = show.terminal_.all();
    int bars = 0;
    for (const std::string& line : screen) bars += line.find("0/2") != std::string::npos ? 1 : 0;
    EXPECT_EQ(bars, 1) << "at " << columns << " columns:\n" << show.terminal_.text();
  }
  show.run_.run_to("alpha", TaskState::succeeded, 1, success());
  show.run_.run_to("beta", TaskState::succeeded, 1, success());
  show.finish(engine::RunState::succeeded);
  EXPECT_THAT(show.terminal_.text(), Not(HasSubstr("xxx")));
}

TEST(TerminalReport, DropsFramesOfAStoppedTerminalAndCatchesUp) {
  Show show({{"a", 1}, {"b", 1}});
  show.run_.begin("a");
  show.pass(seconds{1});
  show.stage_.sink->room = 25;  // Ctrl-S in the middle of a frame
  show.pass(seconds{60});
  const std::string first_part = show.stage_.sink->text;
  show.run_.run_to("a", TaskState::succeeded, 1, success());
  show.run_.begin("b");
  show.pass(seconds{60});
  show.stage_.sink->room = static_cast<std::size_t>(-1);
  show.pass(seconds{1});
  VirtualTerminal& terminal = show.terminal_;
  EXPECT_THAT(terminal.text(), HasSubstr("\n✓ a"));
  EXPECT_THAT(terminal.text(), HasSubstr("1/2 done · 1 running · 2m 01s"));
  EXPECT_FALSE(terminal.in_update());
  show.finish(engine::RunState::succeeded);
}

TEST(TerminalReport, StopsDrawingWhenTheTerminalIsGone) {
  Show show({{"a", 1}});
  show.run_.begin("a");
  show.pass(seconds{1});
  show.stage_.sink->closed = true;
  show.pass(seconds{1});
  EXPECT_EQ(show.scribe_->next_refresh(show.run_.story()), std::nullopt);
  show.run_.run_to("a", TaskState::succeeded, 1, success());
  show.finish(engine::RunState::succeeded);
}

TEST(TerminalReport, NeverLetsALogDriveTheTerminal) {
  Show show({{"a\x1b[2J", 1}});
  show.run_.begin("a\x1b[2J");
  show.log("a\x1b[2J", 1,
           "\x1b[2J\x1b]0;owned\x07\x1b[10;10Hhello \x9b"
           "31m\x07 there\n");
  show.run_.notice("\x1b[2J notice");
  show.run_.progress("\x1b[2J subject", "\x1b[2J text");
  show.pass(seconds{1});  // the virtual terminal fails on any escape that is not ours
  EXPECT_THAT(show.terminal_.text(), HasSubstr("hello "));
  AttemptResult result = exit_code(1);
  result.message = "\x1b[2J message";
  result.hint = "\x1b[2J hint";
  show.run_.run_to("a\x1b[2J", TaskState::failed, 1, result);
  show.finish(engine::RunState::failed);
}

TEST(TerminalReport, ShowsWhatAProgressBarInALogLastShowed) {
  Show show({{"a", 1}});
  show.run_.begin("a");
  show.log("a", 1, "start\n 10%|#\r 20%|##\r 30%|###");
  show.pass(milliseconds{1200});
  EXPECT_THAT(show.terminal_.text(), HasSubstr("1 s  30%|###\n"));
}

TEST(TerminalReport, ColoursWhenAskedAndOnlyThen) {
  Show plain({{"a", 1}});
  plain.run_.begin("a");
  plain.run_.run_to("a", TaskState::failed, 1, exit_code(1));
  plain.finish(engine::RunState::failed);
  EXPECT_FALSE(plain.terminal_.styled());
  Show coloured({{"a", 1}}, 80, 24, Color::yes);
  coloured.run_.begin("a");
  coloured.run_.run_to("a", TaskState::failed, 1, exit_code(1));
  coloured.finish(engine::RunState::failed);
  EXPECT_TRUE(coloured.terminal_.styled());
  EXPECT_EQ(coloured.terminal_.text(), plain.terminal_.text());
}

TEST(TerminalReport, ShowsImagesThatArePulledWhileTasksStart) {
  Show show({{"a", 1}});
  show.run_.to("a", TaskState::ready);
  show.run_.to("a", TaskState::starting, 1);
  show.run_.progress("python:3.11-slim", "pulling 34 %");
  show.pass(milliseconds{200});
  EXPECT_THAT(show.terminal_.text(), HasSubstr(" python:3.11-slim: pulling 34 %\n"));
  EXPECT_THAT(show.terminal_.text(), HasSubstr(" a        0 s  starting\n"));
  show.run_.to("a", TaskState::running, 1);
  show.pass(milliseconds{200});
  EXPECT_THAT(show.terminal_.text(), Not(HasSubstr("pulling")));
}

TEST(TerminalReport, QuietIsPlain) {
  Stage stage;
  ReportOptions options = stage.options();
  options.verbosity = Verbosity::quiet;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_terminal_scribe(
      options, {.color = Color::yes, .glyphs = Glyphs::unicode, .size = [] { return sys::TerminalSize{}; }});
  run.start(*scribe);
  run.begin("a");
  EXPECT_EQ(stage.take(), "");
  run.run_to("a", TaskState::succeeded, 1, success());
  run.finish(engine::RunState::succeeded);
  EXPECT_EQ(stage.take(), "04:05:06 run numbers-1: succeeded in 0 ms (1 succeeded)\n");
}

}  // namespace
}  // namespace mlpipe::report::test
