#pragma once

#include <signal.h>

namespace mlpipe::sys {

// While it lives, a write to a closed pipe on this thread is EPIPE and never SIGPIPE, whatever the program's signal
// actions.
class SigpipeGuard final {
 public:
  SigpipeGuard();
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t old_mask_{};
  bool was_pending_ = false;
};

}  // namespace mlpipe::sys
