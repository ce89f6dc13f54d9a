#pragma once

#include <atomic>
#include <chrono>

#include "mlpipe/sys/fd.hpp"

namespace mlpipe::sys {

// Asks the thread that runs one attempt to end it, in two steps: with grace, then at once. The asker never blocks; the
// worker polls fd() beside its sockets, or asks level(). Both sides from any thread; the level only rises.
class StopSignal final {
 public:
  enum class Level : int { none, graceful, kill };

  StopSignal();  // aborts when the system has no descriptors left: the caller raised RLIMIT_NOFILE at start

  void request(Level level);
  Level level() const { return level_.load(std::memory_order_acquire); }
  bool requested() const { return level() != Level::none; }

  // Readable whenever the level has risen since the last acknowledge().
  int fd() const { return event_.get(); }
  void acknowledge();

 private:
  Fd event_;
  std::atomic<Level> level_{Level::none};
};

}  // namespace mlpipe::sys
