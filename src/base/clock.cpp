#include "mlpipe/base/clock.hpp"

#include <fmt/format.h>

#include <cstdio>
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

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  std::tm tm{};
  int used = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                  &tm.tm_min, &tm.tm_sec, &used) != 6) {
    return std::nullopt;
  }
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  std::string_view rest = text.substr(static_cast<std::size_t>(used));
  std::chrono::milliseconds fraction{0};
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    for (int unit = 100; !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
         unit /= 10, rest.remove_prefix(1)) {
      fraction += std::chrono::milliseconds(unit * (rest.front() - '0'));
    }
  }
  std::chrono::minutes offset{0};
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-')) {
    int hours = 0;
    int minutes = 0;
    if (std::sscanf(std::string(rest.substr(1)).c_str(), "%2d:%2d", &hours, &minutes) != 2) return std::nullopt;
    offset = std::chrono::minutes(60 * hours + minutes) * (rest[0] == '-' ? -1 : 1);
  } else if (rest != "Z" && rest != "z") {
    return std::nullopt;
  }
  const std::time_t seconds = timegm(&tm);
  if (seconds == -1) return std::nullopt;
  return WallTime(std::chrono::seconds(seconds)) + fraction - offset;
}

std::string to_compact_time(WallTime time) {
  Split t = split_time(time, gmtime_r);
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}", t.tm.tm_year + 1900, t.tm.tm_mon + 1, t.tm.tm_mday,
                     t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec);
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
