#include <time.h>

#include <algorithm>

#include "fixture.hpp"
#include "mlpipe/metadata/run_selection.hpp"

// What the record costs. Not part of the suite, which must not depend on time; run with
//   metadata_test --gtest_also_run_disabled_tests --gtest_filter='*Cost*'
// Times of a shared machine say little; what each costs in CPU, and beside a bare commit, says more.
namespace mlpipe::metadata {
namespace {

using engine::TaskState;
using test::RunWriter;

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

template <class Body>
double milliseconds(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return milliseconds_since(begin);
}

double cpu_milliseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

TEST(Cost, DISABLED_OfRecordingARun) {
  test::TempDir folder;
  auto record = must_open(folder.path() / "metadata.db");
  auto spec = test::make_spec("big", test::numbered_tasks(100'000));
  const plan::Plan plan = plan::make_plan(*spec, {}).value();
  fmt::print("begin, 100,000 tasks: {:.0f} ms\n",
             milliseconds([&] { ASSERT_TRUE(record->begin(test::start_of("big"), plan)); }));

  std::vector<engine::Transition> turn;
  for (std::uint32_t task = 0; task < 10'000; ++task) {
    engine::Transition& skipped = turn.emplace_back();
    skipped.task = plan::TaskId{task};
    skipped.to = TaskState::skipped;
    skipped.reason = "something it needs failed";
  }
  fmt::print("commit, 10,000 transitions at once: {:.0f} ms\n",
             milliseconds([&] { ASSERT_TRUE(record->commit(turn)); }));

  // The same disk at the same time: the least that SQLite takes to make one row durable.
  auto bare = Database::open(folder.path() / "bare.db", OpenMode::create).value();
  ASSERT_TRUE(bare->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER)"));
  Statement insert = bare->prepare("INSERT INTO t VALUES (?1)").value();
  std::vector<double> each;
  std::vector<double> cpu;
  std::vector<double> least;
  engine::TaskData inputs;
  inputs.parameters = {{"n_trials", Value(100)}, {"seed", Value(42)}};
  inputs.artifacts = {
      {"dataset", test::make_artifact("dataset", "system.Dataset", "/root/runs/big/split/dataset/data")}};
  engine::AttemptResult result;
  result.outputs.parameters = {{"rmse", Value(25.5)}};
  result.outputs.artifacts = {
      {"model", test::make_artifact("model", "system.Model", "/root/runs/big/train/model/data")}};
  for (std::uint32_t task = 10'000; task < 11'000; ++task) {
    engine::Transition one;
    one.task = plan::TaskId{task};
    one.attempt = 1;
    for (const auto& [from, to] :
         {std::pair(TaskState::waiting, TaskState::starting), std::pair(TaskState::starting, TaskState::running),
          std::pair(TaskState::running, TaskState::succeeded)}) {
      one.from = from;
      one.to = to;
      one.inputs = to == TaskState::starting ? &inputs : nullptr;
      one.result = to == TaskState::succeeded ? &result : nullptr;
      const double cpu_before = cpu_milliseconds();
      each.push_back(milliseconds([&] { ASSERT_TRUE(record->commit(std::span(&one, 1))); }));
      cpu.push_back(cpu_milliseconds() - cpu_before);
      least.push_back(milliseconds([&] { ASSERT_TRUE(insert.run(1)); }));
    }
  }
  fmt::print(
      "commit, one transition: median {:.3f} ms, {:.3f} ms of it CPU; a bare commit of one row beside it {:.3f} ms\n",
      median_of(each), median_of(cpu), median_of(least));
}

TEST(Cost, DISABLED_OfReadingARecordOfTenThousandRuns) {
  test::TempDir folder;
  const std::filesystem::path file = folder.path() / "metadata.db";
  {
    auto record = must_open(file);
    for (int number = 0; number < 10'000; ++number) {
      auto spec = test::make_spec("prices", test::numbered_tasks(20));
      const plan::Plan plan = plan::make_plan(*spec, {}).value();
      ASSERT_TRUE(record->begin(test::start_of(fmt::format("prices-20260203-{:06}-ab12", number)), plan));
      std::vector<engine::Transition> turn;
      engine::AttemptResult result;
      result.outputs.parameters = {{"rmse", Value(25.5)}};
      result.outputs.artifacts = {{"model", test::make_artifact("model", "system.Model", "/root/model")},
                                  {"metrics", test::make_artifact("metrics", "system.Metrics", "/root/metrics")}};
      result.outputs.artifacts["metrics"].metadata = Value::Struct{{"rmse", Value(number % 997)}, {"r2", Value(0.5)}};
      for (const auto& [from, to] :
           {std::pair(TaskState::waiting, TaskState::starting), std::pair(TaskState::starting, TaskState::succeeded)}) {
        for (std::uint32_t task = 0; task < 20; ++task) {
          engine::Transition& one = turn.emplace_back();
          one.task = plan::TaskId{task};
          one.attempt = 1;
          one.from = from;
          one.to = to;
          one.result = to == TaskState::succeeded ? &result : nullptr;
        }
      }
      ASSERT_TRUE(record->commit(turn));
      ASSERT_TRUE(record->finish(engine::RunState::succeeded, test::at_millisecond(number)));
    }
  }
  fmt::print("database: {} MiB\n", std::filesystem::file_size(file) >> 20);
  const auto tell = [](const char* what, auto&& body) {
    const double cpu = cpu_milliseconds();
    const double wall = milliseconds(body);
    fmt::print("{}: {:.2f} ms, {:.2f} ms of it CPU\n", what, wall, cpu_milliseconds() - cpu);
  };
  tell("open + 20 newest runs", [&] { ASSERT_EQ(must_read(file)->runs(20)->size(), 20u); });
  tell("open + all runs", [&] { ASSERT_EQ(must_read(file)->runs(0)->size(), 10'000u); });
  const auto select = [&](const RunSelection& selection) { return must_read(file)->select_runs(selection)->size(); };
  tell("20 newest by select_runs", [&] { ASSERT_EQ(select({.filter = {}, .sort = {}, .limit = 20}), 20u); });
  tell("none fits a parameter", [&] {
    ASSERT_EQ(select({.filter = {.parameters = {{"rate", "7"}}}, .sort = {}, .limit = 20}), 0u);
  });
  tell("none failed",
       [&] { ASSERT_EQ(select({.filter = {.statuses = {RunStatus::failed}}, .sort = {}, .limit = 20}), 0u); });
  tell("20 newest with rmse < 30", [&] {
    ASSERT_EQ(select({.filter = {.metrics = {{"rmse", Comparison::less, 30}}}, .sort = {}, .limit = 20}), 20u);
  });
  tell("the longest", [&] {
    ASSERT_EQ(select({.filter = {}, .sort = RunSort{.key = RunKey::duration, .metric = {}}, .limit = 20}), 20u);
  });
  for (const char* metric : {"rmse", "task_7.metrics.rmse"}) {
    tell(metric, [&] {
      ASSERT_EQ(select({.filter = {}, .sort = RunSort{.key = RunKey::metric, .metric = metric}, .limit = 20}), 20u);
    });
  }
  tell("open + latest + its tasks", [&] {
    auto queries = must_read(file);
    ASSERT_EQ(queries->tasks(queries->find_run("latest")->id)->size(), 20u);
  });
  tell("open + unknown run", [&] { ASSERT_FALSE(must_read(file)->find_run("nothing-like-this")); });
}

}  // namespace
}  // namespace mlpipe::metadata
