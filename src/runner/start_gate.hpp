#pragma once

#include <condition_variable>
#include <mutex>

namespace mlpipe::runner {

// Caps how many containers are being started at once. Starting is CPU-bound in the engine: more at a time than it has
// cores makes every one of them late and none of them sooner.
class StartGate final {
 public:
  explicit StartGate(int places) : free_(places) {}

  // Holds one place while it lives, or until release().
  class Ticket final {
   public:
    explicit Ticket(StartGate& gate) : gate_(&gate) {
      std::unique_lock lock(gate.mutex_);
      gate.freed_.wait(lock, [&gate] { return gate.free_ > 0; });
      --gate.free_;
    }
    ~Ticket() { release(); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    void release() {
      if (gate_ == nullptr) return;
      {
        std::lock_guard lock(gate_->mutex_);
        ++gate_->free_;
      }
      gate_->freed_.notify_one();
      gate_ = nullptr;
    }

   private:
    StartGate* gate_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  int free_;
};

}  // namespace mlpipe::runner
