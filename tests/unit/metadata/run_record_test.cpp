#include "fixture.hpp"
#include "mlpipe/engine/naming.hpp"

namespace mlpipe::metadata {
namespace {

using engine::AttemptEnd;
using engine::AttemptResult;
using engine::TaskState;
using test::RunWriter;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct RunRecordTest : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "root" / ".mlpipe" / "metadata.db";
  std::unique_ptr<RunRecord> record = must_open(file);

  RunRow run(const std::string& id) { return must_read(file)->find_run(id).value(); }
  std::vector<TaskRow> tasks(const std::string& id) { return must_read(file)->tasks(id).value(); }
};

TEST_F(RunRecordTest, BeginRecordsTheRunItsTasksAndItsArguments) {
  RunWriter writer(*record, "r1", {"split", "train"});

  const RunRow row = run("r1");
  EXPECT_EQ(row.pipeline, "prices");
  EXPECT_EQ(row.state, engine::RunState::running);
  EXPECT_EQ(row.created, test::at_millisecond(0));
  EXPECT_FALSE(row.finished);
  EXPECT_EQ(row.tasks, 2u);
  EXPECT_EQ(row.counts[static_cast<std::size_t>(TaskState::waiting)], 2u);
  EXPECT_EQ(to_json(row.arguments), R"({"rate":0.5})");
  EXPECT_EQ(row.root, "/data/root");
  EXPECT_EQ(row.spec_digest, "sha256:5bec");
  EXPECT_EQ(row.spec_file, "/work/pipeline.yaml");
  EXPECT_EQ(row.command_line, "mlpipe run pipeline.yaml");
  EXPECT_EQ(row.mlpipe_version, "0.1.0");
  EXPECT_EQ(row.engine, "Docker 20.10.24");
  EXPECT_EQ(row.host, "builder");
  EXPECT_EQ(row.git_commit, "0123abcd");
  EXPECT_TRUE(row.git_dirty);
  EXPECT_EQ(row.labels, (std::map<std::string, std::string>{{"team", "prices"}}));

  const std::vector<TaskRow> rows = tasks("r1");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].path, "split");
  EXPECT_EQ(rows[1].path, "train");
  EXPECT_EQ(rows[1].component, "worker");
  EXPECT_EQ(rows[1].image, "debian:12");
  EXPECT_EQ(rows[1].state, TaskState::waiting);
  EXPECT_THAT(rows[1].attempts, IsEmpty());
}

TEST_F(RunRecordTest, ASecondRunOfThatIdIsAConflictAndChangesNothing) {
  RunWriter writer(*record, "r1", {"split"});
  auto other = test::make_spec("other", {"a", "b", "c"});
  const plan::Plan plan = plan::make_plan(*other, {}).value();

  const Result<> again = must_open(file)->begin(test::start_of("r1"), plan);

  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_THAT(again.error().message, HasSubstr("r1"));
  EXPECT_EQ(run("r1").pipeline, "prices");
  EXPECT_EQ(ask(file, "SELECT count(*) FROM tasks"), 1);
}

TEST_F(RunRecordTest, AnAttemptIsRecordedFromItsIntentToItsResult) {
  RunWriter writer(*record, "r1", {"train"});
  engine::TaskData inputs;
  inputs.parameters = {{"n", Value(3)}, {"text", Value("a\nb \"ü\" \U0001F600")}};
  inputs.defaults = {"n"};
  inputs.artifacts = {{"data", test::make_artifact("split.data", "system.Dataset", "/root/data")}};

  engine::Transition starting = writer.change("train", TaskState::starting, 1);
  starting.inputs = &inputs;
  ASSERT_TRUE(writer.commit(starting));
  TaskRow row = tasks("r1").at(0);
  ASSERT_EQ(row.attempts.size(), 1u);
  EXPECT_EQ(row.attempts[0].container, engine::container_name("/data/root", "r1", "train", 1));
  EXPECT_EQ(row.attempts[0].state, "starting");
  EXPECT_EQ(row.attempts[0].started, test::at_millisecond(0));
  EXPECT_FALSE(row.attempts[0].running);
  EXPECT_EQ(row.inputs, inputs);

  writer.set_time(250);
  ASSERT_TRUE(writer.commit(writer.change("train", TaskState::running, 1)));
  AttemptResult result;
  result.outputs.parameters = {{"best", Value(Value::List{Value(1), Value(2.5), Value(nullptr), Value(true)})}};
  result.outputs.artifacts = {{"model", test::make_artifact("model", "system.Model", "/root/model")}};
  result.outputs.artifacts["model"].is_folder = true;
  result.outputs.artifacts["model"].metadata = Value::Struct{{"framework", Value("sklearn")}};
  result.oom_killed = true;
  writer.end("train", result, TaskState::succeeded);

  row = tasks("r1").at(0);
  EXPECT_EQ(row.state, TaskState::succeeded);
  EXPECT_EQ(row.attempts[0].state, "succeeded");
  EXPECT_EQ(row.attempts[0].exit_code, 0);
  EXPECT_TRUE(row.attempts[0].oom_killed);
  EXPECT_EQ(row.attempts[0].running, test::at_millisecond(250));
  EXPECT_EQ(row.attempts[0].finished, test::at_millisecond(1250));
  EXPECT_EQ(row.outputs, result.outputs);
  EXPECT_EQ(row.inputs, inputs);
}

TEST_F(RunRecordTest, EveryTryOfARetriedTaskIsKept) {
  RunWriter writer(*record, "r1", {"train"});
  engine::TaskData first, second;
  first.parameters = {{"n", Value(1)}, {"gone", Value(1)}};
  second.parameters = {{"n", Value(2)}};
  AttemptResult failed;
  failed.end = AttemptEnd::user_exit;
  failed.exit_code = 7;
  failed.message = "exited with code 7";
  failed.hint = "see the log";
  writer.start("train", 1, first);
  writer.end("train", failed, TaskState::retry_wait, 1);
  ASSERT_TRUE(writer.commit(writer.change("train", TaskState::ready, 1)));
  writer.start("train", 2, second);
  writer.end("train", {}, TaskState::succeeded, 2);

  const TaskRow row = tasks("r1").at(0);
  ASSERT_EQ(row.attempts.size(), 2u);
  EXPECT_EQ(row.attempts[0].state, "user_exit");
  EXPECT_EQ(row.attempts[0].exit_code, 7);
  EXPECT_EQ(row.attempts[0].message, "exited with code 7");
  EXPECT_EQ(row.attempts[0].hint, "see the log");
  EXPECT_EQ(row.attempts[1].number, 2);
  EXPECT_EQ(row.attempts[1].state, "succeeded");
  EXPECT_EQ(row.inputs, second);
  EXPECT_EQ(row.reason, "");
}

TEST_F(RunRecordTest, EventsTellTheHistoryInOrder) {
  RunWriter writer(*record, "r1", {"train", "deploy"});
  AttemptResult failed;
  failed.end = AttemptEnd::timed_out;
  failed.message = "ran longer than 30m";
  writer.start("train");
  writer.end("train", failed, TaskState::retry_wait);
  writer.skip("deploy", "train failed");
  writer.finish(engine::RunState::failed);

  const std::vector<EventRow> events = must_read(file)->events("r1", "", 0).value();
  std::vector<std::string> told;
  for (const EventRow& event : events)
    told.push_back(fmt::format("{} {} {}>{}", event.number, event.task, event.from, event.to));
  EXPECT_THAT(told, ElementsAre("1  >running", "2 train waiting>starting", "3 train starting>running",
                                "4 train running>retry_wait", "5 deploy waiting>skipped", "6  running>failed"));
  EXPECT_EQ(events[3].reason, "ran longer than 30m");
  EXPECT_EQ(events[3].retry_in, std::chrono::milliseconds(5000));
  EXPECT_FALSE(events[4].retry_in);

  const std::vector<EventRow> of_deploy = must_read(file)->events("r1", "deploy", 2).value();
  ASSERT_EQ(of_deploy.size(), 1u);
  EXPECT_EQ(of_deploy[0].reason, "train failed");
}

TEST_F(RunRecordTest, TheEndOfTheRunIsRecordedWithItsTimeAndCounts) {
  RunWriter writer(*record, "r1", {"a", "b", "c"});
  writer.succeed("a");
  writer.skip("b", "not selected");
  writer.finish(engine::RunState::succeeded);

  const RunRow row = run("r1");
  EXPECT_EQ(row.state, engine::RunState::succeeded);
  EXPECT_EQ(row.finished, test::at_millisecond(1250));
  EXPECT_FALSE(row.interrupted);
  EXPECT_EQ(row.counts[static_cast<std::size_t>(TaskState::succeeded)], 1u);
  EXPECT_EQ(row.counts[static_cast<std::size_t>(TaskState::skipped)], 1u);
  EXPECT_EQ(row.counts[static_cast<std::size_t>(TaskState::waiting)], 1u);
}

TEST_F(RunRecordTest, NumbersOfMetricsArtifactsBecomeMetrics) {
  RunWriter writer(*record, "r1", {"evaluate"});
  engine::TaskData outputs;
  outputs.artifacts["test"] = test::make_artifact("test", "system.Metrics", "/root/test");
  outputs.artifacts["test"].metadata = Value::Struct{{"rmse", Value(25.5)}, {"rows", Value(10)}, {"note", Value("x")}};
  outputs.artifacts["plot"] = test::make_artifact("plot", "system.HTML", "/root/plot");
  outputs.artifacts["plot"].metadata = Value::Struct{{"width", Value(10)}};
  writer.succeed("evaluate", outputs);

  EXPECT_EQ(ask(file, "SELECT count(*) FROM metrics"), 2);
  EXPECT_EQ(ask(file, "SELECT value * 10 FROM metrics WHERE artifact = 'test' AND name = 'rmse'"), 255);
}

TEST_F(RunRecordTest, ImagesAreFoundByTheReferenceAsWritten) {
  RunWriter writer(*record, "r1", {"a"});
  ASSERT_TRUE(record->record_images({{"debian:12", "sha256:1d", "debian@sha256:d1"}, {"other", "sha256:2d", ""}}));

  const TaskRow row = tasks("r1").at(0);
  EXPECT_EQ(row.image_id, "sha256:1d");
  EXPECT_EQ(row.image_digest, "debian@sha256:d1");
}

TEST_F(RunRecordTest, WhatARunRestsOnIsRecordedWithItsSuccessAndReplacesWhatAnEarlierOneDid) {
  const auto ended = [this](const std::string& id, const std::string& text, engine::RunState state) {
    test::RunWriter run(*record, id, {"a"});
    record->keep_premises("asked", text);
    EXPECT_FALSE(must_read(file)->premises("asked").value().value_or(Premises{}).text == text);
    run.finish(state);
    return must_read(file)->premises("asked").value().value_or(Premises{});
  };
  EXPECT_EQ(ended("r1", "first", engine::RunState::succeeded).text, "first");
  EXPECT_EQ(ended("r2", "second", engine::RunState::failed).run_id, "r1");
  EXPECT_EQ(ended("r3", "third", engine::RunState::succeeded).run_id, "r3");
  EXPECT_FALSE(must_read(file)->premises("asked otherwise").value());
}

TEST_F(RunRecordTest, TheOutputsThatAreKeptAreThoseNobodyTookAway) {
  test::RunWriter run(*record, "r1", {"a", "b"});
  for (const char* task : {"a", "b"}) {
    engine::TaskData outputs;
    outputs.artifacts["o"] = test::make_artifact("o", "system.Dataset", std::string("/") + task);
    run.succeed(task, outputs);
  }
  ASSERT_TRUE(record->discard(plan::TaskId{0}));
  const std::vector<engine::Artifact> kept = must_read(file)->kept_outputs("r1").value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].uri, "/b");
  EXPECT_EQ(kept[0].digest, "sha256:" + std::string(64, 'a'));
  EXPECT_EQ(must_read(file)->kept_outputs("r2").error().code, ErrorCode::not_found);
}

TEST_F(RunRecordTest, ACommitThatFailsHalfWayLeavesNothing) {
  RunWriter writer(*record, "r1", {"a", "b"});
  writer.start("a");
  // The same attempt again cannot be recorded; what stands before it in the turn must not be either.
  engine::Transition good = writer.change("b", TaskState::starting, 1);
  engine::Transition bad = writer.change("a", TaskState::starting, 1);

  const Result<> committed = writer.commit_all({good, bad});

  ASSERT_FALSE(committed);
  EXPECT_THAT(committed.error().message, HasSubstr(file.string()));
  EXPECT_THAT(tasks("r1").at(1).attempts, IsEmpty());
  EXPECT_EQ(tasks("r1").at(1).state, TaskState::waiting);
  EXPECT_EQ(run("r1").counts[static_cast<std::size_t>(TaskState::waiting)], 1u);
  // And the record goes on.
  writer.end("a", {}, TaskState::succeeded);
  EXPECT_EQ(run("r1").counts[static_cast<std::size_t>(TaskState::succeeded)], 1u);
  EXPECT_EQ(must_read(file)->events("r1", "", 0)->back().number, 4);
}

TEST_F(RunRecordTest, CommitIsOnDiskWhenItReturns) {
  RunWriter writer(*record, "r1", {"a"});
  auto database = Database::open(file, OpenMode::create);
  ASSERT_TRUE(database);
  EXPECT_EQ((*database)->number("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'").value(), 1);
  writer.start("a");
  EXPECT_EQ((*database)->number("SELECT count(*) FROM attempts").value(), 1);
}

TEST_F(RunRecordTest, ManyRecordsOfOneRootWriteSideBySide) {
  auto second = must_open(file);
  RunWriter one(*record, "one", {"a", "b"});
  RunWriter two(*second, "two", {"a"});
  one.succeed("a");
  two.succeed("a");
  one.succeed("b");

  EXPECT_EQ(run("one").counts[static_cast<std::size_t>(TaskState::succeeded)], 2u);
  EXPECT_EQ(run("two").counts[static_cast<std::size_t>(TaskState::succeeded)], 1u);
}

TEST_F(RunRecordTest, ALookAfreshOrACommitSeesWhatOthersRecorded) {
  auto second = must_open(file);
  RunWriter one(*record, "one", {"a", "b"});
  RunWriter two(*second, "two", {"a", "b"});
  const auto succeed = [](RunWriter& writer, const std::string& task, const std::string& fingerprint) {
    engine::CacheAnswer answer{.fingerprint = fingerprint};
    const engine::TaskData nothing;
    engine::Transition starting = writer.change(task, TaskState::starting, 1);
    starting.inputs = &nothing;
    starting.cache = &answer;
    EXPECT_TRUE(writer.commit(starting));
    writer.end(task, {}, TaskState::succeeded);
  };
  EXPECT_TRUE(record->results("f", 8)->empty());
  succeed(two, "a", "f");
  record->look_afresh();
  ASSERT_EQ(record->results("f", 8)->size(), 1U);
  EXPECT_EQ(record->results("f", 8)->front().run_id, "two");
  succeed(two, "b", "g");
  one.succeed("a");
  EXPECT_EQ(record->results("g", 8)->size(), 1U);
}

TEST_F(RunRecordTest, APathWithOddCharactersIsFine) {
  const std::filesystem::path odd = folder.path() / "a b?c#d%20 \xc3\xa9" / "metadata.db";
  auto other = must_open(odd);
  RunWriter writer(*other, "r1", {"a"});
  EXPECT_TRUE(std::filesystem::exists(odd));
  EXPECT_EQ(must_read(odd)->find_run("r1")->tasks, 1u);
}

}  // namespace
}  // namespace mlpipe::metadata
