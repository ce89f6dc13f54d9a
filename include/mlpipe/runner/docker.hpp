#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// Where a Docker or Podman engine may be, as values, so that tests can give their own.
struct DockerSearch {
  // Looked at: DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, HOME, XDG_RUNTIME_DIR, DOCKER_TLS_VERIFY,
  // MLPIPE_BUILD_NETWORK, and PATH by credential helpers.
  std::map<std::string, std::string, std::less<>> environment;
  std::filesystem::path runtime_folder;  // where XDG_RUNTIME_DIR is not set: /run/user/<uid>
  std::filesystem::path docker_socket = "/var/run/docker.sock";
  std::filesystem::path podman_socket = "/run/podman/podman.sock";
  std::chrono::milliseconds patience{5'000};  // with an engine that takes connections and says nothing
  DebugLog* debug_log = nullptr;              // told of every call; borrowed by the engine that is found
};

// The search that this process's environment and user give.
DockerSearch docker_search_of_process();

// Finds the engine, in this order: DOCKER_HOST, DOCKER_CONTEXT, the current context of Docker's config.json,
// docker_socket, the rootless sockets, podman_socket. The first two bind; of the sockets, the first that answers is
// taken. Pings it and settles the API version; a socket that hangs takes `patience`. Errors name each socket tried and
// why it would not do (`permission` when that was the reason, else `unavailable`), with what to do as the hint.
Result<std::unique_ptr<ContainerEngine>> connect_docker(const DockerSearch& search);

}  // namespace mlpipe::runner
