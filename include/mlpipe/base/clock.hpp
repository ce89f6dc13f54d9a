#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mlpipe {

using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// Where time comes from. Durations and deadlines use the monotonic time, records the wall time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

// "2026-02-03T04:05:06.789Z".
std::string to_rfc3339(WallTime time);
// The time that such a text gives, with any number of digits behind the second and Z or an offset; nothing when it gives none.
std::optional<WallTime> parse_rfc3339(std::string_view text);
// "20260203-040506", UTC; the time part of a run id.
std::string to_compact_time(WallTime time);
// "04:05:06" in the local time zone, for people.
std::string to_local_clock_text(WallTime time);
// "2026-02-03 04:05:06" in the local time zone, for people.
std::string to_local_time_text(WallTime time);

}  // namespace mlpipe
