#include "runner/docker/attempt_loop.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"
#include "runner/docker/engine_error.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;
using Level = sys::StopSignal::Level;

constexpr std::size_t k_log_buffer = 64 * 1024;

MonotonicTime now() { return std::chrono::steady_clock::now(); }

Response answer_of(const Exchange& exchange, std::string body) {
  return {
      .status = exchange.response().status(), .body = std::move(body), .server = {}, .api_version = {}, .os_type = {}};
}

// Drives `exchange` one step; true when it has ended, by its answer or by a lost connection.
bool step(Exchange& exchange, short ready, bool& lost) {
  const Result<> advanced = exchange.advance(ready);
  lost = !advanced;
  return lost || exchange.done();
}

}  // namespace

AttemptLoop::AttemptLoop(const HttpClient& client, std::string containers_path, EngineTraits traits, LoopTimes times,
                         std::string id, LogSink& log, sys::StopSignal& stop)
    : client_(client),
      path_(containers_path + "/" + id),
      traits_(traits),
      times_(times),
      id_(std::move(id)),
      stop_(stop),
      demultiplexer_(log) {}

Result<Exchange> AttemptLoop::open(Request request, BodySink sink) const {
  Result<sys::Fd> connection = client_.connect();
  if (!connection) return Failure(std::move(connection).error());
  return Exchange(std::move(*connection), std::move(request), std::move(sink));
}

Request AttemptLoop::post(std::string_view action) const {
  return Request{.method = "POST", .target = fmt::format("{}/{}", path_, action)};
}

Result<> AttemptLoop::attach() {
  Request request = post("attach?stream=1&stdout=1&stderr=1");
  request.kind = ResponseParser::Kind::hijacked;
  Result<Exchange> exchange = open(std::move(request));
  if (!exchange) return Failure(std::move(exchange).error());
  if (Result<> driven = drive(*exchange, Until::head, now() + times_.answer, client_.endpoint().address); !driven)
    return driven;
  const int status = exchange->response().status();
  auto [connection, leftover] = exchange->take_hijacked();
  if (status != 101 && status != 200) {
    return container_refused(
        fmt::format("attaching to container {}", id_.substr(0, 12)),
        Response{.status = status, .body = std::move(leftover), .server = {}, .api_version = {}, .os_type = {}});
  }
  debug(client_.log(), "engine", "container {}: attached", id_.substr(0, 12));
  attached_ = std::move(connection);
  log_open_ = true;
  return demultiplexer_.feed(std::as_bytes(std::span(leftover)));
}

Result<> AttemptLoop::register_wait(std::string_view condition) {
  wait_body_.clear();
  wait_lost_ = false;
  Result<Exchange> exchange = open(post(fmt::format("wait?condition={}", condition)), [this](std::string_view piece) {
    if (wait_body_.size() < k_log_buffer) wait_body_.append(piece);
  });
  if (!exchange) return Failure(std::move(exchange).error());
  wait_.emplace(std::move(*exchange));
  // The engine sends the header once the wait is registered: only then may the container start.
  if (Result<> driven = drive(*wait_, Until::head, now() + times_.answer, client_.endpoint().address); !driven)
    return driven;
  if (wait_->response().status() == 200) return {};
  if (Result<> driven = drive(*wait_, Until::end, now() + times_.answer, client_.endpoint().address); !driven)
    return driven;
  return container_refused(fmt::format("waiting for container {}", id_.substr(0, 12)), answer_of(*wait_, wait_body_));
}

Result<> AttemptLoop::run(const std::function<void()>& started) {
  started_ = started;
  if (stop_.requested())
    return fail(ErrorCode::cancelled, "container {} was not started: stopped on request", id_.substr(0, 12));
  // Attached before the start: attaching afterwards loses the output of fast containers.
  if (Result<> attached = attach(); !attached) return attached;
  // Podman's next-exit polls and misses fast containers; there the wait is registered after the start.
  if (!traits_.podman) {
    if (Result<> waiting = register_wait("next-exit"); !waiting) return waiting;
  }
  // A connection of its own, never retried: starting an ended container again would run it twice.
  Result<Exchange> exchange = open(post("start"), [this](std::string_view piece) {
    if (start_body_.size() < k_log_buffer) start_body_.append(piece);
  });
  if (!exchange) return Failure(std::move(exchange).error());
  start_.emplace(std::move(*exchange));
  start_deadline_ = now() + times_.start;
  return loop();
}

Result<> AttemptLoop::follow() {
  // The engine's own stored log, from its beginning and then live: slower than attaching (about 5 MB/s), but the one
  // way that neither loses nor repeats a byte.
  Request request{.method = "GET", .target = path_ + "/logs?follow=1&stdout=1&stderr=1"};
  Result<Exchange> logs = open(std::move(request), [this](std::string_view piece) {
    log_moved_ = now();
    if (logs_fed_) logs_fed_ = demultiplexer_.feed(std::as_bytes(std::span(piece)));
  });
  if (!logs) return Failure(std::move(logs).error());
  logs_.emplace(std::move(*logs));
  log_open_ = true;
  if (Result<> waiting = register_wait("not-running"); !waiting) return waiting;
  return loop();
}

Result<> AttemptLoop::loop() {
  log_moved_ = now();
  sweep_due_ = now() + times_.sweep;
  while (true) {
    if (wait_ && wait_->done()) advance_wait(0);  // its answer came together with the header
    react_to_stop();
    if (Result<> timely = keep_times(); !timely) return timely;
    if (std::optional<Result<>> end = verdict()) return *end;
    std::vector<pollfd> entries = poll_entries();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_deadline() - now());
    const int wait = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    const int ready = ::poll(entries.data(), entries.size(), wait);
    if (ready < 0 && errno != EINTR) return fail_errno("polling the engine's sockets", errno);
    if (ready <= 0) continue;
    if (Result<> done = dispatch(entries); !done) return done;
  }
}

// In a fixed order; a connection that is not there has descriptor -1, which poll() passes over.
std::vector<pollfd> AttemptLoop::poll_entries() const {
  const auto entry = [](const std::optional<Exchange>& exchange) {
    return exchange ? pollfd{exchange->fd(), exchange->events(), 0} : pollfd{-1, 0, 0};
  };
  return {
      pollfd{attached_.get(), POLLIN, 0}, entry(logs_), entry(wait_), entry(start_), entry(stop_call_), entry(sweep_),
      pollfd{stop_.fd(), POLLIN, 0}};
}

MonotonicTime AttemptLoop::next_deadline() const {
  if (start_) return start_deadline_;
  if (ended_ == Ended::yes) return std::max(ended_at_, log_moved_) + times_.silent_log;
  MonotonicTime next = sweep_ ? sweep_deadline_ : sweep_due_;
  if (stop_retry_) next = std::min(next, *stop_retry_);
  if (kill_deadline_) next = std::min(next, *kill_deadline_);
  if (!log_open_) next = std::min(next, log_closed_at_ + times_.closed_log);
  return next;
}

// An earlier entry may end the container, and with it what later entries were for.
Result<> AttemptLoop::dispatch(const std::vector<pollfd>& entries) {
  if (entries[0].revents != 0) {
    if (Result<> read = read_attached(); !read) return read;
  }
  if (entries[1].revents != 0) {
    if (Result<> read = advance_logs(entries[1].revents); !read) return read;
  }
  if (entries[2].revents != 0 && wait_) advance_wait(entries[2].revents);
  if (entries[3].revents != 0 && start_) {
    if (Result<> done = advance_start(entries[3].revents); !done) return done;
  }
  if (entries[4].revents != 0 && stop_call_) advance_stop(entries[4].revents);
  if (entries[5].revents != 0 && sweep_) {
    if (Result<> done = advance_sweep(entries[5].revents); !done) return done;
  }
  if (entries[6].revents != 0) stop_.acknowledge();
  return {};
}

Result<> AttemptLoop::read_attached() {
  std::array<std::byte, k_log_buffer> buffer;
  const ssize_t count = ::recv(attached_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (count <= 0) {
    attached_.reset();
    log_ended();
    return {};
  }
  log_moved_ = now();
  return demultiplexer_.feed(std::span(buffer).first(static_cast<std::size_t>(count)));
}

Result<> AttemptLoop::advance_logs(short ready) {
  bool lost = false;
  const bool over = step(*logs_, ready, lost);
  if (!logs_fed_) return logs_fed_;
  if (!over) return {};
  const int status = logs_->response().status();
  logs_.reset();
  log_ended();
  if (!lost && status != 200) {
    return fail(ErrorCode::unavailable, "reading the log of container {}: the engine refuses with status {}",
                id_.substr(0, 12), status);
  }
  return {};
}

void AttemptLoop::advance_wait(short ready) {
  bool lost = false;
  if (!step(*wait_, ready, lost)) return;
  const int status = wait_->response().status();
  wait_.reset();
  const Result<Value> answer = parse_json(wait_body_, "wait answer");
  // A dying engine ends the answer cleanly and empty.
  if (!lost && status == 200 && answer && answer->find("StatusCode") != nullptr) {
    container_ended();
    return;
  }
  debug(client_.log(), "engine", "container {}: the wait was lost", id_.substr(0, 12));
  wait_lost_ = true;
  sweep_due_ = now();
}

Result<> AttemptLoop::advance_start(short ready) {
  if (Result<> advanced = start_->advance(ready); !advanced) {
    return within(fmt::format("starting container {}", id_.substr(0, 12)), advanced.error());
  }
  return start_->done() ? finish_start() : Result<>();
}

Result<> AttemptLoop::finish_start() {
  const Response response = answer_of(*start_, std::move(start_body_));
  start_.reset();
  debug(client_.log(), "engine", "container {}: start answered {}", id_.substr(0, 12), response.status);
  if (!response.ok() && response.status != 304) return start_refused(id_, response);
  if (started_) started_();
  // 304: it runs already, and may have ended before our wait was registered.
  const bool wait_again = traits_.podman || response.status == 304;
  if (!wait_again || ended_ == Ended::yes) return {};
  if (Result<> waiting = register_wait("not-running"); !waiting) {
    wait_.reset();
    wait_lost_ = true;
    sweep_due_ = now();
  }
  return {};
}

// Passes the level of the stop signal on, once the container has started.
void AttemptLoop::react_to_stop() {
  const Level level = stop_.level();
  if (level == Level::kill && start_) start_deadline_ = std::min(start_deadline_, now() + times_.answer / 2);
  if (start_ || ended_ == Ended::yes) return;
  const bool retry = stop_retry_ && now() >= *stop_retry_;
  if (level <= stop_sent_ && !retry) return;
  if (level == Level::none) return;
  stop_retry_.reset();
  stop_sent_ = level;
  if (level == Level::kill && !kill_deadline_) kill_deadline_ = now() + times_.kill;
  // Without t the engine waits for the grace that the container was created with.
  Result<Exchange> exchange = open(post(level == Level::kill ? "kill?signal=SIGKILL" : "stop"));
  if (!exchange) {
    stop_retry_ = now() + times_.stop_retry;
    return;
  }
  stop_call_.emplace(std::move(*exchange));
}

void AttemptLoop::advance_stop(short ready) {
  bool lost = false;
  if (!step(*stop_call_, ready, lost)) return;
  const int status = stop_call_->response().status();
  debug(client_.log(), "engine", "container {}: stop answered {}", id_.substr(0, 12),
        lost ? "nothing" : std::to_string(status));
  stop_call_.reset();
  // 304, 404, 409: it has ended already.
  if (lost || status >= 500) stop_retry_ = now() + times_.stop_retry;
}

Result<> AttemptLoop::keep_times() {
  const MonotonicTime time = now();
  if (start_ && time >= start_deadline_) {
    return fail(ErrorCode::unavailable, "starting container {}: the engine gives no answer within {}",
                id_.substr(0, 12), duration_text(times_.start));
  }
  if (sweep_ && time >= sweep_deadline_) {
    return fail(ErrorCode::unavailable, "watching container {}: the engine gives no answer within {}",
                id_.substr(0, 12), duration_text(times_.answer));
  }
  if (kill_deadline_ && time >= *kill_deadline_ && ended_ == Ended::no) {
    return fail(ErrorCode::unavailable, "container {} has not ended {} after it was killed", id_.substr(0, 12),
                duration_text(times_.kill));
  }
  if (sweep_ || start_ || ended_ == Ended::yes || time < sweep_due_) return {};
  sweep_body_.clear();
  Result<Exchange> exchange = open(Request{.method = "GET", .target = path_ + "/json"},
                                   [this](std::string_view piece) { sweep_body_.append(piece); });
  if (!exchange) {
    // While log and wait are open the engine lives, however slow it is to take another connection.
    if (log_open_ && !wait_lost_) {
      sweep_due_ = time + times_.sweep;
      return {};
    }
    return within(fmt::format("lost sight of container {}", id_.substr(0, 12)), std::move(exchange).error());
  }
  sweep_.emplace(std::move(*exchange));
  sweep_deadline_ = time + times_.answer;
  return {};
}

Result<> AttemptLoop::advance_sweep(short ready) {
  if (Result<> advanced = sweep_->advance(ready); !advanced) {
    sweep_.reset();
    return within(fmt::format("lost sight of container {}", id_.substr(0, 12)), advanced.error());
  }
  if (!sweep_->done()) return {};
  const Response response = answer_of(*sweep_, std::move(sweep_body_));
  sweep_.reset();
  return judge_sweep(response);
}

Result<> AttemptLoop::judge_sweep(const Response& response) {
  const bool disturbed = wait_lost_ || !log_open_;
  sweep_due_ = now() + (disturbed ? times_.quick_sweep : times_.sweep);
  if (response.status == 404) {  // removed by someone else: the caller's inspect says so
    container_ended();
    return {};
  }
  if (!response.ok()) return {};
  const Result<ContainerState> state = parse_container_state(response.body);
  if (!state) return {};
  if (state->status == ContainerState::Status::exited || state->status == ContainerState::Status::dead) {
    container_ended();
  } else if (!log_open_ && wait_lost_) {
    return fail(ErrorCode::unavailable, "the connections to the running container {} were lost", id_.substr(0, 12));
  }
  return {};
}

void AttemptLoop::log_ended() {
  debug(client_.log(), "engine", "container {}: its log has ended", id_.substr(0, 12));
  log_open_ = false;
  log_closed_at_ = now();
  sweep_due_ = std::min(sweep_due_, now() + (wait_lost_ ? 0ms : times_.quick_sweep));
}

void AttemptLoop::container_ended() {
  if (ended_ == Ended::yes) return;
  debug(client_.log(), "engine", "container {}: it has ended", id_.substr(0, 12));
  ended_ = Ended::yes;
  ended_at_ = now();
  wait_.reset();
  stop_call_.reset();
  sweep_.reset();
}

std::optional<Result<>> AttemptLoop::verdict() const {
  if (start_) return std::nullopt;
  const MonotonicTime time = now();
  if (ended_ == Ended::yes) {
    // A log that stays open after the end (an old engine bug, or a process that escaped) is not waited for.
    const bool log_silent = time >= std::max(ended_at_, log_moved_) + times_.silent_log;
    if (!log_open_ || log_silent) return Result<>();
    return std::nullopt;
  }
  if (!log_open_ && time >= log_closed_at_ + times_.closed_log) {
    return Result<>(fail(ErrorCode::unavailable, "the log of the running container {} was cut off", id_.substr(0, 12)));
  }
  return std::nullopt;
}

}  // namespace mlpipe::runner::docker
