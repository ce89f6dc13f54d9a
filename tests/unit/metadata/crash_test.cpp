#include <csignal>

#include "fixture.hpp"

namespace mlpipe::metadata {
namespace {

using engine::TaskState;
using test::RunWriter;

// Writes tasks to their ends, one commit per transition, and a byte to `told` after each commit that has returned.
int write_until_killed(const std::filesystem::path& file, int told) {
  auto record = open_record(file);
  if (!record) return 1;
  RunWriter writer(**record, "r1", test::numbered_tasks(2000));
  for (int task = 0; task < 2000; ++task) {
    const std::string name = "task_" + std::to_string(task);
    engine::AttemptResult result;
    result.outputs.parameters["n"] = Value(task);
    engine::Transition ended = writer.change(name, TaskState::succeeded, 1);
    ended.result = &result;
    for (engine::Transition next : {writer.change(name, TaskState::starting, 1), ended}) {
      if (!writer.commit(next)) return 2;
      if (::write(told, "x", 1) != 1) return 3;
    }
  }
  return 0;
}

// kill -9 in the middle of a loop of commits: all that was told of is there, at most one more, and nothing by halves.
TEST(Crash, KillNineLosesNothingThatWasCommitted) {
  for (const int kill_after : {1, 7, 20, 33, 64, 100, 151, 260}) {
    test::TempDir folder;
    const std::filesystem::path file = folder.path() / "metadata.db";
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = in_child([&] {
      ::close(pipe_ends[0]);
      return write_until_killed(file, pipe_ends[1]);
    });
    ::close(pipe_ends[1]);
    int told = 0;
    char byte = 0;
    while (told < kill_after && ::read(pipe_ends[0], &byte, 1) == 1) ++told;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    while (::read(pipe_ends[0], &byte, 1) == 1) ++told;
    ::close(pipe_ends[0]);
    ASSERT_EQ(exit_code_of(child), 128 + SIGKILL);
    ASSERT_GE(told, kill_after);

    // A reader first: it must not need a writer to recover the log.
    const RunRow run = must_read(file)->find_run("r1").value();
    const std::int64_t events = ask(file, "SELECT count(*) FROM events WHERE task IS NOT NULL");
    EXPECT_GE(events, told);
    EXPECT_LE(events, told + 1);
    EXPECT_EQ(run.state, engine::RunState::running);
    EXPECT_TRUE(run.interrupted);
    EXPECT_EQ(run.counts[static_cast<std::size_t>(TaskState::succeeded)], static_cast<std::size_t>(events / 2));
    EXPECT_EQ(ask(file, "SELECT count(*) FROM tasks WHERE state = 'succeeded'"), events / 2);
    EXPECT_EQ(ask(file, "SELECT count(*) FROM parameters"), events / 2);
    EXPECT_EQ(ask(file, "SELECT count(*) FROM attempts"), (events + 1) / 2);
    EXPECT_EQ(ask(file, "SELECT count(*) FROM tasks"), 2000);

    { RunWriter next(*must_open(file), "r2", {"a"}); }
    EXPECT_EQ(integrity(file), "ok");
  }
}

TEST(Crash, TwoProcessesWriteAtOnceAndBothAreWhole) {
  test::TempDir folder;
  const std::filesystem::path file = folder.path() / "metadata.db";
  const auto write_run = [&](const std::string& id) {
    auto record = open_record(file);
    if (!record) return 1;
    RunWriter writer(**record, id, test::numbered_tasks(100));
    for (int task = 0; task < 100; ++task) writer.succeed("task_" + std::to_string(task));
    writer.finish(engine::RunState::succeeded);
    return testing::Test::HasFailure() ? 2 : 0;
  };
  const pid_t one = in_child([&] { return write_run("one"); });
  const pid_t two = in_child([&] { return write_run("two"); });
  EXPECT_EQ(exit_code_of(one), 0);
  EXPECT_EQ(exit_code_of(two), 0);

  const std::vector<RunRow> runs = must_read(file)->runs(0).value();
  ASSERT_EQ(runs.size(), 2u);
  for (const RunRow& run : runs) {
    EXPECT_EQ(run.state, engine::RunState::succeeded);
    EXPECT_EQ(run.counts[static_cast<std::size_t>(TaskState::succeeded)], 100u);
    const auto events = must_read(file)->events(run.id, "", 0).value();
    EXPECT_EQ(events.size(), 302u);
    EXPECT_EQ(events.back().number, 302);
  }
  EXPECT_EQ(integrity(file), "ok");
}

}  // namespace
}  // namespace mlpipe::metadata
