#include "app/run_filter.hpp"

#include "app/arguments.hpp"
#include "listing_fixture.hpp"

namespace mlpipe::app {
namespace {

using testing::HasSubstr;

struct RunFilterOptions : testing::Test {
  RunFilterOptions() {
    ::setenv("TZ", "Europe/Berlin", 1);
    ::tzset();
  }
  ~RunFilterOptions() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  RunsCommand command;
  WallTime now = test::at_millisecond(0);  // 2026-02-02T02:40:00Z

  Error error() {
    const auto selection = selection_of(command, now);
    EXPECT_FALSE(selection);
    return selection ? Error{} : selection.error();
  }
  std::string since(const std::string& text) {
    const auto time = parse_since(text, now);
    return time ? to_rfc3339(*time) : "nothing";
  }
};

TEST_F(RunFilterOptions, SinceIsATimeAgoOrADate) {
  EXPECT_EQ(since("7d"), "2026-01-26T02:40:00.000Z");
  EXPECT_EQ(since("1h30m"), "2026-02-02T01:10:00.000Z");
  EXPECT_EQ(since("2026-11-01"), "2026-10-31T23:00:00.000Z");
  EXPECT_EQ(since("2026-07-01"), "2026-06-30T22:00:00.000Z");  // summer time
  EXPECT_EQ(since("2026-11-01 18:30"), "2026-11-01T17:30:00.000Z");
  EXPECT_EQ(since("2026-11-01T18:30:05Z"), "2026-11-01T18:30:05.000Z");
  for (const char* text : {"", "yesterday", "2026", "2026-13-01", "2026-02-30", "7 days", "-7d", "2026-11-01x"}) {
    EXPECT_EQ(since(text), "nothing") << text;
  }
}

TEST_F(RunFilterOptions, MetricsAreANameAComparisonAndANumber) {
  command.metrics = {"rmse<30000", "evaluate.r2 >= 0.5", "n==1e3", "a<=-2", "b>+.5", "c=1"};
  const auto selection = selection_of(command, now);
  ASSERT_TRUE(selection) << selection.error().message;
  using metadata::Comparison;
  const std::vector<metadata::MetricCondition>& read = selection->filter.metrics;
  ASSERT_EQ(read.size(), 6u);
  EXPECT_EQ(read[0].metric, "rmse");
  EXPECT_EQ(read[0].comparison, Comparison::less);
  EXPECT_EQ(read[0].value, 30000);
  EXPECT_EQ(read[1].metric, "evaluate.r2");
  EXPECT_EQ(read[1].comparison, Comparison::at_least);
  EXPECT_EQ(read[2].value, 1000);
  EXPECT_EQ(read[2].comparison, Comparison::equal);
  EXPECT_EQ(read[3].value, -2);
  EXPECT_EQ(read[4].value, 0.5);
  EXPECT_EQ(read[5].comparison, Comparison::equal);
}

TEST_F(RunFilterOptions, EachMistakeSaysHowItIsWritten) {
  for (const char* text : {"rmse", "rmse<", "<3", "rmse<3 cm", "rmse!3", "rmse<<3", "rmse<nan", ""}) {
    command.metrics = {text};
    EXPECT_THAT(error().hint, HasSubstr("--metric 'rmse<30000'")) << text;
  }
  command = {};
  command.status = {"succeded"};
  EXPECT_THAT(error().hint, HasSubstr("did you mean succeeded?"));
  command = {};
  command.since = "last week";
  EXPECT_THAT(error().message, HasSubstr("--since \"last week\""));
  command = {};
  command.parameters = {"rate"};
  EXPECT_THAT(error().hint, HasSubstr("--param name=value"));
  command = {};
  command.labels = {"=x"};
  EXPECT_THAT(error().hint, HasSubstr("--label name=value"));
  for (const char* text : {"size", "metric:", "--created"}) {
    command = {};
    command.sort = text;
    EXPECT_THAT(error().hint, HasSubstr("created, duration or metric:NAME")) << text;
  }
}

TEST_F(RunFilterOptions, AreReadFromTheCommandLine) {
  const char* words[] = {"mlpipe",     "runs",         "--status", "failed",  "--status", "interrupted",
                         "--sort",     "-metric:rmse", "-p",       "rate=-1", "--metric", "rmse<3",
                         "--pipeline", "prices",       "-n",       "5"};
  const Command parsed = parse_arguments(static_cast<int>(std::size(words)), words);
  ASSERT_TRUE(std::holds_alternative<RunsCommand>(parsed));
  const auto& runs = std::get<RunsCommand>(parsed);
  EXPECT_EQ(runs.status, (std::vector<std::string>{"failed", "interrupted"}));
  EXPECT_EQ(runs.sort, "-metric:rmse");
  EXPECT_EQ(runs.parameters, std::vector<std::string>{"rate=-1"});
  EXPECT_EQ(runs.pipeline, "prices");
  EXPECT_EQ(runs.limit, 5);
}

}  // namespace
}  // namespace mlpipe::app
