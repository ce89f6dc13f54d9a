#include "run_fixture.hpp"
#include "support/fake_cache.hpp"

namespace mlpipe::engine {
namespace {

class Loop : public RunTest {
 protected:
  // Runs where the record fails; gives the Error.
  Error go_wrong() {
    prepare();
    Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
    EXPECT_FALSE(end);
    EXPECT_EQ(runner.under_way(), 0u);
    return end ? Error{} : end.error();
  }
};

TEST_F(Loop, EffectsFollowTheTransitionThatAnnouncesThem) {
  pipeline.task("a").retry({.limit = 2}).timeout(10s);
  pipeline.task("b").after("a");
  script("a", {fails(), lasting(1h), succeeds()});
  runner.on_start = [&](const AttemptRequest& request) {
    EXPECT_EQ(record.state[request.id.task], std::pair(TaskState::starting, request.id.number));
  };
  runner.on_stop = [&](AttemptId attempt, StopMode) {
    EXPECT_EQ(record.state[attempt.task], std::pair(TaskState::stopping, attempt.number));
  };
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(runner.started.size(), 4u);
  EXPECT_EQ(runner.stops.size(), 1u);
}

TEST_F(Loop, ReportsEveryTransitionOnceInTheOrderOfTheRecord) {
  pipeline.task("a");
  pipeline.task("b").after("a");
  const std::string message = "a message that is too long to be kept inside of a string object itself";
  script("a", {fails(AttemptEnd::user_exit, message)});
  EXPECT_EQ(go(), RunState::failed);
  ASSERT_EQ(reporter.transitions.size(), record.history.size());
  for (std::size_t i = 0; i < record.history.size(); ++i) {
    EXPECT_EQ(reporter.transitions[i].task, record.history[i].task);
    EXPECT_EQ(reporter.transitions[i].to, record.history[i].to);
    EXPECT_EQ(reporter.transitions[i].reason, record.history[i].reason);
  }
  EXPECT_THAT(reporter.messages, ElementsAre(message));  // what a transition points to is still there
  EXPECT_EQ(reporter.started, 1);
  EXPECT_EQ(reporter.finished, 1);
}

TEST_F(Loop, TheTransitionsOfATurnAreCommittedTogether) {
  for (int i = 0; i < 50; ++i) pipeline.task("t" + std::to_string(i));
  pipeline.task("end").after("t3");
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_EQ(record.commits, 5);  // all start; all run; all end and `end` starts; it runs; it ends
}

TEST_F(Loop, TheRecordIsFinishedOnceWithTheRunsState) {
  pipeline.task("a");
  script("a", {fails()});
  EXPECT_EQ(go(), RunState::failed);
  ASSERT_EQ(record.finished.size(), 1u);
  EXPECT_EQ(record.finished[0].first, RunState::failed);
  EXPECT_EQ(record.finished[0].second.time_since_epoch(), 1s);
}

TEST_F(Loop, RefreshesTheScreenWhenItIsDueAndWakesForNothingElse) {
  pipeline.task("a");
  script("a", {lasting(3500ms)});
  reporter.refresh_at = MonotonicTime(1s);
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_THAT(reporter.refreshes, ElementsAre(MonotonicTime(1s), MonotonicTime(2s), MonotonicTime(3s)));
}

TEST_F(Loop, PassesProgressOn) {
  pipeline.task("a");
  runner.at(500ms, Progress{"image", "pulling 10 %"});
  EXPECT_EQ(go(), RunState::succeeded);
  EXPECT_THAT(reporter.progresses, ElementsAre("pulling 10 %"));
}

TEST_F(Loop, WhenTheRecordFailsWhatRunsIsKilledAndNothingStarts) {
  pipeline.task("short");
  pipeline.task("long");
  pipeline.task("next").after("short");
  script("long", {lasting(1h)});
  record.fail_commit = 2;  // `short` has ended, `next` would start
  const Error error = go_wrong();
  EXPECT_EQ(error.code, ErrorCode::no_space);
  EXPECT_EQ(error.message, "recording the run: database: No space left on device");
  EXPECT_EQ(starts(), "short long");
  ASSERT_EQ(runner.stops.size(), 1u);
  EXPECT_EQ(runner.stops[0].id.task, id("long"));
  EXPECT_EQ(runner.stops[0].mode, StopMode::kill);
  EXPECT_THAT(reporter.notices, ElementsAre("recording the run: database: No space left on device; killing what runs"));
  EXPECT_THAT(record.finished, IsEmpty());
  EXPECT_EQ(reporter.finished, 0);
}

TEST_F(Loop, WhenTheFirstCommitFailsNothingWasStarted) {
  pipeline.task("a");
  record.fail_commit = 0;
  EXPECT_EQ(go_wrong().code, ErrorCode::no_space);
  EXPECT_THAT(runner.started, IsEmpty());
  EXPECT_THAT(runner.stops, IsEmpty());
}

TEST_F(Loop, WhenTheEndCannotBeRecordedItIsAnError) {
  pipeline.task("a");
  record.fail_finish = true;
  EXPECT_EQ(go_wrong().message, "recording the end of the run: database: No space left on device");
  EXPECT_EQ(reporter.finished, 0);
}

TEST_F(Loop, TheRecordMayFailAtAnyCommit) {
  for (int i = 0; i < 4; ++i) {
    pipeline.task("t" + std::to_string(i)).retry({.limit = 1});
    script("t" + std::to_string(i), {fails(), succeeds()});
  }
  pipeline.task("last").after("t0").after("t1");
  prepare();
  ASSERT_TRUE(run_to_end(*run, runner, record, reporter, clock));
  const int commits = record.commits;
  ASSERT_GT(commits, 5);
  for (int failing = 0; failing < commits; ++failing) {
    test::FakeClock its_clock;
    test::FakeRunner its_runner(its_clock);
    its_runner.script = runner.script;
    test::FakeRecord its_record;
    its_record.fail_commit = failing;
    engine::Run its_run(*plan, options);
    EXPECT_FALSE(run_to_end(its_run, its_runner, its_record, reporter, its_clock));
    EXPECT_EQ(its_runner.under_way(), 0u);
  }
}

TEST_F(Loop, EveryFailpointIsPassedInARunThatComesToEveryState) {
  pipeline.task("times_out").retry({.limit = 1}).timeout(10s);
  pipeline.task("fails").after("times_out");
  pipeline.task("is_skipped").after("fails");
  pipeline.task("lasts");
  pipeline.task("is_cancelled").after("lasts");
  pipeline.task("is_deferred");
  script("times_out", {lasting(1h), succeeds()});
  script("fails", {fails()});
  script("lasts", {lasting(1000h)});
  prepare();
  for (const std::string& name : failpoint_names()) {
    if (name.starts_with("attempt.")) continue;  // the runner's
    test::FakeClock its_clock;
    test::FakeRunner its_runner(its_clock);
    its_runner.script = runner.script;
    its_runner.at(1h, Interrupted{2});
    test::FakeRecord its_record;
    test::FakeCache cache(*plan);
    cache.busy.insert("is_deferred");
    its_runner.at(2s, ResultSettled{id("is_deferred")});
    its_runner.at(1s, ResultSettled{id("lasts")});  // means nothing to a task that is not deferred
    engine::Run its_run(*plan, options, &cache);
    const Failpoint failpoint{name, Failpoint::Action::eio};
    const Result<RunState> end = run_to_end(its_run, its_runner, its_record, reporter, its_clock, failpoint);
    ASSERT_FALSE(end) << name << " is never passed";
    EXPECT_THAT(end.error().message, HasSubstr("failpoint " + name));
    EXPECT_EQ(its_runner.under_way(), 0u);
  }
}

}  // namespace
}  // namespace mlpipe::engine
