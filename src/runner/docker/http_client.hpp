#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/stop_signal.hpp"
#include "runner/docker/endpoint.hpp"
#include "runner/docker/exchange.hpp"

namespace mlpipe::runner::docker {

struct Response {
  int status = 0;
  std::string body;
  std::string server;  // the headers that we look at
  std::string api_version;
  std::string os_type;
  bool ok() const { return status >= 200 && status < 300; }
};

// How long a call may take, and who may end it early (then `cancelled`).
struct CallLimits {
  std::chrono::milliseconds timeout{30'000};  // of the whole call, or of silence when the answer is streamed
  const sys::StopSignal* stop = nullptr;
};

enum class Until { head, end };  // of the answer

// Drives one exchange until its answer has come so far. `unavailable` when it has not by `deadline`.
Result<> drive(Exchange& exchange, Until until, MonotonicTime deadline, const std::string& address);

// Calls on the engine's socket. Connections are kept and used again; any thread, several calls at once.
class HttpClient final {
 public:
  // `log`, borrowed, is told of every call; null: nobody is.
  explicit HttpClient(Endpoint endpoint, DebugLog* log = nullptr) : endpoint_(std::move(endpoint)), log_(log) {}

  const Endpoint& endpoint() const { return endpoint_; }
  DebugLog* log() const { return log_; }

  // One request and its answer, whatever its status. The body is limited to 64 MiB. An idle connection that the engine
  // had closed is replaced once, when no byte of an answer came: such a request may reach the engine twice.
  // `unavailable` when the engine cannot be reached, hangs, or breaks off.
  Result<Response> call(Request request, CallLimits limits = {});

  // The same, on a connection of its own, with a 2xx body given to `sink` as it comes (Response::body stays empty);
  // other bodies are collected. Never sent twice.
  Result<Response> stream(Request request, const BodySink& sink, CallLimits limits);

  // A connection of its own, for exchanges that a caller drives itself.
  Result<sys::Fd> connect() const;

 private:
  Result<Response> call_silently(const Request& request, const CallLimits& limits);
  Result<Response> stream_silently(Request request, const BodySink& sink, const CallLimits& limits);
  sys::Fd take_idle();
  void keep(sys::Fd connection);

  const Endpoint endpoint_;
  DebugLog* const log_;
  std::mutex mutex_;  // idle connections are shared by the worker threads
  std::vector<sys::Fd> idle_;
};

// `text` for use in a query.
std::string url_encoded(std::string_view text);

}  // namespace mlpipe::runner::docker
