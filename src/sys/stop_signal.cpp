#include "mlpipe/sys/stop_signal.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "mlpipe/base/assert.hpp"

namespace mlpipe::sys {

StopSignal::StopSignal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { MLPIPE_ASSERT(event_); }

void StopSignal::request(Level level) {
  Level now = level_.load(std::memory_order_relaxed);
  do {
    if (level <= now) return;
  } while (!level_.compare_exchange_weak(now, level, std::memory_order_acq_rel));
  // After the level: whoever wakes up by the descriptor finds the level risen. The counter cannot overflow: it rises
  // twice at most.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void StopSignal::acknowledge() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
}

}  // namespace mlpipe::sys
