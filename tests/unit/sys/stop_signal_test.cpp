#include "mlpipe/sys/stop_signal.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace mlpipe::sys {
namespace {

bool is_readable(const StopSignal& stop, int timeout_ms) {
  pollfd polled{stop.fd(), POLLIN, 0};
  return ::poll(&polled, 1, timeout_ms) == 1;
}

TEST(StopSignal, IsQuietUntilAsked) {
  const StopSignal stop;
  EXPECT_FALSE(stop.requested());
  EXPECT_FALSE(is_readable(stop, 0));
}

TEST(StopSignal, OnlyRises) {
  StopSignal stop;
  stop.request(StopSignal::Level::kill);
  stop.request(StopSignal::Level::graceful);
  EXPECT_EQ(stop.level(), StopSignal::Level::kill);
}

TEST(StopSignal, IsReadableOnceForEveryRise) {
  StopSignal stop;
  stop.request(StopSignal::Level::graceful);
  EXPECT_TRUE(is_readable(stop, 0));
  stop.acknowledge();
  EXPECT_FALSE(is_readable(stop, 0));
  stop.request(StopSignal::Level::graceful);
  EXPECT_FALSE(is_readable(stop, 0));
  stop.request(StopSignal::Level::kill);
  EXPECT_TRUE(is_readable(stop, 0));
  stop.acknowledge();
  stop.acknowledge();
  EXPECT_EQ(stop.level(), StopSignal::Level::kill);
}

TEST(StopSignal, WakesAPollingThread) {
  StopSignal stop;
  StopSignal::Level seen{};
  std::thread worker([&] {
    while (stop.level() != StopSignal::Level::kill) {
      ASSERT_TRUE(is_readable(stop, 10'000));
      stop.acknowledge();
    }
    seen = stop.level();
  });
  stop.request(StopSignal::Level::graceful);
  std::thread other([&] { stop.request(StopSignal::Level::kill); });
  worker.join();
  other.join();
  EXPECT_EQ(seen, StopSignal::Level::kill);
}

}  // namespace
}  // namespace mlpipe::sys
