#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/base/text.hpp"
#include "report/scribes.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

std::vector<Value> events_in(const std::string& text) {
  std::vector<Value> events;
  for (std::string_view line : split(trim(text), '\n')) {
    Result<Value> event = parse_json(line, "event");
    if (!event) {
      ADD_FAILURE() << event.error().message << " in " << line;
      continue;
    }
    events.push_back(*event);
  }
  return events;
}

TEST(JsonReport, WritesOneObjectPerEvent) {
  Stage stage;
  stage.logs = "/logs";
  FakeRun run(stage.clock, {{"train", 4}});
  auto scribe = make_json_scribe(stage.options());
  run.start(*scribe);
  run.progress("python:3.11", "pulling 10 %");
  run.begin("train");
  stage.clock.advance(milliseconds{1500});
  run.run_to("train", TaskState::retry_wait, 1, exit_code(3), milliseconds{5000});
  run.begin("train", 2);
  stage.clock.advance(milliseconds{250});
  run.run_to("train", TaskState::succeeded, 2, success_with_metrics({{"rmse", 1.5}}));
  run.notice("a word");
  run.finish(engine::RunState::succeeded);
  const std::vector<Value> events = events_in(stage.take());
  ASSERT_EQ(events.size(), 12U);
  EXPECT_EQ(to_json(events[0]),
            R"({"event":"run_started","format":1,"max_parallel":2,"pipeline":"numbers","root":"/data/root",)"
            R"("run":"numbers-1","tasks":1,"time":"2026-02-03T04:05:06.000Z"})");
  EXPECT_EQ(to_json(events[1]),
            R"({"event":"progress","run":"numbers-1","subject":"python:3.11","text":"pulling 10 %",)"
            R"("time":"2026-02-03T04:05:06.000Z"})");
  EXPECT_EQ(
      to_json(events[5]),
      R"({"attempt":1,"attempts_allowed":4,"duration_ms":1500,"end":"user_exit","event":"task_state","exit_code":3,)"
      R"("from":"running","log":"/logs/0-1.log","retry_in_ms":5000,"run":"numbers-1","state":"retry_wait",)"
      R"("task":"train","time":"2026-02-03T04:05:07.500Z"})");
  EXPECT_EQ(events[9].find("outputs")->find("artifacts")->find("metrics")->find("metadata")->find("rmse")->as_double(),
            1.5);
  EXPECT_EQ(
      to_json(events[11]),
      R"({"counts":{"succeeded":1},"duration_ms":1750,"event":"run_finished","run":"numbers-1","state":"succeeded",)"
      R"("time":"2026-02-03T04:05:07.750Z"})");
}

TEST(JsonReport, StaysOneLineOfValidJsonWhateverATaskSays) {
  Stage stage;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_json_scribe(stage.options());
  run.start(*scribe);
  run.begin("a");
  AttemptResult result = exit_code(1);
  result.message = "bytes \xff\xfe, a\nnew line, \"quotes\", nul \x01 and \x1b[31mred";
  run.run_to("a", TaskState::failed, 1, result);
  const std::string text = stage.take();
  const std::vector<Value> events = events_in(text);
  ASSERT_EQ(events.size(), 5U);
  EXPECT_TRUE(is_valid_utf8(text));
  EXPECT_NE(events[4].text_or("message", "").find("a\nnew line"), std::string::npos);
}

TEST(JsonReport, WritesEachEventAtOnce) {
  Stage stage;
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_json_scribe(stage.options());
  run.start(*scribe);
  EXPECT_EQ(stage.sink->writes, 1);
  EXPECT_EQ(events_in(stage.take()).size(), 1U);
}

}  // namespace
}  // namespace mlpipe::report::test
