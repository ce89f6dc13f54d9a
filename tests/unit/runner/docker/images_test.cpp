#include <gmock/gmock.h>

#include <mutex>

#include "mlpipe/base/text.hpp"
#include "runner/docker/container_json.hpp"
#include "runner/docker/docker_engine.hpp"
#include "runner/docker/image_pull.hpp"
#include "runner/docker/json_lines.hpp"
#include "runner/docker/registry_auth.hpp"
#include "support/fake_engine_server.hpp"

namespace mlpipe::runner::docker {
namespace {

using test::FakeEngineServer;
using test::Peer;
using test::SeenRequest;
using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* k_image =
    R"({"Id":"sha256:abc","RepoDigests":["other@sha256:1","python@sha256:2"],"Architecture":"arm64",)"
    R"("Config":{"Entrypoint":["/init"],"Cmd":null}})";

class ImageCalls : public ::testing::Test {
 protected:
  DockerEngine engine(RegistryAuth auth = RegistryAuth()) const {
    Handshake handshake;
    handshake.info.api_version = "1.41";
    handshake.architecture = "amd64";
    return DockerEngine({.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}}, handshake,
                        std::move(auth), "");
  }
  // Answers a request with these lines, one chunk each.
  void stream(const std::string& start, std::vector<std::string> lines) {
    server_.on(start, [this, lines](Peer& peer, const SeenRequest& request) {
      {
        const std::lock_guard lock(mutex_);
        last_ = request;
      }
      peer.head_of_stream();
      for (const std::string& line : lines) peer.chunk(line + "\r\n");
      peer.end_of_stream();
    });
  }
  SeenRequest last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

  sys::StopSignal stop_;
  std::vector<std::string> lines_;
  ProgressSink progress_ = [this](std::string_view line) { lines_.emplace_back(line); };
  mutable std::mutex mutex_;
  SeenRequest last_;
  FakeEngineServer server_;
};

TEST_F(ImageCalls, InspectGivesIdDigestAndCommand) {
  server_.on("GET /images/python:3.11-slim/json", 200, k_image);
  const Result<Image> image = engine().inspect_image("python:3.11-slim");
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->id, "sha256:abc");
  EXPECT_EQ(image->digest, "python@sha256:2");
  EXPECT_THAT(image->entrypoint, ElementsAre("/init"));
  EXPECT_THAT(image->command, IsEmpty());
  EXPECT_EQ(image->architecture, "arm64");
}

TEST_F(ImageCalls, ABuiltImageHasNoDigest) {
  server_.on("GET /images/x/json", 200, R"({"Id":"sha256:abc","RepoDigests":[],"Config":null})");
  EXPECT_EQ(engine().inspect_image("x")->digest, "");
}

TEST_F(ImageCalls, WhatIsNoReferenceNeverReachesTheEngine) {
  for (const char* wrong : {"", "../containers/json", "a b", "x?y", "x\nHost: y", "-x", "a//b", "a%2f"}) {
    const Result<Image> image = engine().inspect_image(wrong);
    ASSERT_FALSE(image) << wrong;
    EXPECT_EQ(image.error().code, ErrorCode::invalid_input);
  }
  EXPECT_THAT(server_.seen(), IsEmpty());
}

TEST_F(ImageCalls, APullSumsItsLayersUpAndNotesAnotherProcessor) {
  stream("POST /images/create?fromImage=reg.example%3A5000%2Fteam%2Fpython&tag=3.11-slim",
         {R"({"status":"Pulling from team/python","id":"3.11-slim"})", R"({"status":"Pulling fs layer","id":"l1"})",
          R"({"status":"Already exists","id":"l2"})",
          R"({"status":"Downloading","id":"l1","progressDetail":{"current":1048576,"total":3145728}})",
          R"({"status":"Pull complete","id":"l1"})"});
  server_.on("GET /images/reg.example:5000/team/python:3.11-slim/json", 200, k_image);
  const Result<Image> image = engine().pull_image("reg.example:5000/team/python:3.11-slim", progress_, stop_);
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_GE(lines_.size(), 2U);
  EXPECT_EQ(lines_[lines_.size() - 2], "pulling reg.example:5000/team/python:3.11-slim: 3.0/3.0 MiB, 2/2 layers");
  EXPECT_THAT(lines_.back(), HasSubstr("built for arm64, this engine runs amd64"));
  EXPECT_FALSE(last().headers.contains("x-registry-auth"));
}

TEST_F(ImageCalls, APullByDigestAndWithoutATagAskForOneImageOnly) {
  stream("POST /images/create", {});
  server_.on("GET /images/", 200, k_image);
  ASSERT_TRUE(engine().pull_image("python", {}, stop_));
  EXPECT_EQ(last().target, "/images/create?fromImage=python&tag=latest");
  ASSERT_TRUE(engine().pull_image("python@sha256:0123", {}, stop_));
  EXPECT_EQ(last().target, "/images/create?fromImage=python&tag=sha256%3A0123");
}

TEST_F(ImageCalls, AnErrorInsideAPullThatBeganWellIsAnError) {
  stream("POST /images/create",
         {R"({"status":"Pulling fs layer","id":"l1"})",
          R"({"errorDetail":{"message":"toomanyrequests: You have reached your pull rate limit."},"error":"x"})"});
  const Result<Image> image = engine().pull_image("python:3", progress_, stop_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::unavailable);
  EXPECT_THAT(image.error().message, HasSubstr("toomanyrequests"));
  EXPECT_THAT(image.error().hint, HasSubstr("docker login"));
}

TEST_F(ImageCalls, AStopEndsAPull) {
  server_.on("POST /images/create", [this](Peer& peer, const SeenRequest&) {
    peer.head_of_stream();
    stop_.request(sys::StopSignal::Level::graceful);
    peer.hold();
  });
  EXPECT_EQ(engine().pull_image("python:3", progress_, stop_).error().code, ErrorCode::cancelled);
}

TEST_F(ImageCalls, AnImageIdCannotBePulled) {
  const Result<Image> image = engine().pull_image("sha256:" + std::string(64, 'a'), progress_, stop_);
  EXPECT_EQ(image.error().code, ErrorCode::not_found);
  EXPECT_THAT(server_.seen(), IsEmpty());
}

TEST(PullRefused, TellsWhatToDo) {
  struct Case {
    int status;
    const char* message;
    ErrorCode code;
    const char* hint;
  };
  const Case cases[] = {
      {404, "manifest for python:nosuch not found: manifest unknown: manifest unknown", ErrorCode::not_found, "tag"},
      {404, "pull access denied for nosuch, repository does not exist or may require 'docker login': denied",
       ErrorCode::not_found, "docker login"},
      {500, "Get https://reg/v2/: unauthorized: authentication required", ErrorCode::permission, "docker login reg"},
      {500, "Head https://reg: dial tcp: lookup reg: no such host", ErrorCode::unavailable, "network"},
      {429, "x", ErrorCode::unavailable, "limits pulls"},
      {200, "no matching manifest for linux/arm64 in the manifest list entries", ErrorCode::invalid_input, "processor"},
      {200, "write /var/lib/docker/tmp/x: no space left on device", ErrorCode::no_space, "free space"},
      {400, "invalid reference format", ErrorCode::invalid_input, "written"},
      {500, "something odd", ErrorCode::unavailable, ""},
  };
  for (const Case& one : cases) {
    const Failure refused = pull_refused("reg.example/x", one.status, one.message);
    EXPECT_EQ(refused.value().code, one.code) << one.message;
    EXPECT_THAT(refused.value().message, HasSubstr(one.message));
  }
  EXPECT_THAT(pull_refused("reg.example/x", 500, "unauthorized").value().hint, HasSubstr("docker login reg.example"));
}

TEST_F(ImageCalls, ABuildSendsTheContextAndPassesItsLinesOn) {
  const TempDir context;
  context.write("Dockerfile", "FROM scratch\n");
  context.write("a.txt", "content of a");
  stream("POST /build", {R"({"stream":"Step 1/1 : FROM scratch\n"})", R"({"stream":" --"})",
                         R"({"stream":"-> x\nSuccess"})", R"({"aux":{"ID":"sha256:abc"}})"});
  server_.on("GET /images/t:1/json", 200, k_image);
  const Result<Image> image =
      engine().build_image({.context = context.path(), .tag = "t:1", .network = "host"}, progress_, stop_);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_THAT(lines_, ElementsAre("Step 1/1 : FROM scratch", " ---> x", "Success"));
  EXPECT_EQ(last().target, "/build?version=1&rm=1&forcerm=1&dockerfile=Dockerfile&t=t%3A1&networkmode=host");
  EXPECT_EQ(last().headers.at("content-type"), "application/x-tar");
  EXPECT_THAT(last().body, HasSubstr("content of a"));
}

TEST_F(ImageCalls, ABuildThatNamesNoNetworkUsesTheConfiguredOne) {
  const TempDir context;
  context.write("Dockerfile", "FROM scratch\n");
  stream("POST /build", {});
  server_.on("GET /images/t:1/json", 200, k_image);
  Handshake handshake;
  handshake.info.api_version = "1.41";
  DockerEngine configured({.address = "unix://fake", .path = server_.socket_path(), .host = {}, .port = {}}, handshake,
                          RegistryAuth(), "host");
  ASSERT_TRUE(configured.build_image({.context = context.path(), .tag = "t:1"}, {}, stop_));
  EXPECT_THAT(last().target, HasSubstr("&networkmode=host"));
  ASSERT_TRUE(configured.build_image({.context = context.path(), .tag = "t:1", .network = "none"}, {}, stop_));
  EXPECT_THAT(last().target, HasSubstr("&networkmode=none"));
  ASSERT_TRUE(engine().build_image({.context = context.path(), .tag = "t:1"}, {}, stop_));
  EXPECT_THAT(last().target, Not(HasSubstr("networkmode")));
}

TEST_F(ImageCalls, AFailedBuildCarriesItsLastLines) {
  const TempDir context;
  context.write("Dockerfile", "FROM scratch\n");
  std::vector<std::string> lines;
  for (int i = 1; i <= 30; ++i) lines.push_back(fmt::format(R"({{"stream":"line {}\n"}})", i));
  lines.push_back(
      R"({"errorDetail":{"code":1,"message":"The command '/bin/sh -c false' returned a non-zero code: 1"},"error":"x"})");
  stream("POST /build", lines);
  const Result<Image> image = engine().build_image({.context = context.path(), .tag = "t:1"}, progress_, stop_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(image.error().message, HasSubstr("returned a non-zero code: 1"));
  EXPECT_THAT(image.error().message, HasSubstr("line 30"));
  EXPECT_THAT(image.error().message, HasSubstr("line 11\n"));
  EXPECT_THAT(image.error().message, Not(HasSubstr("line 10\n")));
}

TEST_F(ImageCalls, ABaseImageThatIsNotThereIsNotFound) {
  const TempDir context;
  context.write("Dockerfile", "FROM nosuch\n");
  stream(
      "POST /build",
      {R"({"errorDetail":{"message":"pull access denied for nosuch, repository does not exist or may require"},"error":"x"})"});
  EXPECT_EQ(engine().build_image({.context = context.path(), .tag = "t:1"}, {}, stop_).error().code,
            ErrorCode::not_found);
}

TEST(JsonLines, CutAnywhereGiveTheSameAndOverlongOnesAreDropped) {
  const std::string text = "{\"a\":1}\r\n\nnot json\n{\"a\":2}\n{\"a\":3}";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::vector<std::int64_t> seen;
    JsonLines lines([&](const Value& value) { seen.push_back(value.integer_or("a", 0)); });
    lines.feed(std::string_view(text).substr(0, cut));
    lines.feed(std::string_view(text).substr(cut));
    lines.finish();
    ASSERT_THAT(seen, ElementsAre(1, 2, 3));
  }
  std::vector<std::int64_t> seen;
  JsonLines lines([&](const Value& value) { seen.push_back(value.integer_or("a", 0)); });
  for (int i = 0; i < 3000; ++i) lines.feed(std::string(1000, '['));
  lines.feed("\n{\"a\":9}\n");
  EXPECT_THAT(seen, ElementsAre(9));
}

TEST(CreateBody, SaysAllThatTheConfigurationDoes) {
  ContainerConfig config;
  config.image = "sha256:abc";
  config.entrypoint = std::vector<std::string>{"python3"};
  config.env = {"A=b"};
  config.labels = {{"mlpipe.run", "r"}};
  config.mounts = {{.source = "/host", .target = "/in", .read_only = true}};
  config.tmpfs = {"/tmp"};
  config.user = "1:2";
  config.cpus = 1.5;
  config.memory = 1 << 30;
  config.shm = 1 << 20;
  config.gpus = {"GPU-1"};
  config.grace = std::chrono::seconds(7);
  EXPECT_EQ(
      create_body(config, {}),
      R"({"AttachStderr":true,"AttachStdout":true,"Cmd":[],"Entrypoint":["python3"],"Env":["A=b"],"HostConfig":{"AutoRemove":false,)"
      R"("DeviceRequests":[{"Capabilities":[["gpu"]],"DeviceIDs":["GPU-1"],"Driver":""}],"Init":true,)"
      R"("LogConfig":{"Config":{"max-file":"5","max-size":"20m"},"Type":"local"},"Memory":1073741824,"MemorySwap":1073741824,)"
      R"("Mounts":[{"ReadOnly":true,"Source":"/host","Target":"/in","Type":"bind"}],"NanoCpus":1500000000,"NetworkMode":"bridge",)"
      R"("SecurityOpt":["no-new-privileges"],"ShmSize":1048576,"Tmpfs":{"/tmp":"mode=1777,exec"}},"Image":"sha256:abc",)"
      R"("Labels":{"mlpipe.run":"r"},"OpenStdin":false,"StopTimeout":7,"Tty":false,"User":"1:2"})");
}

TEST(CreateBody, LeavesTheImagesCommandAloneWhenNothingIsGiven) {
  const std::string body = create_body({}, {});
  EXPECT_THAT(body, Not(HasSubstr("Cmd")));
  EXPECT_THAT(body, Not(HasSubstr("Entrypoint")));
  EXPECT_THAT(body, Not(HasSubstr("\"Memory\"")));
}

TEST(CreateBody, UsesTheLogDriverThatTheEngineHas) {
  EXPECT_THAT(create_body({}, {.local_log_driver = false}),
              HasSubstr(R"("LogConfig":{"Config":{"max-file":"5","max-size":"20m"},"Type":"json-file"})"));
  EXPECT_THAT(create_body({}, {.podman = true}),
              HasSubstr(R"("LogConfig":{"Config":{"max-size":"20m"},"Type":"json-file"})"));
}

std::string decoded(const Result<std::optional<std::string>>& header) {
  if (!header || !*header) return {};
  std::string text = **header;
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  return from_base64(text).value_or("not base64");
}

TEST(RegistryOf, ReadsTheHostOfAReference) {
  EXPECT_EQ(registry_of("python"), "https://index.docker.io/v1/");
  EXPECT_EQ(registry_of("library/python:3"), "https://index.docker.io/v1/");
  EXPECT_EQ(registry_of("docker.io/library/python"), "https://index.docker.io/v1/");
  EXPECT_EQ(registry_of("gcr.io/p/i@sha256:x"), "gcr.io");
  EXPECT_EQ(registry_of("localhost/i"), "localhost");
  EXPECT_EQ(registry_of("localhost:5000/i"), "localhost:5000");
}

TEST(RegistryCredentials, ComeFromTheConfigFile) {
  const TempDir folder;
  folder.write("config.json",
               fmt::format(R"({{"auths":{{"https://gcr.io/v2/":{{"auth":"{}"}},"https://index.docker.io/v1/":)"
                           R"({{"identitytoken":"tok"}},"empty.example":{{}}}}}})",
                           to_base64("me:se:cret")));
  const RegistryAuth auth(folder.path());
  EXPECT_EQ(decoded(auth.for_pull("gcr.io/p/i")), R"({"password":"se:cret","serveraddress":"gcr.io","username":"me"})");
  EXPECT_EQ(decoded(auth.for_pull("python")),
            R"({"identitytoken":"tok","serveraddress":"https://index.docker.io/v1/"})");
  EXPECT_EQ(decoded(auth.for_pull("empty.example/i")), "");
  EXPECT_EQ(decoded(auth.for_pull("other.example/i")), "");
  EXPECT_THAT(decoded(auth.for_build()), HasSubstr("se:cret"));
}

TEST(RegistryCredentials, WithoutAConfigFileThereAreNone) {
  const TempDir folder;
  const Result<std::optional<std::string>> none = RegistryAuth(folder.path()).for_pull("python");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  EXPECT_TRUE(RegistryAuth().for_build());
}

class Helper : public ::testing::Test {
 protected:
  // Puts a docker-credential-fake with this script on PATH.
  RegistryAuth with_helper(const std::string& script) {
    const std::filesystem::path file = folder_.write("bin/docker-credential-fake", "#!/bin/sh\n" + script);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    folder_.write("config.json", R"({"credHelpers":{"gcr.io":"fake"},"credsStore":"fake","auths":{"gcr.io":{}}})");
    return RegistryAuth(folder_.path(), {{"PATH", (folder_.path() / "bin").string() + ":/usr/bin:/bin"}});
  }
  TempDir folder_;
};

TEST_F(Helper, IsAskedForTheRegistryOnItsStandardInput) {
  const RegistryAuth auth = with_helper(
      R"(read server; [ "$1" = get ] && printf '{"ServerURL":"%s","Username":"u-%s","Secret":"s"}' "$server" "$server")");
  EXPECT_EQ(decoded(auth.for_pull("gcr.io/p/i")), R"({"password":"s","serveraddress":"gcr.io","username":"u-gcr.io"})");
  EXPECT_THAT(decoded(auth.for_build()), HasSubstr("u-gcr.io"));
}

TEST_F(Helper, GivesTokensUnderASpecialName) {
  const RegistryAuth auth = with_helper(R"(echo '{"Username":"<token>","Secret":"tok"}')");
  EXPECT_EQ(decoded(auth.for_pull("gcr.io/p/i")), R"({"identitytoken":"tok","serveraddress":"gcr.io"})");
}

TEST_F(Helper, ThatKnowsNothingMeansAPullWithoutCredentials) {
  const RegistryAuth auth = with_helper("echo 'credentials not found in native keychain'; exit 1");
  const Result<std::optional<std::string>> none = auth.for_pull("gcr.io/p/i");
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_FALSE(*none);
}

TEST_F(Helper, ThatFailsIsNamedAndItsSecretIsNot) {
  const Result<std::optional<std::string>> failed =
      with_helper("echo 'keychain is locked' >&2; exit 2").for_pull("gcr.io/p/i");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::permission);
  EXPECT_THAT(failed.error().message,
              HasSubstr("docker-credential-fake gives no credentials for gcr.io: keychain is locked"));
  const Result<std::optional<std::string>> garbled =
      with_helper("echo '{\"Secret\":\"hunter2\"'").for_pull("gcr.io/p/i");
  ASSERT_FALSE(garbled);
  EXPECT_THAT(garbled.error().message, Not(HasSubstr("hunter2")));
}

TEST_F(Helper, ThatIsNotInstalledIsNamed) {
  folder_.write("config.json", R"({"credsStore":"nosuch"})");
  const Result<std::optional<std::string>> failed =
      RegistryAuth(folder_.path(), {{"PATH", folder_.path().string()}}).for_pull("gcr.io/p/i");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("docker-credential-nosuch"));
}

TEST_F(ImageCalls, ThePullCarriesTheCredentials) {
  const TempDir folder;
  folder.write("config.json", fmt::format(R"({{"auths":{{"gcr.io":{{"auth":"{}"}}}}}})", to_base64("me:secret")));
  stream("POST /images/create", {R"({"error":"denied: you are not me"})"});
  const Result<Image> image = engine(RegistryAuth(folder.path())).pull_image("gcr.io/p/i:1", {}, stop_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::permission);
  EXPECT_THAT(image.error().hint, HasSubstr("docker login gcr.io"));
  EXPECT_THAT(decoded(std::optional(last().headers.at("x-registry-auth"))), HasSubstr("secret"));
  EXPECT_THAT(image.error().message + image.error().hint, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace mlpipe::runner::docker
