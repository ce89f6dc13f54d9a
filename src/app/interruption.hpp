#pragma once

#include <mutex>

#include "mlpipe/runner/local_runner.hpp"
#include "mlpipe/sys/signals.hpp"
#include "mlpipe/sys/stop_signal.hpp"

namespace mlpipe::app {

// Where Ctrl-C and SIGTERM go: while images are prepared they stop that, later they are events of the run.
class Interruption final {
 public:
  Interruption() : watcher_([this](int signal) { arrive(signal); }) {}

  // What prepares images watches this.
  const sys::StopSignal& stop() const { return stop_; }
  // The signal that came first, 0: none.
  int signal() const {
    std::lock_guard lock(mutex_);
    return signal_;
  }
  // From now on signals go to `runner`, one that came already too; null: to nobody.
  void forward_to(runner::LocalRunner* runner) {
    std::lock_guard lock(mutex_);
    runner_ = runner;
    if (runner_ != nullptr && signal_ != 0) runner_->post(engine::Interrupted{signal_});
  }

 private:
  void arrive(int signal) {
    std::lock_guard lock(mutex_);
    if (signal_ == 0) signal_ = signal;
    stop_.request(sys::StopSignal::Level::graceful);
    if (runner_ != nullptr) runner_->post(engine::Interrupted{signal});
  }

  mutable std::mutex mutex_;  // between the watcher's thread and the main thread, for a few instructions
  sys::StopSignal stop_;
  runner::LocalRunner* runner_ = nullptr;
  int signal_ = 0;
  sys::SignalWatcher watcher_;  // last: it calls arrive() as soon as it lives
};

}  // namespace mlpipe::app
