#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/engine/run.hpp"
#include "mlpipe/plan/selection.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_record.hpp"
#include "support/fake_reporter.hpp"
#include "support/fake_runner.hpp"
#include "support/spec_builder.hpp"

namespace mlpipe::engine {

using namespace std::chrono_literals;
using test::fails;
using test::lasting;
using test::Script;
using test::succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One run of `pipeline` against the fakes: set up, go(), look.
class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    options.run_id = "run-1";
    options.limits.max_parallel = 100;
    runner.script = [this](AttemptId id) { return next_script(id); };
  }

  // What the attempts of `task` do, one after the other; the last goes on for ever. Without: success after a second.
  void script(const std::string& task, std::vector<Script> attempts) { scripts_[task] = std::move(attempts); }

  void prepare(const plan::Selection& selection = {}) {
    spec = pipeline.build();
    Result<plan::Plan> made = plan::make_plan(spec, arguments);
    ASSERT_TRUE(made) << made.error().message;
    plan = std::make_unique<plan::Plan>(std::move(*made));
    Result<> selected = plan::select(*plan, selection);
    ASSERT_TRUE(selected) << selected.error().message;
    Result<> fits = check_fits(*plan, options.limits);
    ASSERT_TRUE(fits) << fits.error().message;
    run = std::make_unique<engine::Run>(*plan, options);
  }

  RunState go(const plan::Selection& selection = {}) {
    prepare(selection);
    if (HasFatalFailure()) return RunState::running;
    Result<RunState> end = run_to_end(*run, runner, record, reporter, clock);
    EXPECT_TRUE(end) << end.error().message;
    EXPECT_EQ(runner.under_way(), 0u);
    return end ? *end : RunState::running;
  }

  TaskId id(std::string_view task) const { return plan->find(task).value(); }
  TaskState state(std::string_view task) const { return run->state(id(task)); }
  std::string reason(std::string_view task) const { return run->reason(id(task)); }

  // The states `task` came to, as recorded: "ready starting running succeeded".
  std::string states(std::string_view task) const {
    std::string text;
    for (const Transition& each : record.history) {
      if (each.task == id(task)) text += (text.empty() ? "" : " ") + std::string(to_string(each.to));
    }
    return text;
  }

  // Attempts in the order they started: "a b a".
  std::string starts() const {
    std::string text;
    for (const AttemptRequest& request : runner.started) {
      text += (text.empty() ? "" : " ") + std::string(plan->task(request.id.task).path());
    }
    return text;
  }

  // When `task` came to `state`, in time since the run began; the last time.
  std::chrono::milliseconds when(std::string_view task, TaskState state) const {
    std::chrono::milliseconds time{-1};
    for (const Transition& each : record.history) {
      if (each.task == id(task) && each.to == state) time = each.at.time_since_epoch();
    }
    return time;
  }

  std::chrono::milliseconds run_time() const { return clock.wall().time_since_epoch(); }

  test::PipelineBuilder pipeline;
  Value::Struct arguments;
  RunOptions options;
  spec::PipelineSpec spec;
  std::unique_ptr<plan::Plan> plan;
  std::unique_ptr<engine::Run> run;
  test::FakeClock clock;
  test::FakeRunner runner{clock};
  test::FakeRecord record;
  test::FakeReporter reporter;

 private:
  Script next_script(AttemptId attempt) {
    auto found = scripts_.find(std::string(plan->task(attempt.task).path()));
    if (found == scripts_.end()) return {};
    const auto number = static_cast<std::size_t>(attempt.number - 1);
    return found->second[std::min(number, found->second.size() - 1)];
  }

  std::map<std::string, std::vector<Script>> scripts_;
};

}  // namespace mlpipe::engine
