#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/runner/docker.hpp"
#include "runner/docker/endpoint.hpp"
#include "support/fake_engine_server.hpp"

namespace mlpipe::runner {
namespace {

using namespace std::chrono_literals;
using test::FakeEngineServer;
using test::Peer;
using test::SeenRequest;
using test::TempDir;
using ::testing::HasSubstr;

constexpr const char* k_info =
    R"({"NCPU":8,"MemTotal":1024,"DockerRootDir":"/data/docker","ServerVersion":"20.10.24+dfsg1","Architecture":"x86_64","Plugins":{"Log":["local"]},)"
    R"("SecurityOptions":["name=seccomp,profile=default","name=rootless"],"Runtimes":{"runc":{},"nvidia":{}}})";

void answer_ping(FakeEngineServer& server, const std::string& version, const std::string& more = "") {
  server.on("GET /_ping", [=](Peer& peer, const SeenRequest&) {
    peer.answer(200, "OK", fmt::format("Api-Version: {}\r\nOstype: linux\r\n{}", version, more));
  });
  server.on("GET /info", 200, k_info);
}

class Locate : public ::testing::Test {
 protected:
  Locate() {
    search_.environment["HOME"] = home_.path().string();
    search_.runtime_folder = home_.path() / "runtime";
    search_.docker_socket = home_.path() / "docker.sock";
    search_.podman_socket = home_.path() / "podman.sock";
    search_.patience = 100ms;
  }

  void write_context(const std::string& name, const std::string& host) {
    home_.write(".docker/contexts/meta/" + sha256_hex(name) + "/meta.json",
                fmt::format(R"({{"Name":"{}","Endpoints":{{"docker":{{"Host":"{}"}}}}}})", name, host));
  }

  Error refused() {
    const Result<std::unique_ptr<ContainerEngine>> engine = connect_docker(search_);
    EXPECT_FALSE(engine);
    return engine ? Error{} : engine.error();
  }

  // Where the engine found listens.
  std::string found() {
    const Result<std::unique_ptr<ContainerEngine>> engine = connect_docker(search_);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? (*engine)->info().address : "";
  }

  TempDir home_;
  DockerSearch search_;
};

TEST_F(Locate, DescribesTheEngineItFound) {
  FakeEngineServer server;
  answer_ping(server, "1.43", "Server: Docker/20.10.24 (linux)\r\n");
  search_.environment["DOCKER_HOST"] = "unix://" + server.socket_path();
  const Result<std::unique_ptr<ContainerEngine>> engine = connect_docker(search_);
  ASSERT_TRUE(engine) << engine.error().message;
  const EngineInfo& info = (*engine)->info();
  EXPECT_EQ(info.name, "Docker 20.10.24");
  EXPECT_EQ(info.api_version, "1.43");
  EXPECT_EQ(info.address, "unix://" + server.socket_path());
  EXPECT_EQ(info.cpus, 8);
  EXPECT_EQ(info.memory, 1024U);
  EXPECT_TRUE(info.rootless);
  EXPECT_TRUE(info.gpu_runtime);
  EXPECT_EQ(info.storage, "/data/docker");
}

TEST_F(Locate, TheVersionIsTheLowerOfBothAndBounded) {
  const std::pair<const char*, const char*> table[] = {
      {"1.40", "1.40"}, {"1.47", "1.47"}, {"1.53", "1.47"}, {"1.100", "1.47"}};
  for (const auto& [offered, settled] : table) {
    FakeEngineServer server;
    answer_ping(server, offered);
    search_.environment["DOCKER_HOST"] = "unix://" + server.socket_path();
    EXPECT_EQ((*connect_docker(search_))->info().api_version, settled);
  }
}

TEST_F(Locate, AnEngineThatIsTooOldOrNoneIsSaidSo) {
  const std::pair<const char*, const char*> table[] = {
      {"1.39", "speaks API 1.39"}, {"", "no Docker engine"}, {"2.0", "no Docker engine"}, {"1.x", "no Docker engine"}};
  for (const auto& [offered, message] : table) {
    FakeEngineServer server;
    answer_ping(server, offered);
    search_.environment["DOCKER_HOST"] = "unix://" + server.socket_path();
    const Error error = refused();
    EXPECT_EQ(error.code, ErrorCode::invalid_input);
    EXPECT_THAT(error.message, HasSubstr(message));
  }
}

TEST_F(Locate, PodmanIsKnownByItsServerHeader) {
  FakeEngineServer server;
  answer_ping(server, "1.41", "Server: Libpod/4.3.1 (linux)\r\n");
  search_.environment["DOCKER_HOST"] = "unix://" + server.socket_path();
  EXPECT_EQ((*connect_docker(search_))->info().name, "Podman 4.3.1");
}

TEST_F(Locate, DockerHostThenContextThenCurrentContextThenSockets) {
  FakeEngineServer host, context, current, rootless;
  for (FakeEngineServer* server : {&host, &context, &current, &rootless}) answer_ping(*server, "1.41");
  write_context("mine", "unix://" + context.socket_path());
  write_context("theirs", "unix://" + current.socket_path());
  home_.write(".docker/config.json", R"({"currentContext":"theirs"})");
  std::filesystem::create_directories(search_.runtime_folder);
  std::filesystem::create_symlink(rootless.socket_path(), search_.runtime_folder / "docker.sock");

  search_.environment["DOCKER_HOST"] = "unix://" + host.socket_path();
  search_.environment["DOCKER_CONTEXT"] = "mine";
  EXPECT_EQ(found(), "unix://" + host.socket_path());
  search_.environment.erase("DOCKER_HOST");
  EXPECT_EQ(found(), "unix://" + context.socket_path());
  search_.environment.erase("DOCKER_CONTEXT");
  EXPECT_EQ(found(), "unix://" + current.socket_path());
  search_.environment["DOCKER_CONTEXT"] = "default";
  EXPECT_EQ(found(), "unix://" + (search_.runtime_folder / "docker.sock").string());
}

TEST_F(Locate, DockerConfigNamesAnotherFolderForContexts) {
  FakeEngineServer server;
  answer_ping(server, "1.41");
  write_context("mine", "unix://" + server.socket_path());
  search_.environment["DOCKER_CONFIG"] = (home_.path() / ".docker").string();
  search_.environment["DOCKER_CONTEXT"] = "mine";
  search_.environment.erase("HOME");
  EXPECT_EQ(found(), "unix://" + server.socket_path());
}

TEST_F(Locate, AContextThatIsNotThereIsAnErrorNotAFallback) {
  FakeEngineServer server;
  answer_ping(server, "1.41");
  std::filesystem::create_symlink(server.socket_path(), search_.docker_socket);
  search_.environment["DOCKER_CONTEXT"] = "gone";
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::not_found);
  EXPECT_THAT(error.message, HasSubstr("\"gone\""));
  EXPECT_THAT(error.hint, HasSubstr("docker context ls"));
}

TEST_F(Locate, ASocketThatDoesNotAnswerIsPassedOver) {
  FakeEngineServer dumb, good;
  dumb.on("GET /_ping", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  answer_ping(good, "1.41");
  std::filesystem::create_symlink(dumb.socket_path(), search_.docker_socket);
  std::filesystem::create_symlink(good.socket_path(), search_.podman_socket);
  EXPECT_EQ(found(), "unix://" + search_.podman_socket.string());
}

TEST_F(Locate, WithoutAnySocketAllAreNamed) {
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_THAT(error.message, HasSubstr(search_.docker_socket.string()));
  EXPECT_THAT(error.message, HasSubstr(search_.podman_socket.string()));
  EXPECT_THAT(error.hint, HasSubstr("start dockerd"));
}

TEST_F(Locate, AnEngineThatHangsIsNamedWithinItsPatience) {
  FakeEngineServer dumb;
  dumb.on("GET /_ping", [](Peer& peer, const SeenRequest&) { peer.hold(); });
  search_.environment["DOCKER_HOST"] = "unix://" + dumb.socket_path();
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_THAT(error.message, HasSubstr(dumb.socket_path()));
  EXPECT_THAT(error.message, HasSubstr("no answer within 100 ms"));
}

TEST_F(Locate, ASocketThatNobodyListensOnIsRefused) {
  const sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, search_.docker_socket.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_THAT(error.message, HasSubstr("Connection refused"));
  EXPECT_THAT(error.hint, HasSubstr("start dockerd"));
}

TEST_F(Locate, ASocketWithoutPermissionSaysToJoinTheGroup) {
  FakeEngineServer server;
  answer_ping(server, "1.41");
  search_.environment["DOCKER_HOST"] = "unix://" + server.socket_path();
  std::filesystem::permissions(server.socket_path(), std::filesystem::perms::none);
  // Root may connect to any socket. The bare system call, unlike the library's, changes this thread alone.
  const bool root = ::geteuid() == 0;
  const auto become = [&](int user) { return root ? ::syscall(SYS_setresuid, -1, user, -1) : 0; };
  ASSERT_EQ(become(65534), 0);
  const Error error = refused();
  ASSERT_EQ(become(0), 0);
  EXPECT_EQ(error.code, ErrorCode::permission);
  EXPECT_THAT(error.message, HasSubstr(server.socket_path()));
  EXPECT_THAT(error.message, HasSubstr("Permission denied"));
  EXPECT_THAT(error.hint, HasSubstr("group \"docker\""));
}

TEST_F(Locate, ABrokenConfigIsAnErrorThatNamesTheFile) {
  home_.write(".docker/config.json", "{not json");
  const Error error = refused();
  EXPECT_THAT(error.message, HasSubstr("config.json:1:"));
}

TEST_F(Locate, TlsIsRefusedClearly) {
  search_.environment["DOCKER_HOST"] = "tcp://127.0.0.1:2376";
  search_.environment["DOCKER_TLS_VERIFY"] = "1";
  EXPECT_THAT(refused().message, HasSubstr("TLS is not supported"));
  search_.environment.clear();
  search_.environment["HOME"] = home_.path().string();
  search_.environment["DOCKER_CONTEXT"] = "far";
  write_context("far", "tcp://127.0.0.1:2376");
  home_.write(".docker/contexts/tls/" + sha256_hex("far") + "/docker/ca.pem", "");
  EXPECT_THAT(refused().message, HasSubstr("wants TLS, which is not supported"));
}

TEST(EndpointText, IsReadInAllItsForms) {
  using docker::parse_endpoint;
  EXPECT_EQ(parse_endpoint("unix:///a/b.sock")->path, "/a/b.sock");
  EXPECT_EQ(parse_endpoint("tcp://host:1234")->port, "1234");
  EXPECT_EQ(parse_endpoint("tcp://host")->port, "2375");
  EXPECT_EQ(parse_endpoint("tcp://[::1]:99")->host, "::1");
  EXPECT_EQ(parse_endpoint("tcp://[::1]:99")->port, "99");
  EXPECT_EQ(parse_endpoint("http://host:1/")->host, "host");
  for (const char* wrong : {"", "ssh://me@host", "https://host", "npipe:////./pipe/docker", "unix://relative", "tcp://",
                            "tcp://:1", "tcp://host:port", "tcp://[::1", "/var/run/docker.sock"}) {
    const Result<docker::Endpoint> parsed = parse_endpoint(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_input);
    EXPECT_FALSE(parsed.error().message.empty());
  }
}

TEST(EndpointText, ASocketPathThatIsTooLongIsSaidSo) {
  const Result<sys::Fd> connected =
      docker::connect_to({.address = "unix://long", .path = "/" + std::string(200, 'x'), .host = {}, .port = {}},
                         std::chrono::steady_clock::now() + 1s);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::invalid_input);
}

}  // namespace
}  // namespace mlpipe::runner
