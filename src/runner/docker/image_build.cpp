#include "runner/docker/image_build.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "mlpipe/base/text.hpp"
#include "runner/docker/context_files.hpp"
#include "runner/docker/engine_error.hpp"
#include "runner/docker/image_pull.hpp"
#include "runner/docker/json_lines.hpp"
#include "runner/docker/tar_stream.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_tail_lines = 20;
constexpr std::size_t k_line_limit = 4096;
constexpr auto k_pull_line_interval = 200ms;
// A step of a Dockerfile may compute for hours without a word; a person can stop it at any time.
constexpr auto k_build_silence = 24h;

// What the builder says, cut into lines for people, the last ones kept for the error.
class BuildOutput final {
 public:
  BuildOutput(const std::string& tag, const ProgressSink& progress)
      : progress_(progress), base_("base image of " + tag) {}

  void take(const Value& message) {
    if (const Value* detail = message.find("errorDetail"); detail != nullptr) error_ = detail->text_or("message", "");
    if (error_.empty()) error_ = message.text_or("error", "");
    if (message.find("status") != nullptr) return take_pull(message);
    pending_ += message.text_or("stream", "");
    for (std::size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      line(std::string_view(pending_).substr(0, end));
      pending_.erase(0, end + 1);
    }
    if (pending_.size() > k_line_limit) flush();
  }

  void flush() {
    line(pending_);
    pending_.clear();
  }

  const std::string& error() const { return error_; }

  std::string tail() const {
    std::string text;
    for (const std::string& kept : tail_) text += "\n  " + kept;
    return text;
  }

 private:
  void line(std::string_view raw) {
    // A progress bar rewrites its line with carriage returns: its last state is what counts.
    while (raw.ends_with('\r')) raw.remove_suffix(1);
    if (const std::size_t bar = raw.rfind('\r'); bar != std::string_view::npos) raw.remove_prefix(bar + 1);
    const std::string text = printable(raw.substr(0, k_line_limit));
    if (trim(text).empty()) return;
    tail_.push_back(text);
    if (tail_.size() > k_tail_lines) tail_.pop_front();
    if (progress_) progress_(text);
  }

  void take_pull(const Value& message) {
    base_.update(message);
    const auto now = std::chrono::steady_clock::now();
    if (!progress_ || now < next_pull_line_ || message.find("id") == nullptr) return;
    next_pull_line_ = now + k_pull_line_interval;
    progress_(base_.line());
  }

  const ProgressSink& progress_;
  PullProgress base_;
  std::chrono::steady_clock::time_point next_pull_line_{};
  std::string pending_;
  std::string error_;
  std::deque<std::string> tail_;
};

bool is_about_pulling(std::string_view error) {
  const std::string lower = to_lower(error);
  for (const char* sign :
       {"pull access denied", "manifest", "toomanyrequests", "unauthorized", "dial tcp", "no such host"}) {
    if (lower.find(sign) != std::string::npos) return true;
  }
  return false;
}

Failure build_failed(const BuildRequest& request, const BuildOutput& output) {
  const std::string doing = fmt::format("building {} from {}", request.tag, request.context.string());
  if (is_about_pulling(output.error())) return within(doing, pull_refused("of FROM", 400, output.error()).value());
  const bool full = output.error().find("no space left on device") != std::string::npos;
  return fail_with_hint(full ? ErrorCode::no_space : ErrorCode::invalid_input,
                        fmt::format("{}: {}; the last lines were:{}", doing, output.error(), output.tail()),
                        full ? "free space where the engine keeps its data (docker system df)" : "mend the Dockerfile");
}

}  // namespace

Result<> build(HttpClient& client, std::string_view build_path, const RegistryAuth& auth, const BuildRequest& request,
               const ProgressSink& progress, const sys::StopSignal& stop) {
  const std::string doing = fmt::format("building {} from {}", request.tag, request.context.string());
  Result<std::vector<ContextFile>> files = list_context(request.context);
  if (!files) return within(doing, std::move(files).error());
  Result<std::optional<std::string>> credentials = auth.for_build();
  if (!credentials) return within(doing, std::move(credentials).error());
  TarStream tar(std::move(*files));
  // version=1: the classic builder, which every engine from 19.03 on serves without a session protocol.
  Request post{.method = "POST",
               .target = fmt::format("{}?version=1&rm=1&forcerm=1&dockerfile=Dockerfile&t={}", build_path,
                                     url_encoded(request.tag)),
               .content_type = "application/x-tar",
               .source = [&tar] { return tar.next(); }};
  if (!request.network.empty()) post.target += "&networkmode=" + url_encoded(request.network);
  if (*credentials) post.headers.emplace_back("X-Registry-Config", std::move(**credentials));

  BuildOutput output(request.tag, progress);
  JsonLines lines([&](const Value& message) { output.take(message); });
  const Result<Response> response = client.stream(std::move(post), [&](std::string_view piece) { lines.feed(piece); },
                                                  {.timeout = k_build_silence, .stop = &stop});
  lines.finish();
  output.flush();
  if (!response) return within(doing, response.error());
  if (!response->ok()) return engine_refused(doing, *response);
  if (!output.error().empty()) return build_failed(request, output);
  return {};
}

}  // namespace mlpipe::runner::docker
