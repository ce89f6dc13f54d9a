#pragma once

#include <mutex>

#include "mlpipe/runner/local_runner.hpp"
#include "mlpipe/sys/signals.hpp"
#include "mlpipe/sys/stop_signal.hpp"

namespace mlpipe::app {

// Where Ctrl-C and SIGTERM go: while images are prepared they stop that, later they are events of the run.
class Interruption final {
 public:
  Interruption() : watcher_([this](sys::Arrival arrival) { arrive(arrival); }) {}

  // What prepares images watches this.
  const sys::StopSignal& stop() const { return stop_; }
  // The signal that came first, 0: none.
  int signal() const {
    std::lock_guard lock(mutex_);
    return first_.signal;
  }
  // From now on signals go to `runner`, one that came already too; null: to nobody.
  void forward_to(runner::LocalRunner* runner) {
    std::lock_guard lock(mutex_);
    runner_ = runner;
    if (runner_ != nullptr && first_.signal != 0) post(first_);
  }

 private:
  void arrive(sys::Arrival arrival) {
    std::lock_guard lock(mutex_);
    if (first_.signal == 0) first_ = arrival;
    stop_.request(sys::StopSignal::Level::graceful);
    if (runner_ != nullptr) post(arrival);
  }
  void post(sys::Arrival arrival) { runner_->post(engine::Interrupted{arrival.signal, arrival.canceller}); }

  mutable std::mutex mutex_;  // between the watcher's thread and the main thread, for a few instructions
  sys::StopSignal stop_;
  runner::LocalRunner* runner_ = nullptr;
  sys::Arrival first_;
  sys::SignalWatcher watcher_;  // last: it calls arrive() as soon as it lives
};

}  // namespace mlpipe::app
