#include "mlpipe/sys/subprocess.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "mlpipe/sys/child_process.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/signals.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::TempDir;
using testing::HasSubstr;

fs::path write_script(const TempDir& dir, const std::string& name, const std::string& text) {
  const fs::path file = dir.write(name, text);
  ::chmod(file.c_str(), 0755);
  return file;
}

Result<CommandResult> shell(const std::string& script, CommandOptions options = {}) {
  return run_command({"sh", "-c", script}, options);
}

TEST(RunCommand, GivesOutputErrorsAndExitCodeApart) {
  const CommandResult result = shell("echo out; echo err >&2; exit 3").value();
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_FALSE(result.ok());
}

TEST(RunCommand, TellsASignalFromAnExit) {
  const CommandResult result = shell("kill -9 $$").value();
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
}

TEST(RunCommand, PassesArgumentsExactly) {
  const std::string nasty = "; rm -rf / $(x) `y` \"'\n\t*";
  EXPECT_EQ(run_command({"printf", "%s", nasty}).value().out, nasty);
}

TEST(RunCommand, MovesMoreThanAPipeHoldsBothWays) {
  const std::string input(3'000'000, 'x');
  const CommandResult result = shell("cat; head -c 300000 /dev/zero >&2", {.input = input}).value();
  EXPECT_EQ(result.out, input);
  EXPECT_EQ(result.err.size(), 300'000U);
}

TEST(RunCommand, IsFineWithAProgramThatWantsNoInput) {
  EXPECT_TRUE(shell("exec 0<&-; sleep 0.05", {.input = std::string(3'000'000, 'x')}).value().ok());
}

TEST(RunCommand, GivesAnEmptyInputWhenThereIsNone) { EXPECT_EQ(shell("cat | wc -c").value().out, "0\n"); }

TEST(RunCommand, KeepsOnlySoMuchOutput) {
  const CommandResult result = shell("head -c 500000 /dev/zero", {.max_output = 1000}).value();
  EXPECT_EQ(result.out.size(), 1000U);
  EXPECT_TRUE(result.truncated);
  EXPECT_TRUE(result.ok());
}

TEST(RunCommand, KillsTheWholeGroupAtTheDeadline) {
  const TempDir dir;
  const auto begin = std::chrono::steady_clock::now();
  const Result<CommandResult> result =
      shell("sleep 100 & echo $! > " + (dir.path() / "pid").string() + "; wait", {.deadline = milliseconds(300)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::unavailable);
  EXPECT_THAT(result.error().message, HasSubstr("300 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(test::slurp(dir.path() / "pid")), 0)));
  pollfd ended{process.get(), POLLIN, 0};
  EXPECT_TRUE(!process || ::poll(&ended, 1, 10'000) == 1);  // gone, or ending now
}

TEST(RunCommand, DoesNotWaitForDescendantsThatHoldThePipes) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(shell("sleep 100 & echo done").value().out, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(RunCommand, SetsAndUnsetsVariables) {
  const CommandResult result =
      shell("echo \"$A|${HOME-unset}\"; [ -n \"$PATH\" ]", {.env = {{"A", "x=y z"}, {"HOME", std::nullopt}}}).value();
  EXPECT_EQ(result.out, "x=y z|unset\n");
  EXPECT_TRUE(result.ok());
}

TEST(RunCommand, RunsInTheWorkingFolder) {
  const TempDir dir;
  write_script(dir, "tool", "#!/bin/sh\npwd -P\n");
  const std::string expected = fs::canonical(dir.path()).string() + "\n";
  EXPECT_EQ(shell("pwd -P", {.working_directory = dir.path()}).value().out, expected);
  EXPECT_EQ(run_command({"./tool"}, {.working_directory = dir.path()}).value().out, expected);
}

TEST(RunCommand, SaysWhyAProgramCannotBeRun) {
  const TempDir dir;
  dir.write("plain", "#!/bin/sh\n");
  write_script(dir, "no_interpreter", "#!/no/such/interpreter -x\n");
  write_script(dir, "no_program", "just text");
  const auto error_of = [&](const std::string& program) { return run_command({program}).error(); };
  EXPECT_EQ(error_of("mlpipe-no-such-program").code, ErrorCode::not_found);
  EXPECT_THAT(error_of("mlpipe-no-such-program").message, HasSubstr("PATH"));
  EXPECT_EQ(error_of((dir.path() / "absent").string()).code, ErrorCode::not_found);
  EXPECT_EQ(error_of((dir.path() / "plain").string()).code, ErrorCode::permission);
  EXPECT_EQ(error_of(dir.path().string()).code, ErrorCode::permission);
  EXPECT_EQ(error_of((dir.path() / "no_interpreter").string()).code, ErrorCode::not_found);
  EXPECT_THAT(error_of((dir.path() / "no_interpreter").string()).message, HasSubstr("/no/such/interpreter"));
  EXPECT_EQ(error_of((dir.path() / "no_program").string()).code, ErrorCode::invalid_input);
  const Error no_folder = run_command({"true"}, {.working_directory = dir.path() / "gone"}).error();
  EXPECT_EQ(no_folder.code, ErrorCode::not_found);
  EXPECT_THAT(no_folder.message, HasSubstr("working folder"));
}

TEST(RunCommand, ChildrenInheritNoDescriptors) {
  const int leak = ::open("/dev/null", O_RDONLY);  // without close-on-exec
  const std::string fds = run_command({"ls", "/proc/self/fd"}).value().out;
  ::close(leak);
  EXPECT_EQ(fds, "0\n1\n2\n3\n");  // 3: the folder that ls reads
}

TEST(RunCommand, ChildrenHaveNoSignalsBlockedOrIgnored) {
  const SignalWatcher watcher([](Arrival) {});
  for (const char* what : {"SigBlk:", "SigIgn:"}) {
    const std::string line = run_command({"grep", what, "/proc/self/status"}).value().out;
    ASSERT_TRUE(line.starts_with(what));
    // Of the standard signals 1 to 31; 32 and 33 are the C library's own affair.
    EXPECT_EQ(std::stoull(line.substr(8), nullptr, 16) & 0x7fffffffU, 0U) << line;
  }
}

TEST(RunCommand, ChildrenCannotReachTheTerminal) { EXPECT_FALSE(shell("(: < /dev/tty) 2>/dev/null").value().ok()); }

TEST(RunCommand, WorksWhenTheStandardDescriptorsAreClosed) {
  EXPECT_EXIT(
      {
        ::close(0);
        ::close(1);
        ::close(2);
        const Result<CommandResult> result = shell("cat; echo err >&2", {.input = "in"});
        std::_Exit(result && result->out == "in" && result->err == "err\n" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(RunCommand, RunsFromSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::array<std::string, 8> answers;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) answers[i] = shell("cat", {.input = std::to_string(i)}).value().out;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], std::to_string(i));
}

TEST(RunCommand, SaysWhenArgumentsAreTooLong) {
  const Error error = run_command({"true", std::string(4'000'000, 'x')}).error();
  EXPECT_EQ(error.code, ErrorCode::invalid_input);
  EXPECT_THAT(error.message, HasSubstr("longer than the system allows"));
}

TEST(FindProgram, PassesOverWhatCannotBeRun) {
  const TempDir dir;
  dir.write("a/tool", "x");
  fs::create_directories(dir.path() / "b" / "tool");
  const fs::path good = write_script(dir, "c/tool", "#!/bin/sh\n");
  const auto path = [&](const char* folders) {
    std::string text;
    for (const char* c = folders; *c != '\0'; ++c) text += (dir.path() / std::string(1, *c)).string() + ":";
    return text;
  };
  EXPECT_EQ(find_program("tool", path("abc")).value(), good);
  EXPECT_EQ(find_program("tool", path("ab")).error().code, ErrorCode::permission);
  EXPECT_EQ(find_program("tool", path("b")).error().code, ErrorCode::not_found);
  EXPECT_EQ(find_program("", path("c")).error().code, ErrorCode::not_found);
}

TEST(ChildProcess, IsKilledWithItsGroupWhenItsObjectGoes) {
  pid_t pid = 0;
  {
    Result<ChildProcess> child =
        spawn({.program = find_program("sleep", program_search_path()).value(), .argv = {"sleep", "100"}});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(::getpgid(pid), pid);
  }
  EXPECT_EQ(::kill(-pid, 0), -1);
}

TEST(ChildProcess, SignalsReachTheGroupAndTheExitIsSeen) {
  Result<ChildProcess> child =
      spawn({.program = find_program("sleep", program_search_path()).value(), .argv = {"sleep", "100"}});
  ASSERT_TRUE(child);
  child->signal_group(SIGTERM);
  pollfd polled{child->exit_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&polled, 1, 20'000), 1);
  EXPECT_EQ(child->wait(), (ExitStatus{.exit_code = 128 + SIGTERM, .signal = SIGTERM}));
  child->signal_group(SIGKILL);  // too late, harmless
}

}  // namespace
}  // namespace mlpipe::sys
