#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"
#include "runner/docker/docker_engine.hpp"
#include "runner/docker/engine_error.hpp"

namespace mlpipe::runner::docker {
namespace {

constexpr int k_oldest_minor = 40;
constexpr int k_newest_minor = 47;

// The y of "1.y".
std::optional<int> minor_of(std::string_view version) {
  if (!version.starts_with("1.") || version.size() < 3 || version.size() > 5) return std::nullopt;
  int minor = 0;
  for (const char c : version.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    minor = minor * 10 + (c - '0');
  }
  return minor;
}

// What images call a processor that the kernel calls otherwise.
std::string image_architecture(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("armv")) return "arm";
  return machine;
}

bool lists(const Value* list, std::string_view text) {
  if (list == nullptr || !list->is_list()) return false;
  return std::any_of(list->as_list().begin(), list->as_list().end(), [&](const Value& item) {
    return item.is_string() && item.as_string().find(text) != std::string::npos;
  });
}

// With the NVIDIA hook on its PATH the engine takes GPU requests also without a runtime of that name.
bool has_gpu_runtime(const Value& info, const Endpoint& endpoint) {
  const Value* runtimes = info.find("Runtimes");
  if (runtimes != nullptr && runtimes->find("nvidia") != nullptr) return true;
  if (endpoint.path.empty()) return false;
  for (const char* hook : {"/usr/bin/nvidia-container-runtime-hook", "/usr/local/bin/nvidia-container-runtime-hook"}) {
    std::error_code ignored;
    if (std::filesystem::exists(hook, ignored)) return true;
  }
  return false;
}

std::string name_of(const Response& ping, const Value& info) {
  constexpr std::string_view k_libpod = "Libpod/";
  if (ping.server.starts_with(k_libpod)) {
    const std::string version = ping.server.substr(k_libpod.size());
    return "Podman " + version.substr(0, version.find(' '));
  }
  const std::string version = info.text_or("ServerVersion", "");
  return "Docker " + version.substr(0, version.find('+'));
}

}  // namespace

Result<Handshake> shake_hands(HttpClient& client, std::chrono::milliseconds patience) {
  const std::string& address = client.endpoint().address;
  const Result<Response> ping = client.call(Request{.target = "/_ping"}, {.timeout = patience});
  if (!ping) return Failure(ping.error());
  if (!ping->ok()) return engine_refused(fmt::format("asking the container engine at {}", address), *ping);
  const std::optional<int> offered = minor_of(ping->api_version);
  if (!offered) {
    return fail_with_hint(ErrorCode::invalid_input, fmt::format("{} answers, but is no Docker engine", address),
                          "set DOCKER_HOST to the engine's socket");
  }
  if (*offered < k_oldest_minor) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("the container engine at {} speaks API {} at most, and 1.{} is needed", address,
                                      ping->api_version, k_oldest_minor),
                          "install Docker 19.03 or newer");
  }
  if (!ping->os_type.empty() && ping->os_type != "linux") {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("the container engine at {} runs {} containers", address, ping->os_type),
                          "switch it to Linux containers");
  }
  Handshake handshake;
  handshake.info.api_version = fmt::format("1.{}", std::min(*offered, k_newest_minor));
  handshake.info.address = address;
  const Result<Response> response =
      client.call(Request{.target = fmt::format("/v{}/info", handshake.info.api_version)});
  if (!response) return within("asking the container engine about itself", response.error());
  if (!response->ok()) return engine_refused("asking the container engine about itself", *response);
  const Result<Value> info = parse_json(response->body, "engine info");
  if (!info) return Failure(info.error());
  const Value* plugins = info->find("Plugins");
  handshake.info.name = name_of(*ping, *info);
  handshake.info.rootless = lists(info->find("SecurityOptions"), "name=rootless") || info->bool_or("Rootless", false);
  handshake.info.cpus = static_cast<int>(info->integer_or("NCPU", 0));
  handshake.info.memory = static_cast<std::uint64_t>(std::max<std::int64_t>(info->integer_or("MemTotal", 0), 0));
  handshake.info.storage = info->text_or("DockerRootDir", "");
  handshake.info.gpu_runtime = has_gpu_runtime(*info, client.endpoint());
  handshake.traits.podman = ping->server.starts_with("Libpod/");
  handshake.traits.local_log_driver = plugins != nullptr && lists(plugins->find("Log"), "local");
  handshake.architecture = image_architecture(info->text_or("Architecture", ""));
  return handshake;
}

}  // namespace mlpipe::runner::docker
