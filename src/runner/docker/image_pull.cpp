#include "runner/docker/image_pull.hpp"

#include <algorithm>
#include <chrono>

#include "mlpipe/base/text.hpp"
#include "runner/docker/container_json.hpp"
#include "runner/docker/engine_error.hpp"
#include "runner/docker/json_lines.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

// The engine reports while it downloads and unpacks; a registry that is silent for longer is lost.
constexpr auto k_pull_silence = 15min;
constexpr auto k_line_interval = 200ms;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return has(text, part); });
}

struct Source {
  std::string image;
  std::string tag;
};

// Without a tag the engine would pull every tag of the repository.
Source source_of(std::string_view reference) {
  const std::string repository(repository_of(reference));
  if (const std::size_t at = reference.find('@'); at != std::string_view::npos) {
    return {repository, std::string(reference.substr(at + 1))};
  }
  if (repository.size() < reference.size()) return {repository, std::string(reference.substr(repository.size() + 1))};
  return {repository, "latest"};
}

bool is_image_id(std::string_view reference) {
  const std::string_view hex = reference.starts_with("sha256:") ? reference.substr(7) : reference;
  return hex.size() == 64 &&
         std::all_of(hex.begin(), hex.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<> check_reference(std::string_view reference) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/:@+").find(c) != std::string_view::npos;
  };
  const bool plain =
      !reference.empty() && reference.size() <= 512 && std::all_of(reference.begin(), reference.end(), allowed);
  if (plain && reference.front() != '/' && reference.front() != '.' && reference.front() != '-' &&
      !has(reference, "//") && !has(reference, "..")) {
    return {};
  }
  return fail_with_hint(ErrorCode::invalid_input,
                        fmt::format("\"{}\" is not an image reference", shorten(printable(reference), 200)),
                        "write it as [registry/]name[:tag][@sha256:digest]");
}

void PullProgress::update(const Value& message) {
  const std::string id = message.text_or("id", "");
  const std::string status = message.text_or("status", "");
  if (id.empty() || status.starts_with("Pulling from")) return;
  Layer& layer = layers_[id];
  layer.done = status == "Pull complete" || status == "Already exists";
  if (status == "Downloading") {
    if (const Value* detail = message.find("progressDetail"); detail != nullptr) {
      layer.current = std::max<std::int64_t>(detail->integer_or("current", 0), 0);
      layer.total = std::max(detail->integer_or("total", 0), layer.current);
    }
  } else if (status != "Pulling fs layer" && status != "Waiting") {
    layer.current = layer.total;
  }
}

std::string PullProgress::line() const {
  std::int64_t current = 0;
  std::int64_t total = 0;
  std::size_t done = 0;
  for (const auto& [id, layer] : layers_) {
    current += layer.current;
    total += layer.total;
    done += layer.done ? 1U : 0U;
  }
  std::string text = fmt::format("pulling {}: ", reference_);
  constexpr double k_mebibyte = 1024.0 * 1024.0;
  if (total > 0) {
    text += fmt::format("{:.1f}/{:.1f} MiB, ", static_cast<double>(current) / k_mebibyte,
                        static_cast<double>(total) / k_mebibyte);
  }
  return text + fmt::format("{}/{} layers", done, layers_.size());
}

Failure pull_refused(std::string_view reference, int status, std::string_view message) {
  std::string text = fmt::format("pulling image {}: {}", reference, message);
  const std::string lower = to_lower(message);
  const std::string registry = registry_of(reference);
  const std::string login =
      registry.starts_with("https://index.docker.io") ? "docker login" : "docker login " + registry;
  if (status == 429 || has_any(lower, {"toomanyrequests", "too many requests", "rate limit"})) {
    return fail_with_hint(ErrorCode::unavailable, std::move(text),
                          fmt::format("the registry limits pulls: wait, or run `{}` for a higher limit", login));
  }
  if (has(lower, "no space left")) {
    return fail_with_hint(ErrorCode::no_space, std::move(text),
                          "free space where the engine keeps its data (docker system df)");
  }
  if (has_any(lower, {"no matching manifest", "does not match the specified platform",
                      "does not provide the specified platform"})) {
    return fail_with_hint(ErrorCode::invalid_input, std::move(text),
                          "the image is not built for this engine's processor");
  }
  // Registries do not tell strangers whether a repository is absent or private.
  if (has_any(lower, {"repository does not exist", "requested access to the resource is denied", "name unknown"})) {
    return fail_with_hint(ErrorCode::not_found, std::move(text),
                          fmt::format("check the name; if the image is private, run `{}`", login));
  }
  if (has_any(lower, {"unauthorized", "authentication required", "denied", "no basic auth credentials",
                      "incorrect username"})) {
    return fail_with_hint(ErrorCode::permission, std::move(text), fmt::format("run `{}`", login));
  }
  if (has_any(lower, {"manifest unknown", "not found", "manifest for"})) {
    return fail_with_hint(ErrorCode::not_found, std::move(text), "check the name and the tag");
  }
  if (has_any(lower, {"dial tcp", "timeout", "connection refused", "connection reset", "no such host", "unexpected eof",
                      "temporary failure", "deadline exceeded", "service unavailable", "bad gateway",
                      "internal server error"})) {
    return fail_with_hint(ErrorCode::unavailable, std::move(text),
                          "check the network of the engine and its proxy settings");
  }
  switch (status) {
    case 400: return Failure(Error{ErrorCode::invalid_input, std::move(text), "check how the image is written"});
    case 404: return Failure(Error{ErrorCode::not_found, std::move(text), "check the name and the tag"});
    default: return Failure(Error{ErrorCode::unavailable, std::move(text), ""});
  }
}

Result<> pull(HttpClient& client, std::string_view create_path, const RegistryAuth& auth, const std::string& reference,
              const ProgressSink& progress, const sys::StopSignal& stop) {
  if (is_image_id(reference)) {
    return fail_with_hint(ErrorCode::not_found,
                          fmt::format("image {} is not in the engine, and an image id cannot be pulled", reference),
                          "name it as repository:tag or repository@sha256:digest");
  }
  const Source source = source_of(reference);
  Request request{
      .method = "POST",
      .target = fmt::format("{}?fromImage={}&tag={}", create_path, url_encoded(source.image), url_encoded(source.tag))};
  Result<std::optional<std::string>> credentials = auth.for_pull(reference);
  if (!credentials) return within(fmt::format("pulling image {}", reference), std::move(credentials).error());
  if (*credentials) request.headers.emplace_back("X-Registry-Auth", std::move(**credentials));

  PullProgress summary(reference);
  std::string error;
  auto next_line = std::chrono::steady_clock::now();
  JsonLines lines([&](const Value& message) {
    if (const Value* detail = message.find("errorDetail"); detail != nullptr) error = detail->text_or("message", "");
    if (error.empty()) error = message.text_or("error", "");
    summary.update(message);
    const auto now = std::chrono::steady_clock::now();
    if (!progress || now < next_line) return;
    next_line = now + k_line_interval;
    progress(summary.line());
  });
  const Result<Response> response =
      client.stream(std::move(request), [&](std::string_view piece) { lines.feed(piece); },
                    {.timeout = k_pull_silence, .stop = &stop});
  if (!response) return within(fmt::format("pulling image {}", reference), response.error());
  lines.finish();
  if (!response->ok()) return pull_refused(reference, response->status, engine_message(*response));
  if (!error.empty()) return pull_refused(reference, response->status, error);
  if (progress) progress(summary.line());
  return {};
}

}  // namespace mlpipe::runner::docker
