#include "mlpipe/sys/env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

namespace mlpipe::sys {
namespace {

// Sets or unsets a variable and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name), old_(environment(name)) {
    value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Environment, TellsEmptyFromUnset) {
  const Variable empty("MLPIPE_TEST_EMPTY", "");
  EXPECT_EQ(environment("MLPIPE_TEST_EMPTY"), "");
  EXPECT_EQ(environment("MLPIPE_TEST_ABSENT"), std::nullopt);
  EXPECT_THAT(whole_environment(), testing::Contains("MLPIPE_TEST_EMPTY="));
}

TEST(HomeFolder, IsHome) {
  const Variable home("HOME", "/some/where");
  EXPECT_EQ(home_folder(), "/some/where");
}

TEST(HomeFolder, IsLookedUpWithoutOrWithAUselessHome) {
  const passwd* entry = ::getpwuid(::getuid());
  if (entry == nullptr) GTEST_SKIP() << "this user has no entry in the user database";
  for (const char* value : {static_cast<const char*>(nullptr), "", "relative"}) {
    const Variable home("HOME", value);
    EXPECT_EQ(home_folder(), entry->pw_dir);
  }
}

TEST(SearchPath, HasADefault) {
  const Variable path("PATH", nullptr);
  EXPECT_THAT(program_search_path(), testing::HasSubstr("/usr/bin"));
}

}  // namespace
}  // namespace mlpipe::sys
