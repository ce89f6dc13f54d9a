#include "mlpipe/base/clock.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace mlpipe {
namespace {

WallTime at(std::int64_t milliseconds) { return WallTime(std::chrono::milliseconds(milliseconds)); }

// Sets the time zone for one test and puts the old one back.
class TimeZone final {
 public:
  explicit TimeZone(const char* zone) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~TimeZone() {
    before_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", before_.c_str(), 1);
    ::tzset();
  }
  TimeZone(const TimeZone&) = delete;
  TimeZone& operator=(const TimeZone&) = delete;

 private:
  std::string before_;
};

TEST(Clock, TimesForRecordsAreUtcWithMilliseconds) {
  TimeZone zone("XXX-5:30");
  EXPECT_EQ(to_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(1'770'091'506'789)), "2026-02-03T04:05:06.789Z");
  EXPECT_EQ(to_rfc3339(at(951'782'400'000)), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_compact_time(at(1'770'091'506'789)), "20260203-040506");
}

TEST(Clock, TimesForPeopleAreLocal) {
  TimeZone zone("XXX-5:30");
  EXPECT_EQ(to_local_clock_text(at(1'770'091'506'789)), "09:35:06");
  EXPECT_EQ(to_local_time_text(at(1'770'091'506'789)), "2026-02-03 09:35:06");
}

TEST(Clock, TheSystemsClockRunsForwardAndKnowsTheYear) {
  SystemClock clock;
  MonotonicTime first = clock.now();
  EXPECT_GE(clock.now(), first);
  EXPECT_GT(clock.wall(), at(1'700'000'000'000));
}

}  // namespace
}  // namespace mlpipe
