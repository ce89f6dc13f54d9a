#include "app/dry_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_clock.hpp"
#include "support/record_builder.hpp"

namespace mlpipe::app {
namespace {

using namespace std::chrono_literals;
using engine::Outlook;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class DryRunTest : public testing::Test {
 protected:
  TaskForecast& task(const std::string& name) {
    return forecast_.tasks[plan::index(prepared_.plan.find(name).value())];
  }
  TaskForecast& becomes(const std::string& name, Outlook outlook, std::string reason = {}) {
    task(name).foresight.outlook = outlook;
    task(name).foresight.reason = std::move(reason);
    return task(name);
  }
  RunInMind run() const {
    return {.command = command_, .prepared = prepared_, .clock = clock_, .stop = stop_, .run_id = "r"};
  }
  std::string text() const {
    const Console console{
        .out = [](std::string_view) { return true; }, .err = [](std::string_view) {}, .clock = clock_};
    return forecast_text(run(), forecast_, console);
  }

  test::FakeClock clock_;
  sys::StopSignal stop_;
  RunCommand command_;
  std::unique_ptr<spec::PipelineSpec> spec_ = test::make_spec("p", {"a", "b", "c"});
  Prepared prepared_{.plan = plan::make_plan(*spec_, {}).value(),
                     .root = artifact::Root("/root"),
                     .machine = {},
                     .limits = {.max_parallel = 2},
                     .gpus = {}};
  Forecast forecast_{.tasks = std::vector<TaskForecast>(3)};
};

TEST_F(DryRunTest, ATableSaysWhatBecomesOfEachTaskAndWhy) {
  becomes("a", Outlook::run, "parameter n changed from 1 to 2").takes = 1500ms;
  becomes("b", Outlook::depends, "on 'a': cached if it gives the same").takes = 42'300ms;
  becomes("c", Outlook::cached, "from run r1");
  task("a").critical = task("b").critical = true;
  forecast_.critical_path = {plan::TaskId{0}, plan::TaskId{1}};
  forecast_.most = 43'800ms;
  forecast_.least = 1500ms;
  forecast_.notes = {"no container engine answers"};
  EXPECT_EQ(text(),
            "note: no container engine answers\n"
            "p: nothing is run; 2 at once at most\n"
            "  parameter rate = 0.5\n"
            "  TASK  OUTLOOK  USUALLY  IMAGE      WHY\n"
            "  a     run        1.5 s  debian:12  parameter n changed from 1 to 2\n"
            "  b     depends     42 s  debian:12  on 'a': cached if it gives the same\n"
            "  c     cached            debian:12  from run r1\n"
            "1 to run, 1 that depends, 1 cached; about 44 s, 1.5 s if all that depends is cached\n");
}

TEST_F(DryRunTest, TheCriticalPathIsMarkedWhenItIsNotAllOfIt) {
  for (const char* name : {"a", "b", "c"}) becomes(name, Outlook::run).takes = 1s;
  task("a").critical = task("b").critical = true;
  forecast_.critical_path = {plan::TaskId{0}, plan::TaskId{1}};
  forecast_.most = forecast_.least = 2s;
  EXPECT_THAT(text(), HasSubstr("  *  a     run"));
  EXPECT_THAT(text(), HasSubstr("     c     run"));
  EXPECT_THAT(text(), EndsWith("3 to run; about 2.0 s (*: the critical path)\n"));
}

TEST_F(DryRunTest, WhatNobodyKnowsIsSaid) {
  for (const char* name : {"a", "b", "c"}) becomes(name, Outlook::run);
  forecast_.never_seen = 3;
  EXPECT_THAT(text(), EndsWith("3 to run; nobody knows how long: 3 tasks have never run\n"));
  forecast_.never_seen = 1;
  forecast_.most = forecast_.least = 125s;
  EXPECT_THAT(text(), EndsWith("3 to run; at least 2m 05s: 1 task has never run\n"));
}

TEST_F(DryRunTest, WhenNothingRunsThereIsNoTimeToTell) {
  for (const char* name : {"a", "b", "c"}) becomes(name, Outlook::cached);
  EXPECT_THAT(text(), EndsWith("3 cached\n"));
}

TEST_F(DryRunTest, JsonHasAllOfIt) {
  TaskForecast& a = becomes("a", Outlook::run, "because");
  a.takes = 1500ms;
  a.critical = true;
  a.compared_with = "r1";
  a.changes = {"one", "two"};
  becomes("b", Outlook::depends).foresight.depends_on = {plan::TaskId{0}};
  becomes("c", Outlook::cached).foresight.answer.from_run = "r1";
  forecast_.most = 3s;
  const Value value = forecast_value(run(), forecast_);
  EXPECT_EQ(value.find("counts")->integer_or("depends", 0), 1);
  EXPECT_EQ(value.find("estimate")->integer_or("most_ms", 0), 3000);
  EXPECT_EQ(value.find("parent"), nullptr);
  const Value::List& tasks = value.find("tasks")->as_list();
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks[0].text_or("reason", ""), "because");
  EXPECT_EQ(tasks[0].integer_or("expected_ms", 0), 1500);
  EXPECT_EQ(tasks[0].find("changes")->as_list().size(), 2U);
  EXPECT_EQ(*tasks[1].find("depends_on"), Value(Value::List{Value("a")}));
  EXPECT_EQ(tasks[2].text_or("cached_from", ""), "r1");
}

}  // namespace
}  // namespace mlpipe::app
