#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "support/docker_fixture.hpp"

namespace mlpipe {
namespace {

using namespace std::chrono_literals;
using runner::ContainerState;
using Status = runner::ContainerState::Status;
using test::CollectingLog;
using test::DockerFixture;
using test::Outcome;
using ::testing::HasSubstr;

class RealContainer : public DockerFixture {};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST_F(RealContainer, ExitCodesArriveAsTheyAre) {
  for (const int code : {0, 1, 2, 125, 126, 127, 137, 139, 143, 255}) {
    const Outcome outcome = run(shell("exit " + std::to_string(code)));
    EXPECT_TRUE(outcome.run) << outcome.run.error().message;
    EXPECT_EQ(outcome.state.status, Status::exited);
    EXPECT_TRUE(outcome.state.started);
    EXPECT_EQ(outcome.state.exit_code, code);
    EXPECT_FALSE(outcome.state.oom_killed);
  }
}

TEST_F(RealContainer, SignalsArriveAs128AndTheSignal) {
  for (const int signal : {6, 9, 11, 15}) {
    const Outcome outcome = run(shell(fmt::format("kill -{} $$; sleep 5", signal)));
    EXPECT_TRUE(outcome.run);
    EXPECT_EQ(outcome.state.exit_code, 128 + signal);
  }
}

TEST_F(RealContainer, FastOutputIsNeverLost) {
  for (int i = 0; i < 50; ++i) {
    const std::string word = "word " + std::to_string(i);
    const Outcome outcome = run(config({"echo", word}));
    ASSERT_TRUE(outcome.run) << outcome.run.error().message;
    ASSERT_EQ(outcome.out, word + "\n");
  }
}

TEST_F(RealContainer, FiveMegabytesComeWhole) {
  const Outcome outcome = run(shell("seq 1 700000"));
  std::string expected;
  for (int i = 1; i <= 700000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.out.size(), expected.size());
  EXPECT_TRUE(outcome.out == expected);
}

TEST_F(RealContainer, StandardOutputAndErrorAreToldApartAndBytesAreBytes) {
  const Outcome outcome = run(shell("printf 'a\\000b\\377\\r\\n'; printf 'e\\001\\200' >&2"));
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.out, std::string("a\0b\xff\r\n", 6));
  EXPECT_EQ(outcome.err, "e\x01\x80");
}

TEST_F(RealContainer, StartedIsCalledOnceAndTheContainerIsRunningThen) {
  const std::string id = create(shell("sleep 1"));
  CollectingLog log;
  int calls = 0;
  Status seen = Status::other;
  const Result<> ran = engine_->run(
      id, log,
      [&] {
        ++calls;
        if (const Result<ContainerState> state = engine_->inspect(id); state) seen = state->status;
      },
      stop_);
  EXPECT_TRUE(ran);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen, Status::running);
}

TEST_F(RealContainer, AStopWithGraceLetsTheProcessEndItself) {
  runner::ContainerConfig wanted = shell("trap 'echo bye; exit 7' TERM; echo ready; while true; do sleep 0.05; done");
  const std::string id = create(wanted);
  CollectingLog log;
  std::jthread stopper([&] {
    while (log.out().find("ready") == std::string::npos) std::this_thread::yield();
    stop_.request(sys::StopSignal::Level::graceful);
  });
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  const Result<ContainerState> state = engine_->inspect(id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->exit_code, 7);
  EXPECT_EQ(log.out(), "ready\nbye\n");
}

TEST_F(RealContainer, ASleepThatHandlesNoSignalEndsAtOnceThanksToInit) {
  const std::string id = create(config({"sleep", "60"}));
  CollectingLog log;
  const auto start = std::chrono::steady_clock::now();
  const Result<> ran = engine_->run(
      id, log, [&] { stop_.request(sys::StopSignal::Level::graceful); }, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_LT(seconds_since(start), 8.0);
  EXPECT_EQ(engine_->inspect(id)->exit_code, 143);
}

TEST_F(RealContainer, AContainerThatIgnoresSigtermIsKilledAfterItsGrace) {
  runner::ContainerConfig wanted = shell("trap '' TERM; echo ready; while true; do sleep 0.05; done");
  wanted.grace = 1s;
  const std::string id = create(wanted);
  CollectingLog log;
  std::chrono::steady_clock::time_point asked;
  std::jthread stopper([&] {
    while (log.out().find("ready") == std::string::npos) std::this_thread::yield();
    asked = std::chrono::steady_clock::now();
    stop_.request(sys::StopSignal::Level::graceful);
  });
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  stopper.join();
  EXPECT_EQ(engine_->inspect(id)->exit_code, 137);
  EXPECT_GE(seconds_since(asked), 0.9);
  EXPECT_LT(seconds_since(asked), 30.0);  // far from the engine's own default of 10 s plus its slowness under load
}

TEST_F(RealContainer, AKillDuringTheGraceEndsItAtOnce) {
  runner::ContainerConfig wanted = shell("trap 'echo heard' TERM; echo ready; while true; do sleep 0.05; done");
  wanted.grace = 60s;
  const std::string id = create(wanted);
  CollectingLog log;
  std::jthread stopper([&] {
    while (log.out().find("ready") == std::string::npos) std::this_thread::yield();
    stop_.request(sys::StopSignal::Level::graceful);
    while (log.out().find("heard") == std::string::npos) std::this_thread::yield();
    stop_.request(sys::StopSignal::Level::kill);
  });
  const auto start = std::chrono::steady_clock::now();
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_LT(seconds_since(start), 30.0);
  EXPECT_EQ(engine_->inspect(id)->exit_code, 137);
}

TEST_F(RealContainer, AStopBeforeTheStartStartsNothing) {
  const std::string id = create(config({"echo", "never"}));
  CollectingLog log;
  stop_.request(sys::StopSignal::Level::graceful);
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::cancelled);
  EXPECT_EQ(engine_->inspect(id)->status, Status::created);
}

TEST_F(RealContainer, OutputGoesOnDuringTheGrace) {
  const std::string id = create(shell("trap 'seq 1 200000; exit 0' TERM; echo ready; while true; do sleep 0.05; done"));
  CollectingLog log;
  std::jthread stopper([&] {
    while (log.out().find("ready") == std::string::npos) std::this_thread::yield();
    stop_.request(sys::StopSignal::Level::graceful);
  });
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_THAT(log.out(), ::testing::EndsWith("\n200000\n"));
  EXPECT_EQ(engine_->inspect(id)->exit_code, 0);
}

TEST_F(RealContainer, TooMuchMemoryIsAnOomKill) {
  runner::ContainerConfig wanted = config({"tail", "/dev/zero"});
  wanted.memory = 32ULL * 1024 * 1024;
  const Outcome outcome = run(wanted);
  EXPECT_TRUE(outcome.run);
  EXPECT_TRUE(outcome.state.oom_killed);
  EXPECT_EQ(outcome.state.exit_code, 137);
}

// Whether the engine calls it an OOM kill depends on its cgroups; that the container went on to succeed does not.
TEST_F(RealContainer, AChildThatTookTooMuchMemoryLeavesTheExitCodeToItsParent) {
  runner::ContainerConfig wanted = shell("tail /dev/zero; echo went on; exit 0");
  wanted.memory = 32ULL * 1024 * 1024;
  const Outcome outcome = run(wanted);
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.out, "went on\n");
  EXPECT_EQ(outcome.state.exit_code, 0);
}

TEST_F(RealContainer, AMissingMountSourceIsAnErrorAndMakesNoFolder) {
  const test::TempDir folder;
  runner::ContainerConfig wanted = config({"true"});
  wanted.mounts.push_back({.source = folder.path() / "absent", .target = "/data", .read_only = true});
  const Result<std::string> id = engine_->create(wanted);
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(id.error().message, HasSubstr("absent"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "absent"));
}

TEST_F(RealContainer, MountsTmpfsShmUserAndEnvironmentArriveInside) {
  const test::TempDir folder;
  folder.write("in/a.txt", "input");
  std::filesystem::create_directories(folder.path() / "out");
  std::filesystem::permissions(folder.path() / "out", std::filesystem::perms::all);
  runner::ContainerConfig wanted = shell(
      "cat /in/a.txt; echo -n x > /out/b; echo no > /in/c 2>/dev/null && echo wrote; id -u; pwd; echo $COLOUR;"
      "echo '#!/bin/sh' > /scratch/s; echo 'echo ran' >> /scratch/s; chmod +x /scratch/s 2>/dev/null || /bin/busybox "
      "chmod +x /scratch/s;"
      "/scratch/s; df -k /dev/shm | tail -1 | grep -c 131072; grep NoNewPrivs /proc/self/status");
  wanted.mounts.push_back({.source = folder.path() / "in", .target = "/in", .read_only = true});
  wanted.mounts.push_back({.source = folder.path() / "out", .target = "/out", .read_only = false});
  wanted.tmpfs.push_back("/scratch");
  wanted.env.push_back("COLOUR=deep blue");
  wanted.user = "1234:1234";
  wanted.working_directory = "/out";
  wanted.shm = 128ULL * 1024 * 1024;
  const Outcome outcome = run(wanted);
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.out, "input1234\n/out\ndeep blue\nran\n1\nNoNewPrivs:\t1\n") << outcome.err;
  EXPECT_EQ(test::slurp(folder.path() / "out" / "b"), "x");
}

TEST_F(RealContainer, MoreProcessorsThanThereAreIsRefusedAtCreate) {
  runner::ContainerConfig wanted = config({"true"});
  wanted.cpus = engine_->info().cpus + 1;
  const Result<std::string> id = engine_->create(wanted);
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::invalid_input);
}

TEST_F(RealContainer, AGpuWithoutGpuRuntimeIsSaidSo) {
  if (engine_->info().gpu_runtime) GTEST_SKIP() << "this engine has GPUs";
  runner::ContainerConfig wanted = config({"true"});
  wanted.gpus = {"GPU-00000000-0000-0000-0000-000000000000"};
  const std::string id = create(wanted);
  CollectingLog log;
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(ran.error().hint, HasSubstr("GPU"));
}

// The init process is what the engine starts: it finds out that there is no such command, and says so in the log.
TEST_F(RealContainer, ACommandThatIsNotThereIs127) {
  const Outcome outcome = run(config({"/bin/nosuch"}));
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.state.exit_code, 127);
  EXPECT_THAT(outcome.err, HasSubstr("/bin/nosuch"));
}

TEST_F(RealContainer, ACommandThatIsNotExecutableIs126) {
  const Outcome outcome = run(config({"/notexec"}));
  EXPECT_TRUE(outcome.run);
  EXPECT_EQ(outcome.state.exit_code, 126);
  EXPECT_THAT(outcome.err, HasSubstr("/notexec"));
}

TEST_F(RealContainer, AUserThatTheImageDoesNotKnowCannotStart) {
  runner::ContainerConfig wanted = config({"true"});
  wanted.user = "nosuch";
  const std::string id = create(wanted);
  CollectingLog log;
  const Result<> ran = engine_->run(id, log, {}, stop_);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(ran.error().message, HasSubstr("unable to find user nosuch"));
  const Result<ContainerState> state = engine_->inspect(id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->status, Status::created);
  EXPECT_FALSE(state->started);
  EXPECT_NE(state->exit_code, 0);
}

TEST_F(RealContainer, EntrypointReplacesAndCommandIsItsArguments) {
  runner::ContainerConfig wanted = config({});
  EXPECT_EQ(run(wanted).out, "image command\n");  // neither: the image's own
  wanted = config({"given"});
  wanted.entrypoint = std::vector<std::string>{"/bin/echo", "-n"};
  EXPECT_EQ(run(wanted).out, "given");
  wanted = config({});
  wanted.entrypoint = std::vector<std::string>{"/bin/echo"};
  EXPECT_EQ(run(wanted).out, "\n");  // not the image's Cmd
}

TEST_F(RealContainer, AStrangerRemovingItEndsTheRunAndInspectSaysGone) {
  const std::string id = create(shell("sleep 60"));
  CollectingLog log;
  const Result<> ran = engine_->run(
      id, log, [&] { ASSERT_TRUE(engine_->remove(id)); }, stop_);
  EXPECT_TRUE(ran || ran.error().code == ErrorCode::unavailable) << ran.error().message;
  const Result<ContainerState> state = engine_->inspect(id);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::not_found);
}

TEST_F(RealContainer, NamesAreTakenOnceStartsAreIdempotentRemovalsToo) {
  const runner::ContainerConfig wanted = shell("sleep 60");
  const std::string id = create(wanted);
  const Result<std::string> second = engine_->create(wanted);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_TRUE(engine_->start(id));
  EXPECT_TRUE(engine_->start(id));
  EXPECT_TRUE(engine_->kill(id));
  EXPECT_TRUE(engine_->stop(id, 1s));
  std::vector<std::jthread> removers;
  for (int i = 0; i < 4; ++i) {
    removers.emplace_back([&] {
      const Result<> removed = engine_->remove(id);
      EXPECT_TRUE(removed) << removed.error().message;
    });
  }
  removers.clear();
  EXPECT_TRUE(engine_->remove(id));
}

TEST_F(RealContainer, ListsOnlyWhatCarriesEveryLabel) {
  runner::ContainerConfig wanted = shell("sleep 60");
  wanted.labels["mlpipe.odd"] = "a=b \"c\" ü";
  const std::string first = create(wanted);
  create(shell("true"));
  const auto found = engine_->list({{k_label, wanted.labels[k_label]}, {"mlpipe.odd", wanted.labels["mlpipe.odd"]}});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().id, first);
  EXPECT_EQ(found->front().name, wanted.name);
  EXPECT_EQ(found->front().labels.at("mlpipe.odd"), wanted.labels["mlpipe.odd"]);
  EXPECT_FALSE(found->front().running);
}

TEST_F(RealContainer, TwoContainersShareANetworkNamespace) {
  runner::ContainerConfig sandbox = config({"sleep", "60"});
  const std::string host = create(sandbox);
  ASSERT_TRUE(engine_->start(host));
  runner::ContainerConfig server = shell("echo hello | nc -l -p 4242");
  server.network = "container:" + host;
  const std::string serving = create(server);
  ASSERT_TRUE(engine_->start(serving));
  runner::ContainerConfig client =
      shell("for i in $(seq 1 100); do nc 127.0.0.1 4242 && exit 0; sleep 0.05; done; exit 1");
  client.network = "container:" + host;
  const Outcome outcome = run(client);
  EXPECT_EQ(outcome.out, "hello\n") << outcome.err;
}

TEST_F(RealContainer, JoiningAnEndedSandboxIsAClearFailure) {
  const std::string sandbox = create(config({"true"}));
  CollectingLog log;
  ASSERT_TRUE(engine_->run(sandbox, log, {}, stop_));
  runner::ContainerConfig wanted = config({"true"});
  wanted.network = "container:" + sandbox;
  const Result<std::string> id = engine_->create(wanted);
  if (!id) {
    EXPECT_EQ(id.error().code, ErrorCode::conflict) << id.error().message;
    return;
  }
  created_.push_back(*id);
  const Result<> ran = engine_->run(*id, log, {}, stop_);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::conflict) << ran.error().message;
}

TEST_F(RealContainer, FollowGivesTheWholeLogOfARunningContainer) {
  const std::string id =
      create(shell("seq 1 1000; echo half >&2; while [ ! -e /go ]; do sleep 0.05; done; seq 1001 2000; exit 3"));
  ASSERT_TRUE(engine_->start(id));
  CollectingLog log;
  std::jthread releaser([&] {
    while (log.err().find("half") == std::string::npos) std::this_thread::yield();
    EXPECT_TRUE(engine_->stop(id, 0s));
  });
  const Result<> followed = engine_->follow(id, log, stop_);
  EXPECT_TRUE(followed) << followed.error().message;
  releaser.join();
  EXPECT_THAT(log.out(), ::testing::StartsWith("1\n2\n"));
  EXPECT_THAT(log.out(), ::testing::EndsWith("\n1000\n"));
  EXPECT_EQ(log.err(), "half\n");
  EXPECT_EQ(engine_->inspect(id)->status, Status::exited);
}

TEST_F(RealContainer, FollowOfAnEndedContainerGivesItsLogAndReturns) {
  const std::string id = create(shell("seq 1 1000; exit 3"));
  CollectingLog first;
  const Result<> ran = engine_->run(id, first, {}, stop_);
  ASSERT_TRUE(ran) << ran.error().message;
  CollectingLog second;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(engine_->follow(id, second, stop_));
  EXPECT_LT(seconds_since(start), 5.0);
  EXPECT_EQ(second.out(), first.out());
  EXPECT_EQ(engine_->inspect(id)->exit_code, 3);
}

TEST_F(RealContainer, FollowHonoursTheStopSignal) {
  const std::string id = create(shell("trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done"));
  ASSERT_TRUE(engine_->start(id));
  CollectingLog log;
  std::jthread stopper([&] {
    while (log.out().find("ready") == std::string::npos) std::this_thread::yield();
    stop_.request(sys::StopSignal::Level::graceful);
  });
  ASSERT_TRUE(engine_->follow(id, log, stop_));
  EXPECT_EQ(engine_->inspect(id)->exit_code, 9);
}

// A process may close its standard output and compute on: the end of the log is not the end of the container.
TEST_F(RealContainer, AContainerThatClosesItsOutputIsWaitedFor) {
  const Outcome outcome = run(shell("echo first; exec >&- 2>&-; sleep 1; exit 5"));
  EXPECT_TRUE(outcome.run) << outcome.run.error().message;
  EXPECT_EQ(outcome.out, "first\n");
  EXPECT_EQ(outcome.state.exit_code, 5);
}

TEST_F(RealContainer, SeveralRunAtOnceOnOneEngine) {
  std::vector<std::string> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(create(shell(fmt::format("seq 1 20000; exit {}", i))));
  std::vector<std::jthread> workers;
  std::vector<CollectingLog> logs(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    workers.emplace_back([&, i] {
      sys::StopSignal never;
      const Result<> ran = engine_->run(ids[i], logs[i], {}, never);
      EXPECT_TRUE(ran) << ran.error().message;
    });
  }
  workers.clear();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_THAT(logs[i].out(), ::testing::EndsWith("\n20000\n"));
    EXPECT_EQ(engine_->inspect(ids[i])->exit_code, static_cast<int>(i));
  }
}

TEST_F(RealContainer, TheEngineIsDescribed) {
  const runner::EngineInfo& info = engine_->info();
  EXPECT_THAT(info.name, ::testing::AnyOf(HasSubstr("Docker "), HasSubstr("Podman ")));
  EXPECT_THAT(info.api_version, ::testing::MatchesRegex("1\\.4[0-7]"));
  EXPECT_GT(info.cpus, 0);
  EXPECT_GT(info.memory, 0U);
  EXPECT_TRUE(info.mounts);
}

}  // namespace
}  // namespace mlpipe
