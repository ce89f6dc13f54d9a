#include "mlpipe/engine/state.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mlpipe/engine/values.hpp"

namespace mlpipe::engine {
namespace {

std::string followers(TaskState from) {
  std::string text;
  for (std::size_t state = 0; state < k_task_states; ++state) {
    if (!may_follow(from, static_cast<TaskState>(state))) continue;
    text += (text.empty() ? "" : " ") + std::string(to_string(static_cast<TaskState>(state)));
  }
  return text;
}

TEST(TaskStates, FollowEachOtherAsDrawn) {
  EXPECT_EQ(followers(TaskState::waiting), "ready succeeded failed skipped cancelled");
  EXPECT_EQ(followers(TaskState::ready), "deferred starting succeeded failed skipped cancelled");
  EXPECT_EQ(followers(TaskState::deferred), "ready cancelled");
  EXPECT_EQ(followers(TaskState::starting), "running stopping retry_wait succeeded failed cancelled");
  EXPECT_EQ(followers(TaskState::running), "stopping retry_wait succeeded failed cancelled");
  EXPECT_EQ(followers(TaskState::stopping), "retry_wait succeeded failed cancelled");
  EXPECT_EQ(followers(TaskState::retry_wait), "ready cancelled");
}

TEST(TaskStates, NothingFollowsAFinalOne) {
  for (std::size_t state = 0; state < k_task_states; ++state) {
    EXPECT_EQ(is_final(static_cast<TaskState>(state)), followers(static_cast<TaskState>(state)).empty());
  }
}

TEST(Names, AreDifferentForDifferentValues) {
  std::set<std::string_view> states, ends, runs;
  for (std::size_t state = 0; state < k_task_states; ++state) states.insert(to_string(static_cast<TaskState>(state)));
  for (int end = 0; end <= static_cast<int>(AttemptEnd::cancelled); ++end)
    ends.insert(to_string(static_cast<AttemptEnd>(end)));
  for (int run = 0; run <= static_cast<int>(RunState::cancelled); ++run)
    runs.insert(to_string(static_cast<RunState>(run)));
  EXPECT_EQ(states.size(), k_task_states);
  EXPECT_EQ(ends.size(), 10u);
  EXPECT_EQ(runs.size(), 4u);
}

}  // namespace
}  // namespace mlpipe::engine
