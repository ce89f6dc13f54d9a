#include "runner/docker/attempt_loop.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <string>

#include "runner/docker/docker_engine.hpp"
#include "support/collecting_log.hpp"
#include "support/fake_engine_server.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;
using test::CollectingLog;
using test::FakeEngineServer;
using test::Flag;
using test::Peer;
using test::SeenRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* k_running = R"({"State":{"Status":"running","StartedAt":"2026-02-03T04:05:06Z","ExitCode":0}})";
constexpr const char* k_exited = R"({"State":{"Status":"exited","StartedAt":"2026-02-03T04:05:06Z","ExitCode":3}})";

// A container "c" on a fake engine that, unless a test says otherwise, runs it until `end` is raised.
class AttemptLoopTest : public ::testing::Test {
 protected:
  AttemptLoopTest() {
    server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
      peer.upgraded();
      end_.wait();
      peer.frame(1, "done\n");
      peer.close();
    });
    server_.on("POST /containers/c/wait", [this](Peer& peer, const SeenRequest&) {
      peer.head_of_stream();
      end_.wait();
      peer.chunk(R"({"StatusCode":3})");
      peer.end_of_stream();
    });
    server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
      peer.answer(204, "");
      end_.raise();
    });
    server_.on("GET /containers/c/json", 200, k_running);
  }
  ~AttemptLoopTest() override {
    end_.raise();
    server_.stop();
  }

  Result<> run(EngineTraits traits = {}) {
    Handshake handshake;
    handshake.info.api_version = "1.41";
    handshake.traits = traits;
    DockerEngine engine({.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}}, handshake,
                        RegistryAuth(), "", times_);
    return engine.run(
        "c", log_, [this] { ++started_; }, stop_);
  }

  LoopTimes times_{.answer = 2s,
                   .start = 2s,
                   .sweep = 20ms,
                   .quick_sweep = 5ms,
                   .closed_log = 60ms,
                   .silent_log = 60ms,
                   .stop_retry = 5ms,
                   .kill = 100ms};
  Flag end_;
  Flag stopping_;
  std::atomic<int> kills_ = 0;
  CollectingLog log_;
  sys::StopSignal stop_;
  int started_ = 0;
  FakeEngineServer server_;
};

TEST_F(AttemptLoopTest, AttachesThenRegistersTheWaitThenStarts) {
  times_.sweep = 1min;
  const Result<> ran = run();
  EXPECT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(log_.out(), "done\n");
  EXPECT_EQ(started_, 1);
  EXPECT_THAT(server_.seen(), ElementsAre("POST /containers/c/attach?stream=1&stdout=1&stderr=1",
                                          "POST /containers/c/wait?condition=next-exit", "POST /containers/c/start"));
}

TEST_F(AttemptLoopTest, OutputThatComesWithTheUpgradeIsKept) {
  server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    peer.send(head + std::string("\1\0\0\0\0\0\0\5early", 13));
    end_.wait();
    peer.close();
  });
  EXPECT_TRUE(run());
  EXPECT_EQ(log_.out(), "early");
}

// The daemon was killed: attach ends cleanly, wait answers 200 with an empty body. Nothing of that means success.
TEST_F(AttemptLoopTest, AnEmptyWaitAnswerAndAClosedLogOfARunningContainerAreALostConnection) {
  server_.on("POST /containers/c/wait", [this](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    end_.wait();
    peer.end_of_stream();
  });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
}

TEST_F(AttemptLoopTest, ATruncatedWaitAnswerLeavesItToInspect) {
  server_.on("POST /containers/c/wait", [this](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    end_.wait();
    peer.send("10\r\n{\"Status");
    peer.close();
  });
  server_.on("GET /containers/c/json", 200, k_exited);
  EXPECT_TRUE(run());
  EXPECT_EQ(log_.out(), "done\n");
}

TEST_F(AttemptLoopTest, ADaemonThatDiesIsUnavailable) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    peer.answer(204, "");
    server_.vanish();
    end_.raise();
  });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
}

TEST_F(AttemptLoopTest, ALogThatEndsWhileTheContainerRunsIsUnavailableInBoundedTime) {
  server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
    peer.upgraded();
    end_.wait();
    peer.close();
  });
  server_.on("POST /containers/c/wait", [](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    peer.hold();
  });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_THAT(ran.error().message, HasSubstr("cut off"));
}

TEST_F(AttemptLoopTest, ALogThatStaysOpenAfterTheEndIsNotWaitedForForever) {
  server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
    peer.upgraded();
    end_.wait();
    peer.frame(2, "last words");
    peer.hold();
  });
  EXPECT_TRUE(run());
  EXPECT_EQ(log_.err(), "last words");
}

// next-exit registered after the exit hangs for ever; the sweep of inspects is what ends it.
TEST_F(AttemptLoopTest, AWaitThatHangsIsFoundOutByTheSweep) {
  server_.on("POST /containers/c/wait", [](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    peer.hold();
  });
  server_.on("GET /containers/c/json", 200, k_exited);
  EXPECT_TRUE(run());
}

TEST_F(AttemptLoopTest, AContainerRemovedByAStrangerEndsTheRun) {
  server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
    peer.upgraded();
    peer.hold();
  });
  server_.on("POST /containers/c/wait", [this](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    end_.wait();
    peer.close();
  });
  server_.on("GET /containers/c/json", 404, R"({"message":"No such container: c"})");
  EXPECT_TRUE(run());
}

TEST_F(AttemptLoopTest, AnEngineThatNoLongerAnswersInspectsIsUnavailable) {
  times_.answer = 300ms;
  server_.on("POST /containers/c/start", [](Peer& peer, const SeenRequest&) { peer.answer(204, ""); });
  server_.on("GET /containers/c/json", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_THAT(ran.error().message, HasSubstr("no answer within 300 ms"));
}

TEST_F(AttemptLoopTest, AnEngineThatHangsAtTheWaitIsUnavailableAndNothingIsStarted) {
  times_.answer = 50ms;
  server_.on("POST /containers/c/wait", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_EQ(server_.seen().size(), 2U);
}

TEST_F(AttemptLoopTest, AnEngineThatHangsAtTheStartIsUnavailable) {
  times_.start = 50ms;
  server_.on("POST /containers/c/start", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_EQ(started_, 0);
}

// Starting again could run an ended container twice.
TEST_F(AttemptLoopTest, AStartWithoutAnAnswerIsNeverSentAgain) {
  server_.on("POST /containers/c/start", [](Peer& peer, const SeenRequest&) { peer.close(); });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_EQ(server_.seen().size(), 3U);
}

// Not the code of a command that is not there: the caller's own inspect finds out that the container is gone.
TEST_F(AttemptLoopTest, AContainerThatIsGoneBeforeItStartsIsUnavailable) {
  server_.on("POST /containers/c/attach", 404, R"({"message":"No such container: c"})");
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_THAT(ran.error().message, HasSubstr("No such container"));
}

TEST_F(AttemptLoopTest, AContainerThatRunsAlreadyIsWaitedForAnew) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    peer.answer(304, "");
    end_.raise();
  });
  server_.on("POST /containers/c/wait?condition=next-exit", [](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    peer.hold();
  });
  times_.sweep = 1min;
  EXPECT_TRUE(run());
  EXPECT_EQ(started_, 1);
  EXPECT_EQ(server_.seen().back(), "POST /containers/c/wait?condition=not-running");
}

TEST_F(AttemptLoopTest, PodmanIsAskedToWaitAfterTheStart) {
  times_.sweep = 1min;
  EXPECT_TRUE(run({.podman = true}));
  EXPECT_THAT(server_.seen(), ElementsAre("POST /containers/c/attach?stream=1&stdout=1&stderr=1",
                                          "POST /containers/c/start", "POST /containers/c/wait?condition=not-running"));
}

struct Refusal {
  int status;
  const char* message;
  ErrorCode code;
  const char* shown;
};

TEST_F(AttemptLoopTest, StartRefusalsAreUnderstood) {
  const Refusal refusals[] = {
      {400,
       R"(OCI runtime create failed: runc create failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown)",
       ErrorCode::not_found, "\"nosuch\": executable file not found in $PATH (the engine says: OCI runtime"},
      {404,
       R"(OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"x\": stat x: no such file or directory: unknown)",
       ErrorCode::not_found, "\"x\": stat x: no such file or directory (the engine"},
      {400, R"(runc create failed: unable to start container process: exec: \"/x\": permission denied: unknown)",
       ErrorCode::invalid_input, "\"/x\": permission denied (the engine"},
      {500, R"(exec: \"/x\": exec format error)", ErrorCode::invalid_input, "exec format error"},
      {500,
       R"(crun: executable file `nosuch` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found)",
       ErrorCode::not_found, "nosuch"},
      {500, R"(could not select device driver \"\" with capabilities: [[gpu]])", ErrorCode::invalid_input,
       "device driver"},
      {500, "write /var/lib/docker/x: no space left on device", ErrorCode::no_space, "no space left"},
      {404, "No such container: c", ErrorCode::unavailable, "No such container"},
      {409, "cannot join network of a non running container: abc", ErrorCode::conflict, "non running"},
      {500, "something odd", ErrorCode::io, "something odd"},
      {503, "This node is not a swarm manager", ErrorCode::unavailable, "swarm"},
  };
  for (const Refusal& refusal : refusals) {
    server_.on("POST /containers/c/start", refusal.status, fmt::format(R"({{"message":"{}"}})", refusal.message));
    const Result<> ran = run();
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, refusal.code) << refusal.message;
    EXPECT_THAT(ran.error().message, HasSubstr(refusal.shown));
    EXPECT_EQ(started_, 0);
  }
}

TEST_F(AttemptLoopTest, AStreamOutOfStepIsAnErrorNotACrash) {
  server_.on("POST /containers/c/attach", [](Peer& peer, const SeenRequest&) {
    peer.upgraded();
    peer.send("plain text instead of frames");
    peer.hold();
  });
  server_.on("POST /containers/c/start", [](Peer& peer, const SeenRequest&) { peer.answer(204, ""); });
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, HasSubstr("out of step"));
}

TEST_F(AttemptLoopTest, AStopIsAskedForWhileTheOutputFlowsOn) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    peer.answer(204, "");
    stop_.request(sys::StopSignal::Level::graceful);
  });
  server_.on("POST /containers/c/stop", [this](Peer& peer, const SeenRequest&) {
    stopping_.raise();
    end_.wait();
    peer.answer(204, "");
  });
  server_.on("POST /containers/c/attach", [this](Peer& peer, const SeenRequest&) {
    peer.upgraded();
    stopping_.wait();
    for (int i = 0; i < 1000; ++i) peer.frame(1, std::string(10000, 'x'));  // blocks unless it is drained
    end_.raise();
    peer.close();
  });
  EXPECT_TRUE(run());
  EXPECT_EQ(log_.out().size(), 10'000'000U);
}

TEST_F(AttemptLoopTest, AKillThatFailsIsTriedAgain) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    peer.answer(204, "");
    stop_.request(sys::StopSignal::Level::kill);
  });
  server_.on("POST /containers/c/kill", [this](Peer& peer, const SeenRequest&) {
    if (++kills_ < 3) return peer.answer(500, R"({"message":"busy"})");
    peer.answer(204, "");
    end_.raise();
  });
  times_.kill = 10s;
  EXPECT_TRUE(run());
  EXPECT_EQ(kills_, 3);
}

TEST_F(AttemptLoopTest, AContainerThatCannotBeKilledIsGivenUp) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    peer.answer(204, "");
    stop_.request(sys::StopSignal::Level::kill);
  });
  server_.on("POST /containers/c/kill", 204, "");
  const Result<> ran = run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_THAT(ran.error().message, HasSubstr("has not ended"));
}

TEST_F(AttemptLoopTest, AStopDuringTheStartIsSentOnceItRuns) {
  server_.on("POST /containers/c/start", [this](Peer& peer, const SeenRequest&) {
    stop_.request(sys::StopSignal::Level::graceful);
    peer.answer(204, "");
  });
  server_.on("POST /containers/c/stop", [this](Peer& peer, const SeenRequest&) {
    peer.answer(204, "");
    end_.raise();
  });
  EXPECT_TRUE(run());
  EXPECT_EQ(started_, 1);
}

TEST_F(AttemptLoopTest, FollowReadsTheStoredLogAndWaitsForTheEnd) {
  server_.on("GET /containers/c/logs?follow=1&stdout=1&stderr=1", [this](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    peer.chunk(std::string("\1\0\0\0\0\0\0\5begin\2\0\0\0", 17));
    end_.wait();
    peer.chunk(std::string("\0\0\0\3err", 7));
    peer.end_of_stream();
  });
  server_.on("POST /containers/c/wait?condition=not-running", [this](Peer& peer, const SeenRequest&) {
    end_.raise();
    peer.answer(200, R"({"StatusCode":0})");
  });
  Handshake handshake;
  handshake.info.api_version = "1.41";
  DockerEngine engine({.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}}, handshake,
                      RegistryAuth(), "", times_);
  const Result<> followed = engine.follow("c", log_, stop_);
  EXPECT_TRUE(followed) << followed.error().message;
  EXPECT_EQ(log_.out(), "begin");
  EXPECT_EQ(log_.err(), "err");
}

}  // namespace
}  // namespace mlpipe::runner::docker
