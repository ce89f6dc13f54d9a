#include "mlpipe/base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "mlpipe/base/assert.hpp"

namespace mlpipe {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorCode::invalid_input, "{} is odd", number);
  return number / 2;
}

Result<> check(int number) {
  Result<int> result = half(number);
  if (!result) return within("halving", std::move(result).error());
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(half(4).value(), 2);
  EXPECT_EQ(half(3).error(), (Error{ErrorCode::invalid_input, "3 is odd", ""}));
}

TEST(Result, ContextIsAddedOnTheWayUp) {
  EXPECT_TRUE(check(2).has_value());
  EXPECT_EQ(check(5).error(), (Error{ErrorCode::invalid_input, "halving: 5 is odd", ""}));
}

TEST(Result, ContextKeepsTheHint) {
  Result<> failed = fail_with_hint(ErrorCode::permission, "no access", "run as root");
  Result<> outer = within("opening", std::move(failed).error());
  EXPECT_EQ(outer.error(), (Error{ErrorCode::permission, "opening: no access", "run as root"}));
}

TEST(Result, BracesInTextAreNotFormatted) {
  Result<> failed = within("{}", Error{ErrorCode::io, "{0}", ""});
  EXPECT_EQ(failed.error().message, "{}: {0}");
}

TEST(Result, ErrnoValuesBecomeCodes) {
  struct Case {
    int number;
    ErrorCode code;
  };
  for (const Case& c :
       {Case{ENOENT, ErrorCode::not_found}, Case{EACCES, ErrorCode::permission}, Case{EROFS, ErrorCode::permission},
        Case{ENOSPC, ErrorCode::no_space}, Case{EDQUOT, ErrorCode::no_space}, Case{EEXIST, ErrorCode::conflict},
        Case{ECONNREFUSED, ErrorCode::unavailable}, Case{EISDIR, ErrorCode::invalid_input}, Case{EIO, ErrorCode::io}}) {
    EXPECT_EQ(error_code_of_errno(c.number), c.code) << c.number;
  }
  Result<> failed = fail_errno("reading /x", ENOENT);
  EXPECT_EQ(failed.error(), (Error{ErrorCode::not_found, "reading /x: No such file or directory", ""}));
}

TEST(Result, EveryCodeHasItsOwnName) {
  EXPECT_EQ(to_string(ErrorCode::invalid_input), "invalid_input");
  EXPECT_EQ(to_string(ErrorCode::no_space), "no_space");
  EXPECT_EQ(to_string(ErrorCode::cancelled), "cancelled");
}

TEST(AssertDeathTest, ABrokenPromiseAborts) {
  EXPECT_DEATH(MLPIPE_ASSERT(1 + 1 == 3), "bug: .*result_test.cpp:[0-9]+: 1 \\+ 1 == 3 does not hold");
}

}  // namespace
}  // namespace mlpipe
