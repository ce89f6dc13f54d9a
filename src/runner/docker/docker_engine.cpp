#include "runner/docker/docker_engine.hpp"

#include <algorithm>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"
#include "runner/docker/engine_error.hpp"
#include "runner/docker/image_build.hpp"
#include "runner/docker/image_pull.hpp"
#include "runner/docker/json_lines.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

// A disk under load makes the engine slow to create and remove; only a hang takes this long.
constexpr auto k_change_timeout = 120s;
constexpr auto k_start_timeout = 300s;
constexpr auto k_remove_wait = 30s;
// An engine that hears of an OOM kill after the end of the container hears of it within this.
constexpr auto k_late_oom = 2s;

std::string short_id(const std::string& id) { return id.substr(0, 12); }

// As the engine's queries take times: seconds with a fraction.
std::string timestamp(WallTime time) {
  const std::int64_t milliseconds = time.time_since_epoch().count();
  return fmt::format("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
}

}  // namespace

DockerEngine::DockerEngine(Endpoint endpoint, Handshake handshake, RegistryAuth auth, std::string build_network,
                           LoopTimes times, DebugLog* debug_log)
    : client_(std::move(endpoint), debug_log),
      handshake_(std::move(handshake)),
      auth_(std::move(auth)),
      build_network_(std::move(build_network)),
      times_(times) {}

std::string DockerEngine::path(std::string_view rest) const {
  return fmt::format("/v{}/{}", handshake_.info.api_version, rest);
}

Result<Response> DockerEngine::post(std::string_view rest, std::chrono::milliseconds timeout) {
  return client_.call(Request{.method = "POST", .target = path(rest)}, {.timeout = timeout});
}

AttemptLoop DockerEngine::loop_for(const std::string& id, LogSink& log, sys::StopSignal& stop) const {
  return AttemptLoop(client_, path("containers"), handshake_.traits, times_, id, log, stop);
}

Result<Image> DockerEngine::inspect_image(const std::string& reference) {
  if (Result<> valid = check_reference(reference); !valid) return Failure(valid.error());
  const Result<Response> response = client_.call(Request{.target = path(fmt::format("images/{}/json", reference))});
  if (!response) return within(fmt::format("inspecting image {}", reference), response.error());
  if (!response->ok()) return engine_refused(fmt::format("inspecting image {}", reference), *response);
  return parse_image(response->body, reference);
}

Result<Image> DockerEngine::pull_image(const std::string& reference, const ProgressSink& progress,
                                       const sys::StopSignal& stop) {
  if (Result<> valid = check_reference(reference); !valid) return Failure(valid.error());
  if (Result<> pulled = pull(client_, path("images/create"), auth_, reference, progress, stop); !pulled) {
    return Failure(std::move(pulled).error());
  }
  Result<Image> image = inspect_image(reference);
  if (image && progress && !image->architecture.empty() && !handshake_.architecture.empty() &&
      image->architecture != handshake_.architecture) {
    progress(fmt::format("note: {} is built for {}, this engine runs {}: it needs emulation to start", reference,
                         image->architecture, handshake_.architecture));
  }
  return image;
}

Result<Image> DockerEngine::build_image(const BuildRequest& request, const ProgressSink& progress,
                                        const sys::StopSignal& stop) {
  if (Result<> valid = check_reference(request.tag); !valid) return Failure(valid.error());
  BuildRequest whole = request;
  if (whole.network.empty()) whole.network = build_network_;
  if (Result<> built = build(client_, path("build"), auth_, whole, progress, stop); !built) {
    return Failure(std::move(built).error());
  }
  return inspect_image(request.tag);
}

Result<std::vector<ImageSummary>> DockerEngine::list_images(const std::string& prefix) {
  const Result<Response> response = client_.call(Request{.target = path("images/json")});
  if (!response) return within("listing images", response.error());
  if (!response->ok()) return engine_refused("listing images", *response);
  return parse_image_list(response->body, prefix);
}

Result<> DockerEngine::name_image(const std::string& reference, const std::string& name) {
  const std::string doing = fmt::format("naming image {} {}", reference, name);
  for (const std::string& each : {reference, name}) {
    if (Result<> valid = check_reference(each); !valid) return within(doing, valid.error());
  }
  const std::size_t colon = name.rfind(':');
  const std::string target = fmt::format("images/{}/tag?repo={}&tag={}", reference, url_encoded(name.substr(0, colon)),
                                         url_encoded(name.substr(std::min(colon, name.size() - 1) + 1)));
  const Result<Response> response =
      client_.call(Request{.method = "POST", .target = path(target)}, {.timeout = k_change_timeout});
  if (!response) return within(doing, response.error());
  return response->ok() ? Result<>() : Result<>(engine_refused(doing, *response));
}

Result<> DockerEngine::remove_image(const std::string& reference) {
  const std::string doing = fmt::format("removing image {}", reference);
  if (Result<> valid = check_reference(reference); !valid) return within(doing, valid.error());
  const Result<Response> response =
      client_.call(Request{.method = "DELETE", .target = path("images/" + reference)}, {.timeout = k_change_timeout});
  if (!response) return within(doing, response.error());
  if (response->ok() || response->status == 404) return {};
  return engine_refused(doing, *response);
}

Result<std::string> DockerEngine::create(const ContainerConfig& config) {
  const std::string doing = fmt::format("creating container {}", config.name);
  Request request{.method = "POST",
                  .target = path(fmt::format("containers/create?name={}", url_encoded(config.name))),
                  .body = create_body(config, handshake_.traits)};
  const Result<Response> response = client_.call(std::move(request), {.timeout = k_change_timeout});
  if (!response) return within(doing, response.error());
  if (!response->ok()) return engine_refused(doing, *response);
  const Result<Value> answer = parse_json(response->body, "create answer");
  if (!answer) return within(doing, answer.error());
  std::string id = answer->text_or("Id", "");
  if (id.empty()) return fail(ErrorCode::internal, "{}: the engine's answer has no Id", doing);
  return id;
}

Result<> DockerEngine::run(const std::string& id, LogSink& log, const std::function<void()>& started,
                           sys::StopSignal& stop) {
  return loop_for(id, log, stop).run(started);
}

Result<> DockerEngine::follow(const std::string& id, LogSink& log, sys::StopSignal& stop) {
  return loop_for(id, log, stop).follow();
}

Result<ContainerState> DockerEngine::inspect(const std::string& id) {
  const std::string doing = fmt::format("inspecting container {}", short_id(id));
  const Result<Response> response =
      client_.call(Request{.target = path(fmt::format("containers/{}/json", url_encoded(id)))});
  if (!response) return within(doing, response.error());
  if (!response->ok()) return engine_refused(doing, *response);
  Result<ContainerState> state = parse_container_state(response->body);
  if (const std::optional<UnclearKill> kill = parse_unclear_kill(response->body); kill && !handshake_.traits.podman) {
    state->oom_killed = tells_of_oom_kill(id, *kill);
  }
  return state;
}

// Docker takes an OOM kill into a container's state only when it hears of it before it hears of the end, which on cgroup v1
// is a race (about 1 in 10, Docker 20.10); the event comes all the same. Whatever else killed it, through the engine, comes
// as an event before the end. Who is not answered takes the state as it is.
bool DockerEngine::tells_of_oom_kill(const std::string& id, const UnclearKill& kill) {
  const std::string filters = to_json(Value(Value::Struct{
      {"type", Value::List{"container"}}, {"container", Value::List{id}}, {"event", Value::List{"oom", "kill"}}}));
  std::string first;
  sys::StopSignal enough;
  JsonLines lines([&](const Value& event) {
    if (first.empty()) first = event.text_or("Action", "");
    enough.request(sys::StopSignal::Level::graceful);
  });
  const Request request{.target = path(fmt::format("events?since={}&until={}&filters={}", timestamp(kill.started),
                                                   timestamp(kill.ended + k_late_oom), url_encoded(filters)))};
  (void)client_.stream(request, [&](std::string_view piece) { lines.feed(piece); },
                       {.timeout = 2 * k_late_oom, .stop = &enough});
  debug(client_.log(), "engine", "container {}: killed, and its events say {}", short_id(id),
        first.empty() ? "nothing" : first);
  return first == "oom";
}

Result<> DockerEngine::stop(const std::string& id, std::chrono::seconds grace) {
  const std::string doing = fmt::format("stopping container {}", short_id(id));
  const Result<Response> response =
      post(fmt::format("containers/{}/stop?t={}", url_encoded(id), grace.count()), grace + k_change_timeout);
  if (!response) return within(doing, response.error());
  if (response->ok() || response->status == 304) return {};
  return engine_refused(doing, *response);
}

Result<> DockerEngine::kill(const std::string& id) {
  const std::string doing = fmt::format("killing container {}", short_id(id));
  const Result<Response> response =
      post(fmt::format("containers/{}/kill?signal=SIGKILL", url_encoded(id)), k_change_timeout);
  if (!response) return within(doing, response.error());
  if (response->ok() || response->status == 409) return {};  // 409: it runs no more
  return engine_refused(doing, *response);
}

Result<> DockerEngine::remove(const std::string& id) {
  const std::string doing = fmt::format("removing container {}", short_id(id));
  const std::string target = fmt::format("containers/{}?force=1&v=1", url_encoded(id));
  for (int attempt = 1;; ++attempt) {
    const Result<Response> response =
        client_.call(Request{.method = "DELETE", .target = path(target)}, {.timeout = k_change_timeout});
    if (!response) return within(doing, response.error());
    if (response->ok() || response->status == 404) return {};
    if (response->status != 409 || attempt == 3) return engine_refused(doing, *response);
    // Someone else is removing it: over when the engine says so.
    const Result<Response> gone =
        post(fmt::format("containers/{}/wait?condition=removed", url_encoded(id)), k_remove_wait);
    if (!gone) return within(doing, gone.error());
  }
}

Result<> DockerEngine::start(const std::string& id) {
  const Result<Response> response = post(fmt::format("containers/{}/start", url_encoded(id)), k_start_timeout);
  if (!response) return within(fmt::format("starting container {}", short_id(id)), response.error());
  if (response->ok() || response->status == 304) return {};
  return start_refused(id, *response);
}

Result<std::vector<ContainerSummary>> DockerEngine::list(const std::map<std::string, std::string>& labels) {
  Value::List wanted;
  for (const auto& [name, value] : labels) wanted.push_back(name + "=" + value);
  const std::string filters = to_json(Value(Value::Struct{{"label", std::move(wanted)}}));
  const Result<Response> response =
      client_.call(Request{.target = path(fmt::format("containers/json?all=1&filters={}", url_encoded(filters)))});
  if (!response) return within("listing containers", response.error());
  if (!response->ok()) return engine_refused("listing containers", *response);
  return parse_container_list(response->body);
}

}  // namespace mlpipe::runner::docker
