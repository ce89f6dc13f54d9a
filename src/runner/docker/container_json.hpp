#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner::docker {

// What the engine at hand can do, as far as a container's configuration depends on it.
struct EngineTraits {
  bool podman = false;
  bool local_log_driver = true;
};

// The body of POST /containers/create.
std::string create_body(const ContainerConfig& config, const EngineTraits& traits);

Result<ContainerState> parse_container_state(std::string_view json);

// A container with a memory limit that was killed, by the OOM killer or not: the engine's state may never say which.
struct UnclearKill {
  WallTime started, ended;  // by the engine's clock
};
std::optional<UnclearKill> parse_unclear_kill(std::string_view json);

Result<std::vector<ContainerSummary>> parse_container_list(std::string_view json);
// The names below `prefix` in the answer of images/json.
Result<std::vector<ImageSummary>> parse_image_list(std::string_view json, std::string_view prefix);
// `reference` decides which of several repository digests is meant.
Result<Image> parse_image(std::string_view json, std::string_view reference);

// The repository part of an image reference: without tag and digest.
std::string_view repository_of(std::string_view reference);

}  // namespace mlpipe::runner::docker
