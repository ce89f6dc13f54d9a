#include "app/logs.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "listing_fixture.hpp"
#include "mlpipe/artifact/log_file.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

using artifact::LogStream;
using engine::TaskState;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Logs : ListingTest {
  LogsCommand command{.root = root.path().string()};

  ExitCode run_it() { return logs(command, console()); }

  std::unique_ptr<artifact::LogWriter> open_log(const std::string& task, int attempt = 1) {
    const std::filesystem::path file = artifact::TaskTree(root.run("r1"), task).log(attempt);
    std::filesystem::create_directories(file.parent_path());
    return artifact::create_log(file, {}, clock).value();
  }
  static void say(artifact::LogWriter& log, std::string_view text, LogStream stream = LogStream::out) {
    log.write(stream, std::as_bytes(std::span(text)));
  }
  void write_log(const std::string& task, const std::string& text, int attempt = 1) {
    say(*open_log(task, attempt), text);
  }
};

TEST_F(Logs, OfOneTaskAreItsBytes) {
  test::RunWriter run(record(), "r1", {"a", "b"});
  const std::string bytes("one\r\n\xff\x1b[0m\0end", 13);
  write_log("a", bytes);
  run.succeed("a");
  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, bytes);
  EXPECT_THAT(err, IsEmpty());
}

TEST_F(Logs, OfSeveralTasksArePrefixedInTheOrderOfTheirStart) {
  test::RunWriter run(record(), "r1", {"a", "longer", "never"});
  write_log("a", "from a\nand no end");
  write_log("longer", "hello\n");
  run.succeed("longer");
  run.succeed("a");
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "longer | hello\na      | from a\na      | and no end\n");
}

TEST_F(Logs, AreOfTheLatestAttemptUnlessOneIsAskedFor) {
  test::RunWriter run(record(), "r1", {"a"});
  engine::AttemptResult failed;
  failed.end = engine::AttemptEnd::user_exit;
  run.start("a", 1);
  run.end("a", failed, TaskState::retry_wait, 1);
  run.start("a", 2);
  run.end("a", {}, TaskState::succeeded, 2);
  write_log("a", "first\n", 1);
  write_log("a", "second\n", 2);

  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "second\n");
  out.clear();
  command.attempt = 1;
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "first\n");
  command.attempt = 3;
  EXPECT_EQ(run_it(), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("task a has no attempt 3"));
  out.clear();
  command = {.root = root.path().string()};
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "a#2 | second\n");
  command.attempt = 1;
  EXPECT_EQ(run_it(), ExitCode::usage);
}

TEST_F(Logs, CanBeOneStreamOrTheLastLines) {
  test::RunWriter run(record(), "r1", {"a"});
  run.succeed("a");
  auto log = open_log("a");
  say(*log, "out 1\n");
  say(*log, "err 1\n", LogStream::err);
  say(*log, "out 2\nout 3\n");
  log.reset();
  command.task = "a";
  command.err_only = true;
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(std::exchange(out, ""), "err 1\n");
  command.err_only = false;
  command.out_only = true;
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(std::exchange(out, ""), "out 1\nout 2\nout 3\n");
  command.tail = 1;
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(std::exchange(out, ""), "out 3\n");
  command.tail = 0;
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "");
}

TEST_F(Logs, OfACachedTaskSayWhoseTheyAre) {
  test::RunWriter run(record(), "r1", {"a"});
  const engine::TaskData none;
  const engine::CacheAnswer answer{.kind = engine::CacheAnswer::Kind::hit, .from_run = "r0"};
  engine::Transition cached = run.change("a", engine::TaskState::succeeded);
  cached.inputs = cached.outputs = &none;
  cached.cache = &answer;
  ASSERT_TRUE(run.commit(cached));
  run.finish(engine::RunState::succeeded);
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(std::exchange(err, ""),
            "mlpipe: 1 of 1 tasks came from the cache: what they printed is in the runs that made them\n");
  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(err,
            "mlpipe: task a came from the cache and printed nothing in this run; run r0, which made it, is no more on "
            "record\n");
  EXPECT_EQ(out, "");
}

TEST_F(Logs, OfATaskThatNeverRanSayWhy) {
  test::RunWriter run(record(), "r1", {"a"});
  run.skip("a", "split failed");
  run.finish(engine::RunState::failed);
  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(err, "mlpipe: task a is skipped: split failed; it has written nothing\n");
  command.follow = true;  // and following does not wait for what cannot come
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_THAT(out, IsEmpty());
}

TEST_F(Logs, OfAnUnknownTaskAreWrongUsage) {
  test::RunWriter run(record(), "r1", {"train"});
  command.task = "trian";
  EXPECT_EQ(run_it(), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("did you mean train?"));
}

TEST_F(Logs, ThatAreGoneAreSaid) {
  test::RunWriter run(record(), "r1", {"a"});
  run.succeed("a");
  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_THAT(err, HasSubstr("no log of attempt 1"));
}

TEST_F(Logs, StopWhenNobodyReads) {
  test::RunWriter run(record(), "r1", {"a", "b"});
  write_log("a", "line\nline\nline\n");
  write_log("b", "line\n");
  run.succeed("a");
  run.succeed("b");
  int calls = 0;
  Console closed = console();
  closed.out = [&](std::string_view) { return ++calls, false; };
  EXPECT_EQ(logs(command, closed), ExitCode::succeeded);
  EXPECT_EQ(calls, 1);
}

TEST_F(Logs, FollowingAnInterruptedRunEnds) {
  test::RunWriter run(record(), "r1", {"a"});
  run.start("a");
  write_log("a", "last words");
  command.follow = true;
  command.task = "a";
  EXPECT_EQ(run_it(), ExitCode::succeeded);
  EXPECT_EQ(out, "last words");
  EXPECT_THAT(err, HasSubstr("interrupted"));
}

// `logs -f` in a thread of its own, beside a run that goes on.
struct FollowLogs : Logs {
  std::variant<sys::FileLock, sys::LockHolder> lock = sys::try_lock(root.run_lock("r1")).value();
  std::mutex mutex;
  std::condition_variable changed;
  std::string seen;
  ExitCode code = ExitCode::bug;
  std::thread thread;

  void follow() {
    command.follow = true;
    thread = std::thread([this] {
      Console shared = console();
      shared.out = [this](std::string_view text) {
        std::lock_guard guard(mutex);
        seen += text;
        changed.notify_all();
        return true;
      };
      code = logs(command, shared);
    });
  }
  void wait_for(const std::string& text) {
    std::unique_lock guard(mutex);
    const bool came =
        changed.wait_for(guard, std::chrono::seconds(30), [&] { return seen.find(text) != std::string::npos; });
    EXPECT_TRUE(came) << text << " is not in " << seen;
  }
  ~FollowLogs() override {
    if (thread.joinable()) thread.join();
  }
};

TEST_F(FollowLogs, ATaskToItsEndThroughARetry) {
  test::RunWriter run(record(), "r1", {"a", "b"});
  command.task = "a";
  follow();
  run.start("a", 1);
  auto log = open_log("a", 1);
  say(*log, "one ");
  wait_for("one ");
  say(*log, "two\n");
  wait_for("two\n");
  log.reset();
  engine::AttemptResult failed;
  failed.end = engine::AttemptEnd::user_exit;
  run.end("a", failed, TaskState::retry_wait, 1);
  EXPECT_TRUE(run.commit(run.change("a", TaskState::ready, 1)));
  run.start("a", 2);
  log = open_log("a", 2);
  say(*log, "again\n");
  wait_for("again\n");
  say(*log, "the end");
  log.reset();
  run.end("a", {}, TaskState::succeeded, 2);
  thread.join();  // though the run goes on
  EXPECT_EQ(code, ExitCode::succeeded);
  EXPECT_EQ(seen, "one two\nagain\nthe end");
}

TEST_F(FollowLogs, ARunWithTasksSideBySide) {
  test::RunWriter run(record(), "r1", {"a", "b"});
  run.start("a");
  auto log_a = open_log("a");
  say(*log_a, "a1\nhalf a ");
  follow();
  wait_for("a | a1\n");
  run.start("b");
  auto log_b = open_log("b");
  say(*log_b, "b1\n");
  wait_for("b | b1\n");
  say(*log_a, "line\n");
  wait_for("a | half a line\n");
  log_a.reset();
  log_b.reset();
  run.end("a", {}, TaskState::succeeded);
  run.end("b", {}, TaskState::succeeded);
  run.finish(engine::RunState::succeeded);
  thread.join();
  EXPECT_EQ(code, ExitCode::succeeded);
  EXPECT_EQ(seen, "a | a1\nb | b1\na | half a line\n");
}

TEST_F(FollowLogs, EndsWhenTheRunsProcessIsGone) {
  test::RunWriter run(record(), "r1", {"a"});
  run.start("a");
  write_log("a", "last words\n");
  command.task = "a";
  follow();
  wait_for("last words\n");
  lock = sys::LockHolder{};  // lets it go, as the kernel does for a process that was killed
  thread.join();
  EXPECT_EQ(code, ExitCode::succeeded);
  EXPECT_THAT(err, HasSubstr("interrupted"));
}

}  // namespace
}  // namespace mlpipe::app
