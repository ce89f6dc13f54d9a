#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// Removes containers on a thread of its own, so that no task waits for the removal of another's. What cannot be removed
// keeps our labels, and `mlpipe gc` finds it.
class Janitor final {
 public:
  explicit Janitor(ContainerEngine& engine) : engine_(engine), thread_([this] { work(); }) {}
  // Returns when everything that was asked for is done.
  ~Janitor() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  void remove(std::string container) {
    {
      std::lock_guard lock(mutex_);
      containers_.push_back(std::move(container));
    }
    changed_.notify_all();
  }
  // Returns when everything that was asked for so far is done.
  void drain() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return containers_.empty() && !removing_; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return closing_ || !containers_.empty(); });
      if (containers_.empty()) return;
      std::string container = std::move(containers_.front());
      containers_.pop_front();
      removing_ = true;
      lock.unlock();
      (void)engine_.remove(container);
      lock.lock();
      removing_ = false;
      if (containers_.empty()) idle_.notify_all();
    }
  }

  ContainerEngine& engine_;
  std::mutex mutex_;
  std::condition_variable changed_, idle_;
  std::deque<std::string> containers_;
  bool closing_ = false, removing_ = false;
  std::thread thread_;
};

}  // namespace mlpipe::runner
