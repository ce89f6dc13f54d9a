#include "app/debug_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "mlpipe/plan/plan.hpp"
#include "support/fake_record.hpp"
#include "support/spec_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using testing::HasSubstr;
using testing::MatchesRegex;

class DebugLogTest : public testing::Test {
 protected:
  std::string file() const { return (folder_.path() / "debug.log").string(); }
  std::string text() const { return test::slurp(file()); }

  test::TempDir folder_;
};

TEST_F(DebugLogTest, NoPathIsNoLog) {
  const auto log = open_debug_log("", "mlpipe run");
  ASSERT_TRUE(log);
  EXPECT_EQ(*log, nullptr);
  debug(log->get(), "topic", "{}", 1);
}

TEST_F(DebugLogTest, EachLineIsInTheFileAtOnceAndEarlierOnesStay) {
  for (const char* command : {"mlpipe run one", "mlpipe run two"}) {
    const auto log = open_debug_log(file(), command);
    ASSERT_TRUE(log) << log.error().message;
    debug(log->get(), "engine", "GET /{}: {}", "info", 200);
    EXPECT_THAT(text(), HasSubstr("] engine: GET /info: 200\n"));
  }
  EXPECT_THAT(text(), HasSubstr("mlpipe run one\n"));
  EXPECT_THAT(text(), HasSubstr("mlpipe run two\n"));
}

TEST_F(DebugLogTest, ALineSaysWhenAndWhoAndStaysOneLine) {
  const auto log = open_debug_log(file(), "mlpipe run 'a\nb'");
  ASSERT_TRUE(log);
  EXPECT_THAT(
      text(),
      MatchesRegex(
          R"(....-..-..T..:..:..\.......[-+]..:.. \[[0-9]+\.[0-9]+\] mlpipe: .* as user [0-9]+: mlpipe run 'a\\x0ab'
)"));
}

TEST_F(DebugLogTest, AFileThatCannotBeOpenedIsNamed) {
  const auto log = open_debug_log((folder_.path() / "none" / "." / "debug.log").string() + "/", "mlpipe run");
  ASSERT_FALSE(log);
  EXPECT_THAT(log.error().message, HasSubstr("none"));
  EXPECT_THAT(log.error().hint, HasSubstr("--debug-log"));
}

TEST_F(DebugLogTest, ChangesAreToldBeforeTheyAreRecordedAndWithWhatBecameOfThem) {
  test::PipelineBuilder pipeline;
  pipeline.task("train");
  const spec::PipelineSpec spec = pipeline.build();
  const plan::Plan plan = *plan::make_plan(spec, {});
  const auto log = open_debug_log(file(), "mlpipe run");
  ASSERT_TRUE(log);
  test::FakeRecord record;
  DebuggedRecord debugged(record, plan, **log);
  engine::AttemptResult result;
  result.end = engine::AttemptEnd::user_exit;
  result.exit_code = 3;
  const engine::Transition failed{
      .task = plan.order()[0], .attempt = 2, .from = TaskState::running, .to = TaskState::failed, .result = &result};
  EXPECT_TRUE(debugged.commit({&failed, 1}));
  EXPECT_EQ(record.history.size(), 1U);
  EXPECT_THAT(text(), HasSubstr("run: 'train': running -> failed, attempt 2, user_exit, exit code 3\n"));
  EXPECT_THAT(text(), HasSubstr("record: 1 change committed in "));
  record.fail_commit = 1;
  EXPECT_FALSE(debugged.commit({&failed, 1}));
  EXPECT_THAT(text(), HasSubstr(", failed: database: No space left on device\n"));
  EXPECT_TRUE(debugged.discard(failed.task));
  EXPECT_TRUE(debugged.finish(engine::RunState::failed, {}));
  EXPECT_EQ(record.discarded.size(), 1U);
  EXPECT_EQ(record.finished.size(), 1U);
}

}  // namespace
}  // namespace mlpipe::app
