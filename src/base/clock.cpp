#include "mlpipe/base/clock.hpp"

#include <fmt/format.h>

#include <ctime>

namespace mlpipe {
namespace {

struct Split {
  std::tm tm{};
  int milliseconds = 0;
};

Split split_time(WallTime time, std::tm* (*convert)(const std::time_t*, std::tm*)) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  std::time_t count = seconds.time_since_epoch().count();
  Split result;
  convert(&count, &result.tm);
  result.milliseconds = static_cast<int>((time - seconds).count());
  return result;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  Split t = split_time(time, gmtime_r);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm.tm_year + 1900, t.tm.tm_mon + 1, t.tm.tm_mday,
                     t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec, t.milliseconds);
}

std::string to_compact_time(WallTime time) {
  Split t = split_time(time, gmtime_r);
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}", t.tm.tm_year + 1900, t.tm.tm_mon + 1, t.tm.tm_mday, t.tm.tm_hour,
                     t.tm.tm_min, t.tm.tm_sec);
}

std::string to_local_clock_text(WallTime time) {
  Split t = split_time(time, localtime_r);
  return fmt::format("{:02}:{:02}:{:02}", t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec);
}

std::string to_local_time_text(WallTime time) {
  Split t = split_time(time, localtime_r);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.tm.tm_year + 1900, t.tm.tm_mon + 1, t.tm.tm_mday,
                     t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec);
}

}  // namespace mlpipe
