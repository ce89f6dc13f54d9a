#include "runner/docker/http_client.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

constexpr auto k_connect_timeout = 5s;
constexpr std::size_t k_body_limit = 64 * 1024 * 1024;
constexpr std::size_t k_idle_limit = 16;

struct Watch {
  MonotonicTime deadline;
  std::chrono::milliseconds silence{0};  // above zero: every byte moves the deadline by this
  std::chrono::milliseconds timeout{0};  // for the message
  const sys::StopSignal* stop = nullptr;
};

bool reached(const Exchange& exchange, Until until) {
  return exchange.done() || (until == Until::head && exchange.response().head_done());
}

Result<> drive_watched(Exchange& exchange, Until until, Watch watch, const std::string& address) {
  while (!reached(exchange, until)) {
    if (watch.stop != nullptr && watch.stop->requested()) return fail(ErrorCode::cancelled, "stopped on request");
    std::array<pollfd, 2> entries{pollfd{exchange.fd(), exchange.events(), 0},
                                  pollfd{watch.stop != nullptr ? watch.stop->fd() : -1, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(watch.deadline - std::chrono::steady_clock::now());
    if (left <= 0ms) {
      return fail_with_hint(
          ErrorCode::unavailable,
          fmt::format("the engine at {} gives no answer within {}", address, duration_text(watch.timeout)),
          "it may hang or be overloaded: look at its log");
    }
    const int ready =
        ::poll(entries.data(), entries.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("polling the engine's socket", errno);
    if (ready <= 0 || entries[0].revents == 0) continue;
    if (Result<> advanced = exchange.advance(entries[0].revents); !advanced) return advanced;
    if (watch.silence > 0ms) watch.deadline = std::chrono::steady_clock::now() + watch.silence;
  }
  return {};
}

std::string name_of(const Request& request) { return request.method + " " + request.target; }

// What `calling` gives; the log hears of it.
template <class Calling>
Result<Response> told(DebugLog* log, const std::string& name, Calling&& calling) {
  const auto begin = std::chrono::steady_clock::now();
  Result<Response> response = calling();
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  debug(log, "engine", "{}: {} in {:.1f} ms", name,
        response ? std::to_string(response->status) : response.error().message, taken.count());
  return response;
}

Response response_of(const ResponseParser& parser, std::string body) {
  return {.status = parser.status(),
          .body = std::move(body),
          .server = std::string(parser.header("server")),
          .api_version = std::string(parser.header("api-version")),
          .os_type = std::string(parser.header("ostype"))};
}

}  // namespace

Result<> drive(Exchange& exchange, Until until, MonotonicTime deadline, const std::string& address) {
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return drive_watched(exchange, until, Watch{.deadline = deadline, .timeout = timeout}, address);
}

Result<sys::Fd> HttpClient::connect() const {
  return connect_to(endpoint_, std::chrono::steady_clock::now() + k_connect_timeout);
}

sys::Fd HttpClient::take_idle() {
  const std::lock_guard lock(mutex_);
  while (!idle_.empty()) {
    sys::Fd connection = std::move(idle_.back());
    idle_.pop_back();
    // Between requests the engine has nothing to say: anything readable is its close (after 300 s of idleness) or
    // garbage.
    pollfd entry{connection.get(), POLLIN, 0};
    if (::poll(&entry, 1, 0) == 0) return connection;
  }
  return {};
}

void HttpClient::keep(sys::Fd connection) {
  if (!connection) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < k_idle_limit) idle_.push_back(std::move(connection));
}

Result<Response> HttpClient::call(Request request, CallLimits limits) {
  return told(log_, name_of(request), [&] { return call_silently(request, limits); });
}

Result<Response> HttpClient::stream(Request request, const BodySink& sink, CallLimits limits) {
  const std::string name = name_of(request);
  return told(log_, name, [&] { return stream_silently(std::move(request), sink, limits); });
}

Result<Response> HttpClient::call_silently(const Request& request, const CallLimits& limits) {
  const Watch watch{
      .deadline = std::chrono::steady_clock::now() + limits.timeout, .timeout = limits.timeout, .stop = limits.stop};
  sys::Fd connection = take_idle();
  while (true) {
    const bool reused = static_cast<bool>(connection);
    if (!reused) {
      Result<sys::Fd> fresh = connect();
      if (!fresh) return Failure(std::move(fresh).error());
      connection = std::move(*fresh);
    }
    std::string body;
    bool too_long = false;
    Exchange exchange(std::move(connection), request, [&](std::string_view piece) {
      too_long = too_long || body.size() + piece.size() > k_body_limit;
      if (!too_long) body.append(piece);
    });
    Result<> driven = drive_watched(exchange, Until::end, watch, endpoint_.address);
    if (!driven) {
      const bool closed_while_idle = reused && !exchange.answered() && driven.error().code == ErrorCode::unavailable &&
                                     std::chrono::steady_clock::now() < watch.deadline;
      if (!closed_while_idle) return Failure(std::move(driven).error());
      connection = sys::Fd();
      continue;
    }
    if (too_long) return fail(ErrorCode::internal, "the engine's answer is longer than {}", bytes_text(k_body_limit));
    keep(exchange.take_reusable());
    return response_of(exchange.response(), std::move(body));
  }
}

Result<Response> HttpClient::stream_silently(Request request, const BodySink& sink, const CallLimits& limits) {
  Result<sys::Fd> connection = connect();
  if (!connection) return Failure(std::move(connection).error());
  std::string error_body;
  const Exchange* current = nullptr;
  Exchange exchange(std::move(*connection), std::move(request), [&](std::string_view piece) {
    const int status = current->response().status();
    if (status >= 200 && status < 300) return sink(piece);
    if (error_body.size() + piece.size() <= k_body_limit) error_body.append(piece);
  });
  current = &exchange;
  const Watch watch{.deadline = std::chrono::steady_clock::now() + limits.timeout,
                    .silence = limits.timeout,
                    .timeout = limits.timeout,
                    .stop = limits.stop};
  if (Result<> driven = drive_watched(exchange, Until::end, watch, endpoint_.address); !driven)
    return Failure(std::move(driven).error());
  return response_of(exchange.response(), std::move(error_body));
}

std::string url_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace mlpipe::runner::docker
