#pragma once

#include "mlpipe/base/clock.hpp"

namespace mlpipe::test {

// Time that stands still until it is told to go on. Both times begin at 0.
class FakeClock final : public Clock {
 public:
  MonotonicTime now() const override { return MonotonicTime(passed_); }
  WallTime wall() const override { return WallTime(std::chrono::floor<std::chrono::milliseconds>(passed_)); }

  void advance(std::chrono::nanoseconds time) { passed_ += time; }
  void advance_to(MonotonicTime time) { passed_ = std::max(passed_, time.time_since_epoch()); }

 private:
  MonotonicTime::duration passed_{};
};

}  // namespace mlpipe::test
