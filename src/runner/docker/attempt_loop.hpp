#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "runner/docker/container_json.hpp"
#include "runner/docker/http_client.hpp"
#include "runner/docker/stream_demultiplexer.hpp"

namespace mlpipe::runner::docker {

// How long the loop waits for what should come at once; tests shorten it.
struct LoopTimes {
  std::chrono::milliseconds answer{60'000};  // attach and wait-registration, an inspect
  std::chrono::milliseconds start{300'000};
  std::chrono::milliseconds sweep{30'000};        // between two inspects of a container that runs undisturbed
  std::chrono::milliseconds quick_sweep{1'000};   // the same when a connection was lost
  std::chrono::milliseconds closed_log{120'000};  // from the log's end to a word that the container has ended
  std::chrono::milliseconds silent_log{30'000};   // from the container's end to the log's
  std::chrono::milliseconds stop_retry{1'000};    // after a stop or kill that failed
  std::chrono::milliseconds kill{60'000};         // from SIGKILL to the container's end
};

// Sees one container through to its end: copies its output, and passes stop requests on without ceasing to. One poll
// loop drives the log, the wait, the start or stop under way and a slow sweep of inspects, each on a connection of its
// own.
//
// The answer of a wait, the end of the log and an inspect each only say "look": a dying engine ends the first two
// cleanly.
class AttemptLoop final {
 public:
  AttemptLoop(const HttpClient& client, std::string containers_path, EngineTraits traits, LoopTimes times,
              std::string id, LogSink& log, sys::StopSignal& stop);

  // Contract: ContainerEngine::run() and follow().
  Result<> run(const std::function<void()>& started);
  Result<> follow();

 private:
  enum class Ended { no, yes };

  Result<Exchange> open(Request request, BodySink sink = {}) const;
  Request post(std::string_view action) const;
  Result<> attach();
  Result<> register_wait(std::string_view condition);
  Result<> loop();
  std::vector<pollfd> poll_entries() const;
  MonotonicTime next_deadline() const;
  Result<> dispatch(const std::vector<pollfd>& entries);
  Result<> read_attached();
  Result<> advance_logs(short ready);
  void advance_wait(short ready);
  Result<> advance_start(short ready);
  void advance_stop(short ready);
  Result<> advance_sweep(short ready);
  Result<> finish_start();
  void react_to_stop();
  Result<> keep_times();
  Result<> judge_sweep(const Response& response);
  void log_ended();
  void container_ended();
  std::optional<Result<>> verdict() const;

  const HttpClient& client_;
  const std::string path_;  // "/v1.41/containers/<id>"
  const EngineTraits traits_;
  const LoopTimes times_;
  const std::string id_;
  sys::StopSignal& stop_;
  StreamDemultiplexer demultiplexer_;
  std::function<void()> started_;

  sys::Fd attached_;              // run(): the raw log stream
  std::optional<Exchange> logs_;  // follow(): the log as an HTTP body
  std::optional<Exchange> wait_;
  std::optional<Exchange> start_;
  std::optional<Exchange> stop_call_;
  std::optional<Exchange> sweep_;
  std::string wait_body_, start_body_, sweep_body_;
  Result<> logs_fed_;

  bool log_open_ = false;
  bool wait_lost_ = false;
  sys::StopSignal::Level stop_sent_ = sys::StopSignal::Level::none;
  Ended ended_ = Ended::no;
  MonotonicTime log_moved_{}, log_closed_at_{}, ended_at_{}, start_deadline_{}, sweep_due_{}, sweep_deadline_{};
  std::optional<MonotonicTime> stop_retry_, kill_deadline_;
};

}  // namespace mlpipe::runner::docker
