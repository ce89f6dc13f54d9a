#include "runner/classify.hpp"

#include <gtest/gtest.h>

namespace mlpipe::runner {
namespace {

using engine::AttemptEnd;
using engine::StopReason;

ContainerState exited(int code) {
  return {.status = ContainerState::Status::exited, .started = true, .exit_code = code};
}

struct ExitCase {
  int code;
  AttemptEnd end;
  const char* part_of_message;
};

TEST(Classify, ExitCodesAreToldApart) {
  const ExitCase cases[] = {
      {0, AttemptEnd::succeeded, ""},
      {1, AttemptEnd::user_exit, "exit code 1"},
      {2, AttemptEnd::user_exit, "exit code 2"},
      {125, AttemptEnd::user_exit, "exit code 125"},
      {126, AttemptEnd::user_exit, "exit code 126"},
      {127, AttemptEnd::user_exit, "exit code 127"},
      {128, AttemptEnd::user_exit, "exit code 128"},
      {134, AttemptEnd::signalled, "SIGABRT"},
      {137, AttemptEnd::lost, "SIGKILL"},
      {139, AttemptEnd::signalled, "SIGSEGV"},
      {143, AttemptEnd::lost, "SIGTERM"},
      {255, AttemptEnd::user_exit, "exit code 255"},
  };
  for (const ExitCase& each : cases) {
    engine::AttemptResult result = classify_exit(exited(each.code), std::nullopt, 0);
    EXPECT_EQ(result.end, each.end) << each.code;
    EXPECT_EQ(result.exit_code, each.code);
    EXPECT_NE(result.message.find(each.part_of_message), std::string::npos) << result.message;
  }
}

TEST(Classify, OomOfTheMainProcessIsOutOfMemoryAndNamesTheLimit) {
  ContainerState state = exited(137);
  state.oom_killed = true;
  engine::AttemptResult result = classify_exit(state, std::nullopt, 64U << 20U);
  EXPECT_EQ(result.end, AttemptEnd::out_of_memory);
  EXPECT_NE(result.message.find("64.0 MiB"), std::string::npos);
}

TEST(Classify, AKillUnderAMemoryLimitMayBeAnOomThatTheEngineMissed) {
  EXPECT_NE(classify_exit(exited(137), std::nullopt, 64U << 20U).hint.find("memory limit of 64.0 MiB"),
            std::string::npos);
  EXPECT_EQ(classify_exit(exited(143), std::nullopt, 64U << 20U).hint.find("memory"), std::string::npos);
  EXPECT_EQ(classify_exit(exited(137), std::nullopt, 0).hint.find("memory"), std::string::npos);
}

TEST(Classify, OomOfAChildWithExitZeroIsASuccessThatKnowsOfIt) {
  ContainerState state = exited(0);
  state.oom_killed = true;
  engine::AttemptResult result = classify_exit(state, std::nullopt, 0);
  EXPECT_EQ(result.end, AttemptEnd::succeeded);
  EXPECT_TRUE(result.oom_killed);
}

TEST(Classify, WhatWeStoppedIsNeverTheTasksFault) {
  EXPECT_EQ(classify_exit(exited(137), StopReason::timed_out, 0).end, AttemptEnd::timed_out);
  EXPECT_EQ(classify_exit(exited(143), StopReason::cancelled, 0).end, AttemptEnd::cancelled);
  EXPECT_EQ(classify_exit(exited(0), StopReason::timed_out, 0).end, AttemptEnd::timed_out);
}

TEST(Classify, AnExitCodeOfZeroWithoutAStartIsNoSuccess) {
  ContainerState state{.status = ContainerState::Status::created, .started = false, .exit_code = 0};
  EXPECT_EQ(classify_exit(state, std::nullopt, 0).end, AttemptEnd::lost);
  state.error = "exec: \"nosuch\": executable file not found in $PATH";
  engine::AttemptResult result = classify_exit(state, std::nullopt, 0);
  EXPECT_EQ(result.end, AttemptEnd::not_startable);
  EXPECT_NE(result.message.find("nosuch"), std::string::npos);
}

TEST(Classify, EngineErrorsAreTheWorldsFaultAndCommandErrorsAreNot) {
  EXPECT_EQ(classify_error({ErrorCode::not_found, "no such command", ""}, std::nullopt).end, AttemptEnd::not_startable);
  EXPECT_EQ(classify_error({ErrorCode::invalid_input, "not executable", ""}, std::nullopt).end,
            AttemptEnd::not_startable);
  EXPECT_EQ(classify_error({ErrorCode::unavailable, "gone", ""}, std::nullopt).end, AttemptEnd::infrastructure);
  EXPECT_EQ(classify_error({ErrorCode::no_space, "full", ""}, std::nullopt).end, AttemptEnd::infrastructure);
  EXPECT_EQ(classify_error({ErrorCode::cancelled, "", ""}, StopReason::timed_out).end, AttemptEnd::timed_out);
}

}  // namespace
}  // namespace mlpipe::runner
