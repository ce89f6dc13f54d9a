#include "app/list_runs.hpp"

#include "listing_fixture.hpp"
#include "metadata/database.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct ListRuns : ListingTest {
  ExitCode list(int limit = 20, bool json = false) {
    return list_runs({.root = root.path().string(), .limit = limit, .json = json}, console());
  }

  // Runs of every state, the newest last.
  void write_runs() {
    write_full_run(record());
    test::RunWriter dead(record(), "numbers-20260202-030000-0001", {"a", "b", "c"}, "numbers");
    dead.start("a");
    test::RunWriter done(record(), "numbers-20260202-030000-0002", {"a"}, "numbers");
    done.succeed("a");
    done.finish(engine::RunState::succeeded);
    test::RunWriter alive(record(), "numbers-20260202-030000-0003", {"a", "b", "c"}, "numbers");
    alive.start("a");
    alive.start("b");
    test::RunWriter stopped(record(), "numbers-20260202-030000-0004", {"a", "b"}, "numbers");
    stopped.succeed("a");
    stopped.skip("b", "stopped");
    stopped.finish(engine::RunState::cancelled);
  }
};

TEST_F(ListRuns, ShowsTheNewestFirst) {
  write_runs();
  auto lock = sys::try_lock(root.run_lock("numbers-20260202-030000-0003"));
  ASSERT_TRUE(lock);
  ASSERT_EQ(list(), ExitCode::succeeded);
  expect_golden("runs.txt", out, root);
}

TEST_F(ListRuns, IsColouredWhenAsked) {
  write_runs();
  color = report::Color::yes;
  columns = 100;
  ASSERT_EQ(list(), ExitCode::succeeded);
  expect_golden("runs_color.txt", out, root);
}

TEST_F(ListRuns, JsonIsARecordWithAListInIt) {
  write_runs();
  ASSERT_EQ(list(2, true), ExitCode::succeeded);
  expect_golden("runs.json", out, root);
}

TEST_F(ListRuns, LimitSaysWhetherThereAreMore) {
  write_runs();
  ASSERT_EQ(list(5, true), ExitCode::succeeded);
  EXPECT_FALSE(parse_json(out, "out")->bool_or("more", true));
  out.clear();
  ASSERT_EQ(list(4, true), ExitCode::succeeded);
  EXPECT_TRUE(parse_json(out, "out")->bool_or("more", false));
  EXPECT_EQ(parse_json(out, "out")->find("runs")->as_list().size(), 4u);
  out.clear();
  ASSERT_EQ(list(0, true), ExitCode::succeeded);
  EXPECT_EQ(parse_json(out, "out")->find("runs")->as_list().size(), 5u);
}

TEST_F(ListRuns, AMetricThatIsAskedForIsAColumn) {
  write_runs();
  RunsCommand command{.root = root.path().string(), .metrics = {"test.rmse<30000"}, .sort = "-metric:evaluate.r2"};
  ASSERT_EQ(list_runs(command, console()), ExitCode::succeeded);
  expect_golden("runs_metric.txt", out, root);
  EXPECT_THAT(err, HasSubstr("evaluate.r2 means several metrics of a run: evaluate.baseline.r2, evaluate.test.r2, "
                             "evaluate.train.r2"));
  out.clear();
  command.json = true;
  ASSERT_EQ(list_runs(command, console()), ExitCode::succeeded);
  const Value answer = parse_json(out, "out").value();
  ASSERT_EQ(answer.find("runs")->as_list().size(), 1u);
  EXPECT_EQ(to_json(*answer.find("runs")->as_list()[0].find("metrics")),
            R"({"evaluate":{"baseline":{"r2":0.125},"test":{"r2":0.125,"rmse":25123.456789},"train":{"r2":1}}})");
}

TEST_F(ListRuns, CachedTasksAreCounted) {
  write_runs();
  ASSERT_TRUE(metadata::Database::open(root.database(), metadata::OpenMode::create)
                  .value()
                  ->execute("UPDATE runs SET cached = 1 WHERE id LIKE '%0002'"));
  ASSERT_EQ(list(), ExitCode::succeeded);
  expect_golden("runs_cached.txt", out, root);
}

TEST_F(ListRuns, WhenNoneFitsItSaysSo) {
  write_runs();
  EXPECT_EQ(list_runs({.root = root.path().string(), .pipeline = "nothing"}, console()), ExitCode::succeeded);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_THAT(err, HasSubstr("no run on " + root.path().string() + " is like that"));
  EXPECT_EQ(list_runs({.root = root.path().string(), .sort = "size"}, console()), ExitCode::usage);
}

TEST_F(ListRuns, ANameThatNoRunHasIsToldFromAValueThatNoneHas) {
  write_full_run(record());
  const auto list_by = [&](RunsCommand command) {
    command.root = root.path().string();
    out.clear();
    err.clear();
    EXPECT_EQ(list_runs(command, console()), ExitCode::succeeded);
    return err;
  };
  EXPECT_EQ(list_by({.parameters = {"ratte=3"}}), "no run has a parameter ratte; did you mean rate?\n");
  EXPECT_THAT(list_by({.parameters = {"rate=99"}}), HasSubstr("is like that"));
  EXPECT_EQ(list_by({.labels = {"stagee=x"}}), "no run has a label stagee\n");
  EXPECT_EQ(list_by({.metrics = {"rmsse<3"}}), "no run has a metric rmsse; did you mean rmse?\n");
  EXPECT_EQ(out, "");
  EXPECT_EQ(list_by({.sort = "metric:train.rmsse"}), "no run has a metric train.rmsse; did you mean train.rmse?\n");
  EXPECT_THAT(out, HasSubstr("RUN"));
  EXPECT_EQ(list_by({.sort = "metric:train.rmse"}), "");
}

TEST_F(ListRuns, ARootOnWhichNothingRanHasNoRuns) {
  EXPECT_EQ(list(), ExitCode::succeeded);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_THAT(err, HasSubstr("no run was started on " + root.path().string()));
  ASSERT_EQ(list(20, true), ExitCode::succeeded);
  EXPECT_TRUE(parse_json(out, "out")->find("runs")->as_list().empty());
  EXPECT_FALSE(std::filesystem::exists(root.state()));
}

TEST_F(ListRuns, ANamedRootThatIsNotThereIsAnError) {
  EXPECT_EQ(list_runs({.root = (root.path() / "typo").string()}, console()), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("typo"));
}

TEST_F(ListRuns, ADamagedRecordIsTheEnvironmentsFault) {
  folder.write(".mlpipe/metadata.db", "this is no database, it is text");
  EXPECT_EQ(list(), ExitCode::environment);
  EXPECT_THAT(err, HasSubstr("damaged: its beginning is lost, it is no SQLite database any more"));
}

}  // namespace
}  // namespace mlpipe::app
