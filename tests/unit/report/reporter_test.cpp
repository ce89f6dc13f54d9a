#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/engine/run.hpp"
#include "mlpipe/report/reporters.hpp"
#include "support/temp_dir.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

using ::testing::HasSubstr;

// Two tasks, the second needs the first, as a reader would give them.
spec::PipelineSpec two_tasks() {
  auto settings = std::make_shared<spec::TaskSettings>();
  settings->retry.limit = 1;
  spec::TaskSpec first{
      .name = "first", .component = spec::ComponentId{1}, .settings = settings, .where = {.line = 3, .column = 5}};
  spec::TaskSpec second{.name = "second",
                        .component = spec::ComponentId{1},
                        .after = {"first"},
                        .settings = settings,
                        .where = {.line = 7, .column = 5}};
  spec::PipelineSpec pipeline{.name = "pair"};
  pipeline.components.push_back({.name = "root", .implementation = spec::DagSpec{.tasks = {first, second}}});
  pipeline.components.push_back({.name = "work", .implementation = spec::ContainerSpec{}});
  pipeline.sources.push_back({.name = "pair.yaml", .text = {}});
  return pipeline;
}

// Ends every attempt of `first` as told.
class EndingRunner final : public engine::TaskRunner {
 public:
  EndingRunner(FakeClock& clock, AttemptEnd end) : clock_(clock), end_(end) {}
  void start(engine::AttemptRequest request) override {
    AttemptResult result;
    result.end = end_;
    result.exit_code = end_ == AttemptEnd::succeeded ? 0 : 7;
    events_.push_back(engine::AttemptRunning{request.id});
    events_.push_back(engine::AttemptFinished{request.id, result});
  }
  void stop(engine::AttemptId, engine::StopReason, engine::StopMode) override {}
  std::vector<engine::Event> wait(std::optional<MonotonicTime> deadline) override {
    if (events_.empty() && deadline && *deadline > clock_.now()) {
      clock_.advance(std::chrono::ceil<milliseconds>(*deadline - clock_.now()));
    }
    return std::exchange(events_, {});
  }

 private:
  FakeClock& clock_;
  AttemptEnd end_;
  std::vector<engine::Event> events_;
};

class NoRecord final : public engine::Record {
 public:
  Result<> commit(std::span<const Transition>) override { return {}; }
  Result<> discard(engine::TaskId) override { return {}; }
  Result<> finish(engine::RunState, WallTime) override { return {}; }
};

struct Whole : Stage {
  explicit Whole(AttemptEnd end) : runner(clock, end) {
    Result<plan::Plan> made = plan::make_plan(pipeline, {});
    EXPECT_TRUE(made);
    plan = std::move(*made);
  }
  engine::RunState run(engine::Reporter& reporter) {
    engine::Run state(plan,
                      {.run_id = "pair-1", .limits = {.max_parallel = 2}, .run_root = "/data/root", .begun = begun});
    NoRecord record;
    Result<engine::RunState> end = engine::run_to_end(state, runner, record, reporter, clock);
    EXPECT_TRUE(end);
    return end ? *end : engine::RunState::running;
  }
  spec::PipelineSpec pipeline = two_tasks();
  plan::Plan plan;
  EndingRunner runner;
  std::optional<WallTime> begun;
};

TEST(Reporters, TellWhatTheEngineDoes) {
  Whole whole(AttemptEnd::succeeded);
  auto reporter = make_plain_reporter(whole.options());
  EXPECT_EQ(whole.run(*reporter), engine::RunState::succeeded);
  EXPECT_EQ(whole.take(),
            "04:05:06 run pair-1: started: 2 tasks, at most 2 at once; root /data/root\n"
            "04:05:06 first: started\n"
            "04:05:06 first: succeeded in 0 ms\n"
            "04:05:06 second: started\n"
            "04:05:06 second: succeeded in 0 ms\n"
            "04:05:06 run pair-1: succeeded in 0 ms (2 succeeded)\n"
            "  see: mlpipe show pair-1\n");
}

TEST(Reporters, TellHowLongTheRunTookAsTheRecordHasIt) {
  Whole whole(AttemptEnd::succeeded);
  whole.begun = whole.clock.wall() - milliseconds{1500};  // images were made before the first task could start
  auto reporter = make_plain_reporter(whole.options());
  EXPECT_EQ(whole.run(*reporter), engine::RunState::succeeded);
  EXPECT_THAT(whole.take(), HasSubstr("run pair-1: succeeded in 1.5 s (2 succeeded)\n"));
}

TEST(Reporters, TellOfFailuresWhereTheTaskIsWritten) {
  Whole whole(AttemptEnd::user_exit);
  auto reporter = make_plain_reporter(whole.options());
  EXPECT_EQ(whole.run(*reporter), engine::RunState::failed);
  const std::string text = whole.take();
  EXPECT_THAT(text, HasSubstr("first: attempt 1 of 2 failed after 0 ms: exit code 7; next attempt at once\n"));
  EXPECT_THAT(text, HasSubstr("first: failed after 0 ms (attempt 2 of 2): exit code 7\n"));
  EXPECT_THAT(text, HasSubstr("  task: pair.yaml:3:5\n"));
  EXPECT_THAT(text, HasSubstr("(1 failed, 1 skipped)"));
}

TEST(Reporters, ForwardToEachOfSeveral) {
  Whole whole(AttemptEnd::succeeded);
  mlpipe::test::TempDir folder;
  std::vector<std::unique_ptr<engine::Reporter>> all;
  all.push_back(make_json_reporter(whole.options()));
  all.push_back(make_terminal_reporter(
      whole.options(), {.color = Color::no, .glyphs = Glyphs::ascii, .size = [] { return sys::TerminalSize{}; }}));
  all.push_back(
      make_junit_reporter({.file = folder.path() / "junit.xml", .clock = whole.clock, .log_path = {}, .on_error = {}}));
  auto reporter = make_composite_reporter(std::move(all));
  whole.run(*reporter);
  const std::string text = whole.take();
  EXPECT_THAT(text, HasSubstr("\"event\":\"run_finished\""));
  EXPECT_THAT(text, HasSubstr("+ second"));
  EXPECT_THAT(mlpipe::test::slurp(folder.path() / "junit.xml"), HasSubstr("tests=\"2\" failures=\"0\""));
}

}  // namespace
}  // namespace mlpipe::report::test
