#include "runner/docker/http_client.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <vector>

#include "runner/docker/docker_engine.hpp"
#include "support/fake_engine_server.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;
using test::FakeEngineServer;
using test::Peer;
using test::SeenRequest;
using ::testing::HasSubstr;

class HttpClientTest : public ::testing::Test {
 protected:
  Endpoint endpoint() const {
    return {.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}};
  }

  std::atomic<int> count_ = 0;
  sys::StopSignal stop_;
  FakeEngineServer server_;
  HttpClient client_{endpoint()};
};

TEST_F(HttpClientTest, OneConnectionServesManyCalls) {
  server_.on("GET /a", 200, "first");
  server_.on("POST /b", [](Peer& peer, const SeenRequest& request) {
    peer.answer(201, request.body + request.headers.at("host"));
  });
  EXPECT_EQ(client_.call({.target = "/a"})->body, "first");
  const Result<Response> second = client_.call({.method = "POST", .target = "/b", .body = "text "});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, 201);
  EXPECT_EQ(second->body, "text docker");
  EXPECT_EQ(client_.call({.target = "/a"})->body, "first");
  EXPECT_EQ(server_.connections(), 1U);
}

class KeptLog final : public DebugLog {
 public:
  void write(std::string_view topic, std::string_view text) override {
    lines.push_back(fmt::format("{}: {}", topic, text));
  }
  std::vector<std::string> lines;
};

TEST_F(HttpClientTest, ALogHearsOfEveryCallButNotOfWhatWasSent) {
  KeptLog log;
  HttpClient client(endpoint(), &log);
  server_.on("POST /create", 409, "in use");
  const Request request{
      .method = "POST", .target = "/create?name=a", .headers = {{"X-Registry-Auth", "s3cret"}}, .body = "s3cret"};
  EXPECT_EQ(client.call(request)->status, 409);
  EXPECT_EQ(client.stream(request, [](std::string_view) {}, {})->status, 409);
  ASSERT_EQ(log.lines.size(), 2U);
  for (const std::string& line : log.lines) {
    EXPECT_THAT(line, testing::MatchesRegex("engine: POST /create\\?name=a: 409 in [0-9.]+ ms"));
  }
}

TEST_F(HttpClientTest, AChunkedAnswerComesWholeHoweverItIsCut) {
  server_.on("GET /a", [](Peer& peer, const SeenRequest&) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n "
        "\r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n";
    for (const char c : answer) peer.send(std::string_view(&c, 1));
  });
  EXPECT_EQ(client_.call({.target = "/a"})->body, "hello world");
  EXPECT_EQ(client_.call({.target = "/a"})->body, "hello world");
  EXPECT_EQ(server_.connections(), 1U);
}

TEST_F(HttpClientTest, AnAnswerWithoutLengthEndsWithItsConnection) {
  server_.on("GET /a", [](Peer& peer, const SeenRequest&) {
    peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    peer.close();
  });
  EXPECT_EQ(client_.call({.target = "/a"})->body, "until the end");
}

TEST_F(HttpClientTest, AConnectionClosedWhileIdleIsReplaced) {
  server_.on("GET /a", [](Peer& peer, const SeenRequest&) {
    peer.answer(200, "x");
    peer.close();
  });
  for (int i = 0; i < 20; ++i) {
    const Result<Response> response = client_.call({.target = "/a"});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "x");
  }
}

// The engine closes an idle connection at the very moment a request is under way to it.
TEST_F(HttpClientTest, ACloseThatCrossesTheRequestIsRetriedOnceOnAFreshConnection) {
  server_.on("GET /a", [this](Peer& peer, const SeenRequest&) {
    if (++count_ == 2) return peer.close();
    peer.answer(200, "x");
  });
  EXPECT_TRUE(client_.call({.target = "/a"}));
  EXPECT_TRUE(client_.call({.target = "/a"}));
  EXPECT_EQ(count_, 3);
  EXPECT_EQ(server_.connections(), 2U);
}

TEST_F(HttpClientTest, AFreshConnectionThatIsClosedIsNotRetried) {
  server_.on("POST /a", [this](Peer& peer, const SeenRequest&) {
    ++count_;
    peer.close();
  });
  const Result<Response> response = client_.call({.method = "POST", .target = "/a"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  EXPECT_EQ(count_, 1);
}

TEST_F(HttpClientTest, AnAnswerThatBreaksOffIsNotRetried) {
  server_.on("GET /a", 200, "x");
  server_.on("GET /b", [this](Peer& peer, const SeenRequest&) {
    ++count_;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.close();
  });
  ASSERT_TRUE(client_.call({.target = "/a"}));
  const Result<Response> response = client_.call({.target = "/b"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  EXPECT_THAT(response.error().message, HasSubstr("in the middle"));
  EXPECT_EQ(count_, 1);
}

TEST_F(HttpClientTest, AnEngineThatHangsRunsIntoTheDeadline) {
  server_.on("GET /a", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  const Result<Response> response = client_.call({.target = "/a"}, {.timeout = 50ms});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  EXPECT_THAT(response.error().message, HasSubstr("no answer within 50 ms"));
}

TEST_F(HttpClientTest, GarbageIsAnErrorThatShowsIt) {
  for (const std::string& garbage :
       {std::string("\x16\x03\x01 TLS?"), std::string("SSH-2.0-OpenSSH\r\n\r\n"), std::string(300'000, 'x'),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")}) {
    server_.on("GET /a", [garbage](Peer& peer, const SeenRequest&) {
      peer.send(garbage);
      peer.close();
    });
    const Result<Response> response = client_.call({.target = "/a"});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  }
}

TEST_F(HttpClientTest, AnAnswerThatIsTooLongIsRefusedInBoundedMemory) {
  server_.on("GET /a", [](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    const std::string megabyte(1024 * 1024, 'x');
    for (int i = 0; i < 65; ++i) peer.chunk(megabyte);
    peer.end_of_stream();
  });
  const Result<Response> response = client_.call({.target = "/a"});
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("longer than 64"));
}

TEST_F(HttpClientTest, AStopEndsACall) {
  server_.on("GET /a", [this](Peer& peer, const SeenRequest&) {
    stop_.request(sys::StopSignal::Level::graceful);
    peer.hold();
  });
  const Result<Response> response = client_.call({.target = "/a"}, {.stop = &stop_});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::cancelled);
}

TEST_F(HttpClientTest, AStreamedBodyIsSentInChunksAndTheAnswerComesPieceByPiece) {
  server_.on("POST /a", [](Peer& peer, const SeenRequest& request) {
    peer.head_of_stream();
    peer.chunk(std::to_string(request.body.size()));
    peer.chunk(" bytes");
    peer.end_of_stream();
  });
  int pieces = 0;
  Request request{.method = "POST", .target = "/a", .source = [&]() -> Result<std::string> {
                    return ++pieces <= 10 ? std::string(100'000, 'b') : std::string();
                  }};
  std::string got;
  const Result<Response> response =
      client_.stream(std::move(request), [&](std::string_view piece) { got += piece; }, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(got, "1000000 bytes");
}

TEST_F(HttpClientTest, ARefusalBeforeTheWholeBodyWasReadIsHeard) {
  server_.on("GET /refuse", [](Peer& peer, const SeenRequest&) {
    peer.answer(400, R"({"message":"no"})");
    peer.close();
  });
  // A GET with a body is answered by the fake as soon as its head is read: the body stays unread in the socket.
  bool sent = false;
  Request request{.target = "/refuse", .source = [&]() -> Result<std::string> {
                    if (sent) return std::string();
                    sent = true;
                    return std::string(50'000'000, 'b');
                  }};
  const Result<Response> response = client_.stream(std::move(request), [](std::string_view) {}, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 400);
  EXPECT_THAT(response->body, HasSubstr("no"));
}

TEST_F(HttpClientTest, AFailingBodySourceEndsTheCallWithItsError) {
  server_.on("POST /a", 200, "x");
  Request request{.method = "POST", .target = "/a", .source = []() -> Result<std::string> {
                    return fail(ErrorCode::io, "no disk");
                  }};
  const Result<Response> response = client_.stream(std::move(request), [](std::string_view) {}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "no disk");
}

TEST_F(HttpClientTest, ManyThreadsShareTheClient) {
  server_.on("GET /", [](Peer& peer, const SeenRequest& request) { peer.answer(200, request.target); });
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string target = fmt::format("/{}/{}", t, i);
        const Result<Response> response = client_.call({.target = target});
        EXPECT_TRUE(response && response->body == target);
      }
    });
  }
  threads.clear();
  EXPECT_LE(server_.connections(), 400U);
}

TEST(UrlEncoded, KeepsOnlyWhatIsPlain) { EXPECT_EQ(url_encoded("a-b_c.d~/:?é\n"), "a-b_c.d~%2F%3A%3F%C3%A9%0A"); }

class EngineCalls : public HttpClientTest {
 protected:
  EngineCalls() : engine_(endpoint(), handshake(), RegistryAuth(), "") {}
  static Handshake handshake() {
    Handshake made;
    made.info.api_version = "1.41";
    return made;
  }
  DockerEngine engine_;
};

TEST_F(EngineCalls, ANameThatIsTakenIsAConflict) {
  server_.on("POST /containers/create?name=n", 409,
             R"({"message":"Conflict. The container name \"/n\" is already in use"})");
  ContainerConfig config;
  config.name = "n";
  const Result<std::string> id = engine_.create(config);
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::conflict);
}

TEST_F(EngineCalls, AFullDiskIsNoSpaceNotABadRequest) {
  server_.on("POST /containers/create", 500,
             R"({"message":"mkdir /var/lib/docker/overlay2/x: no space left on device"})");
  const Result<std::string> id = engine_.create({});
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::no_space);
  EXPECT_THAT(id.error().hint, HasSubstr("free space"));
}

TEST_F(EngineCalls, APodmanWithoutInitProgramSaysWhatToInstall) {
  server_.on("POST /containers/create", 500,
             R"({"cause":"no such file or directory","message":"container create: container-init binary not found )"
             R"(on the host: stat /usr/libexec/podman/catatonit: no such file or directory","response":500})");
  const Result<std::string> id = engine_.create({});
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(id.error().hint, HasSubstr("install catatonit"));
}

TEST_F(EngineCalls, InspectOfWhatIsGoneIsNotFound) {
  server_.on("GET /containers/c/json", 404, R"({"message":"No such container: c"})");
  EXPECT_EQ(engine_.inspect("c").error().code, ErrorCode::not_found);
}

TEST_F(EngineCalls, AnAnswerThatIsNoJsonIsAnError) {
  server_.on("GET /containers/c/json", 200, R"({"State":)");
  EXPECT_FALSE(engine_.inspect("c"));
  server_.on("GET /containers/c/json", 200, "[]");
  EXPECT_FALSE(engine_.inspect("c"));
  server_.on("GET /containers/json", 200, "{}");
  EXPECT_FALSE(engine_.list({}));
  server_.on("POST /containers/create", 201, "{}");
  EXPECT_FALSE(engine_.create({}));
}

TEST_F(EngineCalls, RemovingWhatSomeoneElseIsRemovingWaitsForIt) {
  server_.on("DELETE /containers/c", [this](Peer& peer, const SeenRequest&) {
    if (++count_ == 1) return peer.answer(409, R"({"message":"removal of container c is already in progress"})");
    peer.answer(404, R"({"message":"No such container: c"})");
  });
  server_.on("POST /containers/c/wait?condition=removed", 200, R"({"StatusCode":0})");
  EXPECT_TRUE(engine_.remove("c"));
  EXPECT_EQ(count_, 2);
}

TEST_F(EngineCalls, ARemovalThatNeverEndsIsAnError) {
  server_.on("DELETE /containers/c", 409, R"({"message":"removal of container c is already in progress"})");
  server_.on("POST /containers/c/wait?condition=removed", 200, R"({"StatusCode":0})");
  EXPECT_EQ(engine_.remove("c").error().code, ErrorCode::conflict);
}

TEST_F(EngineCalls, StoppingAndKillingWhatHasEndedIsFine) {
  server_.on("POST /containers/c/stop?t=3", 304, "");
  server_.on("POST /containers/c/kill?signal=SIGKILL", 409, R"({"message":"Container c is not running"})");
  EXPECT_TRUE(engine_.stop("c", 3s));
  EXPECT_TRUE(engine_.kill("c"));
}

}  // namespace
}  // namespace mlpipe::runner::docker
