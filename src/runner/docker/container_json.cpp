#include "runner/docker/container_json.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>

namespace mlpipe::runner::docker {
namespace {

// The engine's log is only the source for recovery (mlpipe resume), so it is capped: 5 files of 20 MB.
constexpr const char* k_log_size = "20m";
constexpr const char* k_log_files = "5";

Value list_of(const std::vector<std::string>& items) { return Value(Value::List(items.begin(), items.end())); }

Value log_config(const EngineTraits& traits) {
  Value::Struct options{{"max-size", k_log_size}};
  if (!traits.podman) options.emplace("max-file", k_log_files);
  const bool local = traits.local_log_driver && !traits.podman;
  return Value::Struct{{"Type", local ? "local" : "json-file"}, {"Config", std::move(options)}};
}

Value mounts_of(const ContainerConfig& config) {
  Value::List mounts;
  // Mounts, not Binds: a missing source is an error there, not a new folder owned by root.
  for (const Mount& mount : config.mounts) {
    mounts.push_back(Value::Struct{{"Type", "bind"},
                                   {"Source", mount.source.string()},
                                   {"Target", mount.target.string()},
                                   {"ReadOnly", mount.read_only}});
  }
  return mounts;
}

Value host_config(const ContainerConfig& config, const EngineTraits& traits) {
  Value::Struct host{
      {"AutoRemove", false},  // with it the log and the exit code are gone before they can be asked for
      {"Init", true},         // a process 1 that forwards signals and reaps
      {"LogConfig", log_config(traits)},
      {"Mounts", mounts_of(config)},
      {"NetworkMode", config.network},
      {"SecurityOpt", Value::List{"no-new-privileges"}},
  };
  if (config.cpus > 0) host["NanoCpus"] = static_cast<std::int64_t>(std::llround(config.cpus * 1e9));
  if (config.memory > 0) {
    host["Memory"] = config.memory;
    host["MemorySwap"] = config.memory;  // the limit is a limit: no swap on top
  }
  if (config.shm > 0) host["ShmSize"] = config.shm;
  if (!config.tmpfs.empty()) {
    Value::Struct tmpfs;
    for (const std::string& path : config.tmpfs) tmpfs[path] = "mode=1777,exec";
    host["Tmpfs"] = std::move(tmpfs);
  }
  if (!config.gpus.empty()) {
    host["DeviceRequests"] = Value::List{Value::Struct{
        {"Driver", ""}, {"DeviceIDs", list_of(config.gpus)}, {"Capabilities", Value::List{Value::List{"gpu"}}}}};
  }
  return host;
}

ContainerState::Status status_of(std::string_view text) {
  if (text == "created" || text == "initialized" || text == "configured") return ContainerState::Status::created;
  if (text == "running" || text == "paused" || text == "stopping") return ContainerState::Status::running;
  if (text == "exited" || text == "stopped") return ContainerState::Status::exited;
  if (text == "dead") return ContainerState::Status::dead;
  return ContainerState::Status::other;
}

std::vector<std::string> strings_of(const Value* list) {
  std::vector<std::string> strings;
  if (list == nullptr || !list->is_list()) return strings;
  for (const Value& item : list->as_list()) {
    if (item.is_string()) strings.push_back(item.as_string());
  }
  return strings;
}

std::map<std::string, std::string> labels_of(const Value* labels) {
  std::map<std::string, std::string> found;
  if (labels == nullptr || !labels->is_struct()) return found;
  for (const auto& [name, value] : labels->as_struct()) {
    if (value.is_string()) found.emplace(name, value.as_string());
  }
  return found;
}

}  // namespace

std::string create_body(const ContainerConfig& config, const EngineTraits& traits) {
  Value::Struct labels;
  for (const auto& [name, value] : config.labels) labels[name] = value;
  Value::Struct body{
      {"Image", config.image},
      {"Env", list_of(config.env)},
      {"Labels", std::move(labels)},
      {"Tty", false},  // the only form in which standard output and error stay apart
      {"AttachStdout", true},
      {"AttachStderr", true},
      {"OpenStdin", false},
      {"StopTimeout", std::int64_t{config.grace.count()}},
      {"HostConfig", host_config(config, traits)},
  };
  if (config.entrypoint) body["Entrypoint"] = list_of(*config.entrypoint);
  // With an entrypoint of ours the image's Cmd is void, also when we give none.
  if (config.entrypoint || !config.command.empty()) body["Cmd"] = list_of(config.command);
  if (!config.working_directory.empty()) body["WorkingDir"] = config.working_directory;
  if (!config.user.empty()) body["User"] = config.user;
  return to_json(Value(std::move(body)));
}

namespace {

// Not Go's zero time.
bool is_time(std::string_view text) { return !text.empty() && !text.starts_with("0001-"); }

std::optional<WallTime> time_of(const Value& state, std::string_view member) {
  const std::string text = state.text_or(member, "");
  return is_time(text) ? parse_rfc3339(text) : std::nullopt;
}

}  // namespace

Result<ContainerState> parse_container_state(std::string_view json) {
  const Result<Value> parsed = parse_json(json, "container");
  if (!parsed) return Failure(parsed.error());
  const Value* state = parsed->find("State");
  if (state == nullptr) return fail(ErrorCode::internal, "the engine's answer about a container has no State");
  return ContainerState{
      .status = status_of(state->text_or("Status", "")),
      .started = is_time(state->text_or("StartedAt", "")),
      .started_at = time_of(*state, "StartedAt"),
      .finished_at = time_of(*state, "FinishedAt"),
      .exit_code = static_cast<int>(state->integer_or("ExitCode", 0)),
      .oom_killed = state->bool_or("OOMKilled", false),
      .error = state->text_or("Error", ""),
  };
}

std::optional<UnclearKill> parse_unclear_kill(std::string_view json) {
  const Result<ContainerState> state = parse_container_state(json);
  if (!state || state->status != ContainerState::Status::exited || state->exit_code != 128 + SIGKILL ||
      state->oom_killed) {
    return std::nullopt;
  }
  const Result<Value> parsed = parse_json(json, "container");
  const Value* host = parsed ? parsed->find("HostConfig") : nullptr;
  if (host == nullptr || host->integer_or("Memory", 0) == 0) return std::nullopt;
  if (!state->started_at || !state->finished_at) return std::nullopt;
  return UnclearKill{.started = *state->started_at, .ended = *state->finished_at};
}

Result<std::vector<ContainerSummary>> parse_container_list(std::string_view json) {
  const Result<Value> parsed = parse_json(json, "container list");
  if (!parsed) return Failure(parsed.error());
  if (!parsed->is_list()) return fail(ErrorCode::internal, "the engine's container list is no list");
  std::vector<ContainerSummary> containers;
  for (const Value& item : parsed->as_list()) {
    const std::vector<std::string> names = strings_of(item.find("Names"));
    std::string name = names.empty() ? std::string() : names.front();
    if (name.starts_with('/')) name.erase(0, 1);
    containers.push_back({.id = item.text_or("Id", ""),
                          .name = std::move(name),
                          .labels = labels_of(item.find("Labels")),
                          .running = status_of(item.text_or("State", "")) == ContainerState::Status::running});
  }
  return containers;
}

Result<std::vector<ImageSummary>> parse_image_list(std::string_view json, std::string_view prefix) {
  const Result<Value> parsed = parse_json(json, "image list");
  if (!parsed) return Failure(parsed.error());
  if (!parsed->is_list()) return fail(ErrorCode::internal, "the engine's image list is no list");
  constexpr std::string_view k_local = "localhost/";  // as Podman names what it built
  std::vector<ImageSummary> images;
  for (const Value& item : parsed->as_list()) {
    for (std::string& tag : strings_of(item.find("RepoTags"))) {
      std::string_view name = tag;
      if (name.starts_with(k_local)) name.remove_prefix(k_local.size());
      if (!name.starts_with(prefix)) continue;
      images.push_back({.id = item.text_or("Id", ""),
                        .reference = std::string(name),
                        .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, item.integer_or("Size", 0)))});
    }
  }
  return images;
}

std::string_view repository_of(std::string_view reference) {
  reference = reference.substr(0, reference.find('@'));
  const std::size_t slash = reference.rfind('/');
  const std::size_t colon = reference.rfind(':');
  const bool tagged = colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return tagged ? reference.substr(0, colon) : reference;
}

Result<Image> parse_image(std::string_view json, std::string_view reference) {
  const Result<Value> parsed = parse_json(json, "image");
  if (!parsed) return Failure(parsed.error());
  Image image{.id = parsed->text_or("Id", ""),
              .digest = {},
              .entrypoint = {},
              .command = {},
              .architecture = parsed->text_or("Architecture", "")};
  if (image.id.empty()) return fail(ErrorCode::internal, "the engine's answer about image {} has no Id", reference);
  if (!image.id.starts_with("sha256:")) image.id = "sha256:" + image.id;  // Podman leaves it out
  // The same image may have come from several repositories; built and loaded ones have no digest at all.
  const std::string_view repository = repository_of(reference);
  for (const std::string& digest : strings_of(parsed->find("RepoDigests"))) {
    const bool same = repository_of(digest) == repository;
    if (image.digest.empty() || same) image.digest = digest;
    if (same) break;
  }
  if (const Value* metadata = parsed->find("Metadata"); metadata != nullptr) {
    image.last_named = time_of(*metadata, "LastTagTime");
  }
  if (const Value* config = parsed->find("Config"); config != nullptr) {
    image.entrypoint = strings_of(config->find("Entrypoint"));
    image.command = strings_of(config->find("Cmd"));
  }
  return image;
}

}  // namespace mlpipe::runner::docker
