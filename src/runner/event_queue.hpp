#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "mlpipe/engine/ports.hpp"

namespace mlpipe::runner {

// The one way from worker threads to the loop thread, and the only mutex they share.
class EventQueue final {
 public:
  // Any thread.
  void push(engine::Event event) {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    changed_.notify_one();
  }

  // Loop thread: everything that was pushed, waiting for it until `deadline`.
  std::vector<engine::Event> wait(std::optional<MonotonicTime> deadline) {
    std::unique_lock lock(mutex_);
    auto some = [this] { return !events_.empty(); };
    if (deadline) {
      changed_.wait_until(lock, *deadline, some);
    } else {
      changed_.wait(lock, some);
    }
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<engine::Event> events_;
};

}  // namespace mlpipe::runner
