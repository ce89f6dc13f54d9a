#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "mlpipe/runner/process.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/fd.hpp"
#include "runner/process_attempt.hpp"
#include "runner/process_marks.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;
using sys::StopSignal;
using test::TempDir;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Keeps what was written; others may wait until some text has come.
class FakeLog final : public LogSink {
 public:
  void write(Stream stream, std::span<const std::byte> bytes) override {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::lock_guard lock(mutex_);
    (stream == Stream::out ? out_ : err_) += text;
    came_.notify_all();
  }
  bool wait_for(const std::string& text) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, 30s, [&] { return out_.find(text) != std::string::npos; });
  }
  std::string out() const {
    const std::lock_guard lock(mutex_);
    return out_;
  }
  std::string err() const {
    const std::lock_guard lock(mutex_);
    return err_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::string out_;
  std::string err_;
};

// Not there, or it ends now that it was killed: a zombie counts as dead, whoever is to reap it.
bool is_dead(pid_t pid) {
  const sys::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  return !process || ::poll(&ended, 1, 10'000) == 1;
}

class ProcessEngine : public testing::Test {
 protected:
  const TempDir dir_;
  const std::unique_ptr<ContainerEngine> engine_ = make_process_engine();
  FakeLog log_;
  StopSignal stop_;

  ContainerConfig config(const std::string& script) const {
    ContainerConfig config;
    config.name = "mlpipe-test-" + std::to_string(::getpid()) + "-train-1";
    config.labels = {{"mlpipe.root", dir_.path().string()}, {"mlpipe.run", "r1"}};
    config.image = "process";
    config.entrypoint = {"/bin/sh", "-c", script};
    config.env = {"HOME=" + dir_.path().string()};
    return config;
  }

  Result<> run(const ContainerConfig& config) {
    const Result<std::string> id = engine_->create(config);
    if (!id) return Failure(id.error());
    return engine_->run(
        *id, log_, [] {}, stop_);
  }
  ContainerState end_of(const ContainerConfig& config) {
    const Result<> ran = run(config);
    EXPECT_TRUE(ran) << ran.error().message;
    return engine_->inspect(config.name).value();
  }
};

TEST_F(ProcessEngine, RunsACommandAndKeepsItsStreamsApart) {
  const ContainerConfig job = config("echo out; echo err >&2; printf partial; exit 3");
  int started = 0;
  const std::string id = engine_->create(job).value();
  EXPECT_EQ(engine_->inspect(id)->status, ContainerState::Status::created);
  ASSERT_TRUE(engine_->run(
      id, log_, [&] { ++started; }, stop_));
  EXPECT_EQ(started, 1);
  EXPECT_EQ(log_.out(), "out\npartial");
  EXPECT_EQ(log_.err(), "err\n");
  const ContainerState state = engine_->inspect(id).value();
  EXPECT_EQ(state.status, ContainerState::Status::exited);
  EXPECT_TRUE(state.started);
  EXPECT_EQ(state.exit_code, 3);
  ASSERT_TRUE(engine_->remove(id));
  EXPECT_EQ(engine_->inspect(id).error().code, ErrorCode::not_found);
}

TEST_F(ProcessEngine, HasNoMountsAndAnyImage) {
  EXPECT_FALSE(engine_->info().mounts);
  EXPECT_EQ(engine_->info().name, "process");
  EXPECT_GT(engine_->info().cpus, 0);
  EXPECT_EQ(engine_->inspect_image("python:3.11-slim")->id, "process");
  EXPECT_EQ(engine_
                ->pull_image(
                    "x", [](std::string_view) {}, stop_)
                ->id,
            "process");
  EXPECT_EQ(engine_
                ->build_image(
                    {.context = "/nowhere", .tag = "x"}, [](std::string_view) {}, stop_)
                ->id,
            "process");
}

TEST_F(ProcessEngine, TellsSignalsByTheirExitCode) {
  EXPECT_EQ(end_of(config("kill -SEGV $$")).exit_code, 128 + SIGSEGV);
}

TEST_F(ProcessEngine, CommandFollowsEntrypointAndArgumentsStayWhole) {
  ContainerConfig job = config("");
  job.entrypoint = {"printf", "%s|"};
  job.command = {"a b", "$(x)", "", "\n"};
  ASSERT_EQ(end_of(job).exit_code, 0);
  EXPECT_EQ(log_.out(), "a b|$(x)||\n|");
}

TEST_F(ProcessEngine, PassesOnOnlyPathAndHomeAndTheTasksOwnVariables) {
  ::setenv("MLPIPE_TEST_LEAK", "1", 1);
  ContainerConfig job = config("");
  job.entrypoint = {"env"};
  job.env = {"GREETING=hello=world"};
  job.gpus = {"GPU-a", "GPU-b"};
  ASSERT_EQ(end_of(job).exit_code, 0);
  ::unsetenv("MLPIPE_TEST_LEAK");
  std::vector<std::string> names;
  std::istringstream lines(log_.out());
  for (std::string line; std::getline(lines, line);) names.push_back(line.substr(0, line.find('=')));
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("PATH", "HOME", "GREETING", "CUDA_VISIBLE_DEVICES", "MLPIPE_CONTAINER"));
  EXPECT_THAT(log_.out(), HasSubstr("GREETING=hello=world\n"));
  EXPECT_THAT(log_.out(), HasSubstr("CUDA_VISIBLE_DEVICES=GPU-a,GPU-b\n"));
}

TEST_F(ProcessEngine, WorksInItsHomeOrWhereItIsTold) {
  ASSERT_EQ(end_of(config("pwd -P")).exit_code, 0);
  EXPECT_EQ(log_.out(), fs::canonical(dir_.path()).string() + "\n");
  ASSERT_TRUE(engine_->remove(config("").name));
  ContainerConfig job = config("pwd -P");
  job.working_directory = "/";
  ASSERT_EQ(end_of(job).exit_code, 0);
  EXPECT_TRUE(log_.out().ends_with("\n/\n"));
}

TEST_F(ProcessEngine, HasNothingOnStandardInput) {
  ASSERT_EQ(end_of(config("cat | wc -c")).exit_code, 0);
  EXPECT_EQ(log_.out(), "0\n");
}

TEST_F(ProcessEngine, SaysAsContainerEnginesDoWhyACommandCannotStart) {
  dir_.write("plain", "#!/bin/sh\n");
  const fs::path text = dir_.write("text", "not a program");
  ::chmod(text.c_str(), 0755);
  struct Case {
    std::string program;
    ErrorCode code;
    int exit_code;
  };
  for (const Case& c : {Case{"mlpipe-no-such-program", ErrorCode::not_found, 127},
                        Case{(dir_.path() / "absent").string(), ErrorCode::not_found, 127},
                        Case{(dir_.path() / "plain").string(), ErrorCode::invalid_input, 126},
                        Case{text.string(), ErrorCode::invalid_input, 126}}) {
    ContainerConfig job = config("");
    job.entrypoint = {c.program};
    const Result<> ran = run(job);
    ASSERT_FALSE(ran) << c.program;
    EXPECT_EQ(ran.error().code, c.code) << c.program;
    EXPECT_THAT(ran.error().message, HasSubstr(c.program));
    const ContainerState state = engine_->inspect(job.name).value();
    EXPECT_EQ(state.exit_code, c.exit_code);
    EXPECT_FALSE(state.started);
    ASSERT_TRUE(engine_->remove(job.name));
  }
}

TEST_F(ProcessEngine, RefusesWhatOnlyAContainerCanDo) {
  ContainerConfig without_command = config("");
  without_command.entrypoint.reset();
  EXPECT_EQ(engine_->create(without_command).error().code, ErrorCode::invalid_input);
  ContainerConfig elsewhere = config("true");
  elsewhere.mounts = {{.source = dir_.path(), .target = "/mlpipe/secrets/key"}};
  EXPECT_THAT(engine_->create(elsewhere).error().message, HasSubstr("/mlpipe/secrets/key"));
  ContainerConfig missing = config("true");
  missing.mounts = {{.source = dir_.path() / "absent", .target = dir_.path() / "absent"}};
  EXPECT_THAT(engine_->create(missing).error().message, HasSubstr("is not there"));
  ContainerConfig fine = config("true");
  fine.mounts = {{.source = dir_.path(), .target = dir_.path()}};
  EXPECT_TRUE(engine_->create(fine));
}

TEST_F(ProcessEngine, RefusesANameTwice) {
  ASSERT_TRUE(engine_->create(config("true")));
  EXPECT_EQ(engine_->create(config("true")).error().code, ErrorCode::conflict);
}

TEST_F(ProcessEngine, StopsWithGrace) {
  auto ran = std::async(std::launch::async, [&] {
    return run(config("trap 'echo cleaning; exit 7' TERM; echo ready; while :; do sleep 0.05; done"));
  });
  ASSERT_TRUE(log_.wait_for("ready"));
  stop_.request(StopSignal::Level::graceful);
  ASSERT_TRUE(ran.get());
  EXPECT_THAT(log_.out(), HasSubstr("cleaning"));
  EXPECT_EQ(engine_->inspect(config("").name)->exit_code, 7);
}

TEST_F(ProcessEngine, KillsWhatIgnoresTheStopWhenTheGraceIsOver) {
  ContainerConfig job = config("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  job.grace = 1s;
  auto ran = std::async(std::launch::async, [&] { return run(job); });
  ASSERT_TRUE(log_.wait_for("ready"));
  const auto begin = std::chrono::steady_clock::now();
  stop_.request(StopSignal::Level::graceful);
  ASSERT_TRUE(ran.get());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_EQ(engine_->inspect(job.name)->exit_code, 128 + SIGKILL);
}

TEST_F(ProcessEngine, KillsAtOnceWhenAskedTo) {
  auto ran = std::async(std::launch::async, [&] { return run(config("trap '' TERM; echo ready; sleep 100")); });
  ASSERT_TRUE(log_.wait_for("ready"));
  stop_.request(StopSignal::Level::graceful);
  stop_.request(StopSignal::Level::kill);
  ASSERT_TRUE(ran.get());
  EXPECT_EQ(engine_->inspect(config("").name)->exit_code, 128 + SIGKILL);
}

TEST_F(ProcessEngine, ObeysAStopThatWasAcknowledgedBefore) {
  stop_.request(StopSignal::Level::kill);
  stop_.acknowledge();
  EXPECT_EQ(end_of(config("sleep 100")).exit_code, 128 + SIGKILL);
}

TEST_F(ProcessEngine, LeavesNoDescendantBehind) {
  const std::string pids = (dir_.path() / "pids").string();
  // One in the background, one that left the session and the group.
  ASSERT_EQ(end_of(config("sleep 100 & echo $! >> " + pids + "; setsid sleep 100 & echo $! >> " + pids + "; echo done"))
                .exit_code,
            0);
  EXPECT_EQ(log_.out(), "done\n");
  std::istringstream list(test::slurp(pids));
  int seen = 0;
  for (pid_t pid = 0; list >> pid; ++seen) EXPECT_TRUE(is_dead(pid)) << pid;
  EXPECT_EQ(seen, 2);
}

TEST_F(ProcessEngine, DrainsMoreThanThePipesHold) {
  ASSERT_EQ(end_of(config("head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo end")).exit_code, 0);
  EXPECT_EQ(log_.out().size(), 5'000'004U);
  EXPECT_EQ(log_.err().size(), 3'000'000U);
}

TEST_F(ProcessEngine, CanBeStoppedKilledAndRemovedFromOtherThreads) {
  const auto running = [&](const std::string& script) {
    auto ran = std::async(std::launch::async, [this, script] { return run(config(script)); });
    EXPECT_TRUE(log_.wait_for("ready " + script.substr(0, 3)));
    return ran;
  };
  const std::string name = config("").name;
  {
    auto ran = running("A=1; echo ready A=1; sleep 100");
    EXPECT_EQ(engine_->inspect(name)->status, ContainerState::Status::running);
    ASSERT_TRUE(engine_->stop(name, 30s));
    EXPECT_TRUE(ran.get());
    EXPECT_EQ(engine_->inspect(name)->exit_code, 128 + SIGTERM);
    ASSERT_TRUE(engine_->remove(name));
  }
  {
    auto ran = running("B=1; echo ready B=1; sleep 100");
    ASSERT_TRUE(engine_->kill(name));
    EXPECT_TRUE(ran.get());
    EXPECT_EQ(engine_->inspect(name)->exit_code, 128 + SIGKILL);
    ASSERT_TRUE(engine_->remove(name));
  }
  {
    auto ran = running("C=1; echo ready C=1; sleep 100");
    ASSERT_TRUE(engine_->remove(name));
    EXPECT_TRUE(ran.get());
    EXPECT_EQ(engine_->inspect(name).error().code, ErrorCode::not_found);
  }
}

TEST_F(ProcessEngine, WhatIsNotThereIsSaidOrFine) {
  EXPECT_EQ(engine_
                ->run(
                    "nobody", log_, [] {}, stop_)
                .error()
                .code,
            ErrorCode::not_found);
  EXPECT_EQ(engine_->inspect("nobody").error().code, ErrorCode::not_found);
  EXPECT_EQ(engine_->stop("nobody", 1s).error().code, ErrorCode::not_found);
  EXPECT_TRUE(engine_->remove("nobody"));
}

TEST_F(ProcessEngine, ARemovedOneNeverRuns) {
  const std::string id = engine_->create(config("true")).value();
  ASSERT_TRUE(engine_->stop(id, 1s));
  EXPECT_FALSE(engine_->run(
      id, log_, [] {}, stop_));
}

TEST_F(ProcessEngine, ListsByLabels) {
  ASSERT_TRUE(engine_->create(config("true")));
  const std::string root = dir_.path().string();
  EXPECT_EQ(engine_->list({{"mlpipe.root", root}, {"mlpipe.run", "r1"}})->size(), 1U);
  EXPECT_EQ(engine_->list({{"mlpipe.root", root}, {"mlpipe.run", "r2"}})->size(), 0U);
}

// A process as an mlpipe that was killed would have left it.
class Leftover : public ProcessEngine {
 protected:
  Leftover() {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const std::string mark =
        std::string(k_process_mark) + "=" + to_text({.name = config("").name, .labels = config("").labels});
    child_ = ::fork();
    if (child_ == 0) {
      ::setsid();
      const char* argv[] = {"sleep", "100", nullptr};
      const char* env[] = {"PATH=/usr/bin:/bin", mark.c_str(), nullptr};
      ::execve("/bin/sleep", const_cast<char**>(argv), const_cast<char**>(env));
      ::_exit(127);
    }
    // The pipe's other end closes at the exec: from then on the mark can be seen.
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 0);
    ::close(ready[0]);
  }
  ~Leftover() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  pid_t child_ = 0;
};

TEST_F(Leftover, IsListedAndSeenRunning) {
  const auto found = engine_->list({{"mlpipe.root", dir_.path().string()}}).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, config("").name);
  EXPECT_TRUE(found[0].running);
  EXPECT_EQ(engine_->inspect(found[0].id)->status, ContainerState::Status::running);
}

TEST_F(Leftover, BarsItsNameUntilItIsRemoved) {
  EXPECT_EQ(engine_->create(config("true")).error().code, ErrorCode::conflict);
  ASSERT_TRUE(engine_->remove(config("").name));
  EXPECT_TRUE(is_dead(child_));
  EXPECT_TRUE(engine_->create(config("true")));
}

TEST_F(Leftover, CannotBePickedUpSoItIsEnded) {
  ASSERT_TRUE(engine_->follow(config("").name, log_, stop_));
  EXPECT_TRUE(is_dead(child_));
  EXPECT_EQ(engine_->inspect(config("").name).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace mlpipe::runner
