#include <unistd.h>

#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/runner/docker.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/docker/docker_engine.hpp"
#include "runner/docker/endpoint.hpp"

namespace mlpipe::runner {
namespace {

using docker::Endpoint;
namespace fs = std::filesystem;

constexpr std::uint64_t k_config_limit = 16 * 1024 * 1024;

std::string variable(const DockerSearch& search, std::string_view name) {
  const auto found = search.environment.find(name);
  return found == search.environment.end() ? std::string() : found->second;
}

// Where Docker keeps its config.json; empty when there is no home either.
fs::path config_folder(const DockerSearch& search) {
  if (const std::string folder = variable(search, "DOCKER_CONFIG"); !folder.empty()) return folder;
  if (const std::string home = variable(search, "HOME"); !home.empty()) return fs::path(home) / ".docker";
  return {};
}

// The context's address from Docker's own files.
Result<Endpoint> endpoint_of_context(const DockerSearch& search, const std::string& name) {
  const fs::path file = config_folder(search) / "contexts" / "meta" / sha256_hex(name) / "meta.json";
  const std::string doing = fmt::format("using the Docker context \"{}\"", name);
  const Result<std::string> text = sys::read_file(file, k_config_limit);
  if (!text) {
    Error error = text.error();
    error.hint = "see `docker context ls`; unset DOCKER_CONTEXT or set DOCKER_HOST";
    return within(doing, std::move(error));
  }
  const Result<Value> meta = parse_json(*text, file.string());
  if (!meta) return within(doing, meta.error());
  const Value* endpoints = meta->find("Endpoints");
  const Value* endpoint = endpoints == nullptr ? nullptr : endpoints->find("docker");
  const std::string host = endpoint == nullptr ? "" : endpoint->text_or("Host", "");
  if (host.empty()) return fail(ErrorCode::invalid_input, "{}: {} names no docker endpoint", doing, file.string());
  Result<Endpoint> parsed = docker::parse_endpoint(host);
  if (!parsed) return within(doing, std::move(parsed).error());
  std::error_code ignored;
  const fs::path certificates = config_folder(search) / "contexts" / "tls" / sha256_hex(name) / "docker";
  if (parsed->path.empty() && fs::exists(certificates, ignored)) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("{}: {} wants TLS, which is not supported", doing, host),
                          "use the engine's Unix socket: unix:///var/run/docker.sock");
  }
  return parsed;
}

// currentContext of config.json; "" when there is none, or the file is not there.
Result<std::string> current_context(const DockerSearch& search) {
  const fs::path folder = config_folder(search);
  if (folder.empty()) return std::string();
  const Result<std::string> text = sys::read_file(folder / "config.json", k_config_limit);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return std::string();
    return within("looking for the Docker context", text.error());
  }
  const Result<Value> config = parse_json(*text, (folder / "config.json").string());
  if (!config) return within("looking for the Docker context", config.error());
  return config->text_or("currentContext", "");
}

// The endpoint that someone has chosen; nothing: look for sockets.
Result<std::optional<Endpoint>> chosen_endpoint(const DockerSearch& search) {
  if (const std::string host = variable(search, "DOCKER_HOST"); !host.empty()) {
    Result<Endpoint> endpoint = docker::parse_endpoint(host);
    if (!endpoint) return Failure(std::move(endpoint).error());
    if (endpoint->path.empty() && !variable(search, "DOCKER_TLS_VERIFY").empty()) {
      return fail_with_hint(ErrorCode::invalid_input,
                            fmt::format("DOCKER_HOST {} with DOCKER_TLS_VERIFY: TLS is not supported", host),
                            "use the engine's Unix socket: unix:///var/run/docker.sock");
    }
    return std::optional(std::move(*endpoint));
  }
  std::string context = variable(search, "DOCKER_CONTEXT");
  if (context.empty()) {
    Result<std::string> current = current_context(search);
    if (!current) return Failure(std::move(current).error());
    context = std::move(*current);
  }
  if (context.empty() || context == "default") return std::optional<Endpoint>();
  Result<Endpoint> endpoint = endpoint_of_context(search, context);
  if (!endpoint) return Failure(std::move(endpoint).error());
  return std::optional(std::move(*endpoint));
}

std::vector<fs::path> sockets_of(const DockerSearch& search) {
  const std::string runtime = variable(search, "XDG_RUNTIME_DIR");
  const fs::path folder = runtime.empty() ? search.runtime_folder : fs::path(runtime);
  std::vector<fs::path> sockets{search.docker_socket};
  if (!folder.empty()) {
    sockets.push_back(folder / "docker.sock");
    sockets.push_back(folder / "podman" / "podman.sock");
  }
  sockets.push_back(search.podman_socket);
  return sockets;
}

Result<std::unique_ptr<ContainerEngine>> connect_at(const DockerSearch& search, const Endpoint& endpoint) {
  docker::HttpClient client(endpoint, search.debug_log);
  Result<docker::Handshake> handshake = docker::shake_hands(client, search.patience);
  if (!handshake) return Failure(std::move(handshake).error());
  return std::unique_ptr<ContainerEngine>(std::make_unique<docker::DockerEngine>(
      endpoint, std::move(*handshake), docker::RegistryAuth(config_folder(search), search.environment),
      variable(search, "MLPIPE_BUILD_NETWORK"), docker::LoopTimes{}, search.debug_log));
}

// Of all refusals, the one that is nearest to working gives code and hint: an engine that is there but will not let us
// in says more than a socket that is not there.
Failure none_answers(const std::vector<Error>& refusals, const std::vector<fs::path>& absent) {
  std::string message = "found no container engine";
  for (const Error& error : refusals) message += fmt::format("; {}", error.message);
  if (!absent.empty()) {
    std::vector<std::string> names;
    for (const fs::path& path : absent) names.push_back(path.string());
    message += fmt::format("; not there: {}", join(names, ", "));
  }
  if (refusals.empty()) {
    return fail_with_hint(
        ErrorCode::unavailable, std::move(message),
        "install Docker and start dockerd (apt install docker.io), or set DOCKER_HOST to an engine's address");
  }
  return fail_with_hint(refusals.front().code, std::move(message), refusals.front().hint);
}

}  // namespace

DockerSearch docker_search_of_process() {
  constexpr std::array k_names{"DOCKER_HOST",     "DOCKER_CONTEXT",    "DOCKER_CONFIG",        "HOME",
                               "XDG_RUNTIME_DIR", "DOCKER_TLS_VERIFY", "MLPIPE_BUILD_NETWORK", "PATH"};
  DockerSearch search;
  for (const char* name : k_names) {
    if (std::optional<std::string> value = sys::environment(name); value && !value->empty()) {
      search.environment.emplace(name, std::move(*value));
    }
  }
  // cron gives no HOME.
  if (!search.environment.contains("HOME")) {
    if (const std::optional<fs::path> home = sys::home_folder()) search.environment.emplace("HOME", home->string());
  }
  search.runtime_folder = fmt::format("/run/user/{}", ::getuid());
  return search;
}

Result<std::unique_ptr<ContainerEngine>> connect_docker(const DockerSearch& search) {
  Result<std::optional<Endpoint>> chosen = chosen_endpoint(search);
  if (!chosen) return Failure(std::move(chosen).error());
  if (*chosen) return connect_at(search, **chosen);
  std::vector<Error> refusals;
  std::vector<fs::path> absent;
  for (const fs::path& socket : sockets_of(search)) {
    std::error_code error;
    const fs::file_status status = fs::status(socket, error);
    if (status.type() == fs::file_type::not_found) {
      absent.push_back(socket);
      continue;
    }
    Result<std::unique_ptr<ContainerEngine>> engine =
        connect_at(search, {.address = "unix://" + socket.string(), .path = socket.string(), .host = {}, .port = {}});
    if (engine) return engine;
    refusals.push_back(std::move(engine).error());
  }
  return none_answers(refusals, absent);
}

}  // namespace mlpipe::runner
