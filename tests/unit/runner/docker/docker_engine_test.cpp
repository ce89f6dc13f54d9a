#include "runner/docker/docker_engine.hpp"

#include <gmock/gmock.h>

#include "support/fake_engine_server.hpp"

namespace mlpipe::runner::docker {
namespace {

using test::FakeEngineServer;
using test::Flag;
using test::Peer;
using test::SeenRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* k_killed =
    R"({"State":{"Status":"exited","StartedAt":"2026-02-03T04:05:06.25Z","FinishedAt":"2026-02-03T04:05:09.5Z","ExitCode":137,
"OOMKilled":false},"HostConfig":{"Memory":1048576}})";
constexpr const char* k_oom_event = R"({"status":"oom","id":"c","Type":"container","Action":"oom"})"
                                    "\n";
constexpr const char* k_kill_event = R"({"status":"kill","id":"c","Type":"container","Action":"kill"})"
                                     "\n";

class DockerEngineTest : public ::testing::Test {
 protected:
  ~DockerEngineTest() override { server_.stop(); }

  // What inspect says of the container "c", whose events are answered by `events`.
  bool oom_killed(const char* container, FakeEngineServer::Handler events, EngineTraits traits = {}) {
    server_.on("GET /containers/c/json", 200, container);
    server_.on("GET /events", std::move(events));
    Handshake handshake;
    handshake.info.api_version = "1.41";
    handshake.traits = traits;
    DockerEngine engine({.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}}, handshake,
                        RegistryAuth(), "");
    const Result<ContainerState> state = engine.inspect("c");
    EXPECT_TRUE(state);
    return state && state->oom_killed;
  }
  static FakeEngineServer::Handler saying(std::string events) {
    return [events = std::move(events)](Peer& peer, const SeenRequest&) {
      peer.head_of_stream();
      if (!events.empty()) peer.chunk(events);
      peer.end_of_stream();
    };
  }

  FakeEngineServer server_;
};

TEST_F(DockerEngineTest, AnOomKillThatTheStateMissedIsFoundInTheEvents) {
  EXPECT_TRUE(oom_killed(k_killed, [](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    peer.chunk(k_oom_event);
    peer.hold();  // the engine would go on until the time is over: not waited for
  }));
  const std::vector<std::string> seen = server_.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_THAT(seen[1], HasSubstr("events?since=1770091506.250&until=1770091511.500&filters="));
  EXPECT_THAT(seen[1], HasSubstr(url_encoded(R"("container":["c"])")));
}

TEST_F(DockerEngineTest, AKillThroughTheEngineIsNone) { EXPECT_FALSE(oom_killed(k_killed, saying(k_kill_event))); }

TEST_F(DockerEngineTest, WhatCameFirstCounts) {
  EXPECT_FALSE(oom_killed(k_killed, saying(std::string(k_kill_event) + k_oom_event)));
}

TEST_F(DockerEngineTest, NoEventIsNoOomKill) { EXPECT_FALSE(oom_killed(k_killed, saying(""))); }

TEST_F(DockerEngineTest, AnEngineThatTellsNoEventsIsBelieved) {
  EXPECT_FALSE(oom_killed(k_killed, [](Peer& peer, const SeenRequest&) { peer.answer(500, R"({"message":"no"})"); }));
  EXPECT_FALSE(oom_killed(k_killed, [](Peer& peer, const SeenRequest&) { peer.close(); }));
}

TEST_F(DockerEngineTest, OnlyWhatIsUnclearIsAskedFor) {
  const auto never = [](Peer& peer, const SeenRequest&) { peer.answer(200, k_oom_event); };
  std::string other = k_killed;
  other.replace(other.find("137"), 3, "143");
  EXPECT_FALSE(oom_killed(other.c_str(), never));
  std::string unlimited = k_killed;
  unlimited.replace(unlimited.find("1048576"), 7, "0");
  EXPECT_FALSE(oom_killed(unlimited.c_str(), never));
  std::string known = k_killed;
  known.replace(known.find("false"), 5, "true");
  EXPECT_TRUE(oom_killed(known.c_str(), never));
  EXPECT_FALSE(oom_killed(k_killed, never, {.podman = true}));
  EXPECT_THAT(server_.seen(), testing::Each(HasSubstr("/containers/c/json")));
}

}  // namespace
}  // namespace mlpipe::runner::docker
