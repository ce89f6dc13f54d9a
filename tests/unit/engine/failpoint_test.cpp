#include "mlpipe/engine/failpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace mlpipe::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> k_names = failpoint_names();

TEST(Failpoint, NamesAreStatesBeforeAndAfterTheRecord) {
  EXPECT_THAT(k_names, Contains("before_record.succeeded"));
  EXPECT_THAT(k_names, Contains("after_record.running"));
  EXPECT_THAT(k_names, Contains("after_effects.starting"));
  EXPECT_THAT(k_names, Contains("after_finish"));
  EXPECT_THAT(k_names, Not(Contains("after_record.waiting")));
  EXPECT_THAT(k_names, Contains("after_record"));
  EXPECT_THAT(k_names, Contains("attempt.half_committed"));
  EXPECT_EQ(k_names.size(), 3u * (10 + 1) + 2 + 7);
}

TEST(Failpoint, IsReadFromNameAndAction) {
  const Result<Failpoint> point = parse_failpoint("after_record.running:eio", k_names);
  ASSERT_TRUE(point);
  EXPECT_EQ(point->name, "after_record.running");
  EXPECT_EQ(point->action, Failpoint::Action::eio);
  EXPECT_FALSE(parse_failpoint("", k_names)->armed());
}

TEST(Failpoint, StrikesTheNthTimeItIsPassed) {
  const Result<Failpoint> point = parse_failpoint("after_record:eio@3", k_names);
  ASSERT_TRUE(point);
  const Failpoint copy = *point;
  EXPECT_TRUE(point->pass("after_record"));
  EXPECT_TRUE(copy.pass("after_record"));
  EXPECT_TRUE(copy.pass("before_record"));
  EXPECT_FALSE(point->pass("after_record"));
  EXPECT_TRUE(point->pass("after_record"));
  EXPECT_THAT(parse_failpoint("after_record:eio@0", k_names).error().message, HasSubstr("a number from 1"));
}

TEST(Failpoint, MistakesAreNamed) {
  EXPECT_THAT(parse_failpoint("after_record.runing:eio", k_names).error().message,
              HasSubstr("did you mean 'after_record.running'?"));
  EXPECT_THAT(parse_failpoint("after_record.running:explode", k_names).error().message,
              HasSubstr("one of kill9, abort, eio, sleep"));
  EXPECT_THAT(parse_failpoint("after_record.running", k_names).error().message,
              HasSubstr("one of kill9, abort, eio, sleep"));
}

TEST(Failpoint, ActsAtItsPlaceOnly) {
  const Failpoint point{"here", Failpoint::Action::eio};
  EXPECT_TRUE(point.pass("there"));
  EXPECT_EQ(point.pass("here").error().code, ErrorCode::io);
  EXPECT_TRUE(Failpoint{}.pass(""));
}

TEST(FailpointDeathTest, EndsTheProcess) {
  EXPECT_EXIT((void)(Failpoint{"here", Failpoint::Action::kill9}.pass("here")), ::testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT((void)(Failpoint{"here", Failpoint::Action::abort}.pass("here")), ::testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace mlpipe::engine
