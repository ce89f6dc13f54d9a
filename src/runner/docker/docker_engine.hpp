#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/runner/container_engine.hpp"
#include "runner/docker/attempt_loop.hpp"
#include "runner/docker/container_json.hpp"
#include "runner/docker/http_client.hpp"
#include "runner/docker/registry_auth.hpp"

namespace mlpipe::runner::docker {

// What the engine said about itself when it was found.
struct Handshake {
  EngineInfo info;
  EngineTraits traits;
  std::string architecture;  // as images name it: "amd64"
};

// Asks the engine who it is and settles the API version: `unavailable` or `permission` when it cannot be asked,
// `invalid_input` when it is none that we can work with.
Result<Handshake> shake_hands(HttpClient& client, std::chrono::milliseconds patience);

// A ContainerEngine over the Docker Engine API, also as Podman serves it.
class DockerEngine final : public ContainerEngine {
 public:
  DockerEngine(Endpoint endpoint, Handshake handshake, RegistryAuth auth, std::string build_network,
               LoopTimes times = {}, DebugLog* debug_log = nullptr);

  const EngineInfo& info() const override { return handshake_.info; }
  Result<Image> inspect_image(const std::string& reference) override;
  Result<Image> pull_image(const std::string& reference, const ProgressSink& progress,
                           const sys::StopSignal& stop) override;
  Result<Image> build_image(const BuildRequest& request, const ProgressSink& progress,
                            const sys::StopSignal& stop) override;
  Result<std::vector<ImageSummary>> list_images(const std::string& prefix) override;
  Result<> name_image(const std::string& reference, const std::string& name) override;
  Result<> remove_image(const std::string& reference) override;
  Result<std::string> create(const ContainerConfig& config) override;
  Result<> run(const std::string& id, LogSink& log, const std::function<void()>& started,
               sys::StopSignal& stop) override;
  Result<> follow(const std::string& id, LogSink& log, sys::StopSignal& stop) override;
  Result<ContainerState> inspect(const std::string& id) override;
  Result<> stop(const std::string& id, std::chrono::seconds grace) override;
  Result<> kill(const std::string& id) override;
  Result<> remove(const std::string& id) override;
  Result<> start(const std::string& id) override;
  Result<std::vector<ContainerSummary>> list(const std::map<std::string, std::string>& labels) override;

 private:
  std::string path(std::string_view rest) const;
  Result<Response> post(std::string_view rest, std::chrono::milliseconds timeout);
  bool tells_of_oom_kill(const std::string& id, const UnclearKill& kill);
  AttemptLoop loop_for(const std::string& id, LogSink& log, sys::StopSignal& stop) const;

  HttpClient client_;
  const Handshake handshake_;
  const RegistryAuth auth_;
  const std::string build_network_;  // for builds that name none; empty: the engine's default
  const LoopTimes times_;
};

}  // namespace mlpipe::runner::docker
