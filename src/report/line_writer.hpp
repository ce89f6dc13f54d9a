#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/report/output.hpp"

namespace mlpipe::report {

// Writes whole lines to an Output and knows when a queue is to be tried again.
class LineWriter final {
 public:
  LineWriter(Output& output, const Clock& clock) : output_(output), clock_(clock) {}

  void write(std::string_view lines) {
    output_.write(lines);
    if (output_.has_queued() && retry_at_ <= clock_.now()) retry_at_ = clock_.now() + k_queue_retry;
  }
  // How many writes were lost to a reader that did not read; told once, when it reads again.
  std::uint64_t take_dropped() { return output_.has_queued() ? 0 : output_.take_dropped(); }

  std::optional<MonotonicTime> next_refresh() const {
    if (!output_.has_queued()) return std::nullopt;
    return retry_at_;
  }
  void refresh(MonotonicTime now) {
    output_.flush();
    retry_at_ = now + k_queue_retry;
  }
  void finish() { output_.finish(k_patience); }

 private:
  static constexpr std::chrono::milliseconds k_queue_retry{100};
  static constexpr std::chrono::seconds k_patience{30};

  Output& output_;
  const Clock& clock_;
  MonotonicTime retry_at_{};
};

}  // namespace mlpipe::report
