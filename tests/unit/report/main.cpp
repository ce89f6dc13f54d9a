#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

// Golden texts show local times; and the program ignores SIGPIPE as mlpipe does.
int main(int argc, char** argv) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  ::signal(SIGPIPE, SIG_IGN);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
