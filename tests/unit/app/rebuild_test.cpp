#include "app/rebuild.hpp"

#include "app/annotate.hpp"
#include "app/journal.hpp"
#include "app/manifest.hpp"
#include "app/recorded_run.hpp"
#include "app/show.hpp"
#include "listing_fixture.hpp"
#include "metadata/database.hpp"
#include "mlpipe/metadata/lineage.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using testing::HasSubstr;

struct Rebuild : ListingTest {
  // As a run does at its beginning and its end.
  void write_manifest_of(const std::string& id) {
    auto queries = open_record_of(root.path()).value();
    const auto run = queries->find_run(id).value();
    const auto tasks = queries->tasks(id).value();
    const auto events = queries->events(id, "", 0).value();
    ManifestExtras extras{.events = events.back().number};
    extras.images =
        Value::Struct{{"debian:12", Value::Struct{{"id", "sha256:1d1d"}, {"digest", "debian@sha256:d1d1"}}}};
    extras.needs = Value::Struct{{"train", Value::List{"split"}}};
    std::filesystem::create_directories(root.run(id) / ".mlpipe");
    ASSERT_TRUE(write_manifest(root.run(id), run, tasks, extras));
    ASSERT_TRUE(renew_journal(*queries, events, tasks, root.run(id)));
  }

  // All that the listings tell of the run.
  std::string told(const std::string& id) {
    auto queries = open_record_of(root.path()).value();
    const auto run = queries->find_run(id).value();
    Value::Struct all = value_of(run, clock.wall());
    Value::List tasks;
    const auto task_rows = queries->tasks(id).value();
    for (const metadata::TaskRow& task : task_rows) tasks.push_back(value_of(run, task, clock.wall()));
    Value::List events;
    const auto event_rows = queries->events(id, "", 0).value();
    for (const metadata::EventRow& event : event_rows) events.push_back(value_of(event));
    all.emplace("tasks", std::move(tasks));
    all.emplace("events", std::move(events));
    return to_pretty_json(all);
  }

  Rebuilt rebuild(RebuildReason reason = RebuildReason::replaced) {
    Result<Rebuilt> rebuilt = rebuild_record(root, reason, clock.wall());
    EXPECT_TRUE(rebuilt) << rebuilt.error().message;
    return rebuilt.value_or(Rebuilt{});
  }

  const std::string full = "prices-20260202-024000-ab12";
  // Writes with a record of its own, closed afterwards.
  template <class Write>
  void with_record(Write&& write) {
    auto own = metadata::open_record(root.database()).value();
    write(*own);
  }
};

TEST_F(Rebuild, TellsTheSameOfARunAsBefore) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  const std::string before = told(full);
  const Rebuilt rebuilt = rebuild();
  EXPECT_EQ(rebuilt.runs, 1u);
  EXPECT_EQ(rebuilt.interrupted, 0u);
  EXPECT_THAT(rebuilt.left_out, testing::IsEmpty());
  EXPECT_EQ(told(full), before);
}

TEST_F(Rebuild, FindsCachedResultsAgainWithWhatTheyWereMadeOf) {
  with_record([](metadata::RunRecord& own) {
    const engine::CacheAnswer miss{.kind = engine::CacheAnswer::Kind::miss,
                                   .fingerprint = "f1",
                                   .fingerprint_text = "version mlpipe 1\n",
                                   .why = "nothing like it was made yet"};
    engine::AttemptResult result;
    result.outputs.artifacts["model"] =
        test::make_artifact("model", "system.Model", "/data/root/runs/one/a/model/data");
    const engine::TaskData inputs{.parameters = {{"rate", Value(0.5)}}, .artifacts = {}};
    test::RunWriter one(own, "one", {"a"});
    ASSERT_TRUE(own.record_images({{"debian:12", "sha256:1d1d", "debian@sha256:d1d1"}}));
    engine::Transition starting = one.change("a", TaskState::starting, 1);
    starting.inputs = &inputs;
    starting.cache = &miss;
    ASSERT_TRUE(one.commit(starting));
    one.end("a", result, TaskState::succeeded);
    one.finish(engine::RunState::succeeded);

    engine::CacheAnswer hit = miss;
    hit.kind = engine::CacheAnswer::Kind::hit;
    hit.from_run = "one";
    hit.made = test::at_millisecond(1000);
    hit.outputs = result.outputs;
    test::RunWriter two(own, "two", {"a"});
    ASSERT_TRUE(own.record_images({{"debian:12", "sha256:1d1d", "debian@sha256:d1d1"}}));
    two.set_time(9000);
    engine::Transition cached = two.change("a", TaskState::succeeded);
    cached.inputs = &inputs;
    cached.outputs = &hit.outputs;
    cached.cache = &hit;
    ASSERT_TRUE(two.commit(cached));
    two.finish(engine::RunState::succeeded);
  });
  for (const char* id : {"one", "two"}) write_manifest_of(id);
  const std::string before = told("one") + told("two");
  const auto results_before = open_record_of(root.path()).value()->results("f1", 9).value();
  ASSERT_EQ(results_before.size(), 2u);
  EXPECT_EQ(rebuild().runs, 2u);
  EXPECT_EQ(told("one") + told("two"), before);
  auto queries = open_record_of(root.path()).value();
  const auto results = queries->results("f1", 9).value();
  ASSERT_EQ(results.size(), 2u);
  for (std::size_t number = 0; number < 2; ++number) {
    EXPECT_EQ(results[number].run_id, results_before[number].run_id);
    EXPECT_EQ(results[number].finished, results_before[number].finished);
    EXPECT_EQ(results[number].outputs, results_before[number].outputs);
  }
  EXPECT_EQ(queries->fingerprint_text("f1").value(), "version mlpipe 1\n");
  const metadata::MakingQuery made{
      .side = metadata::Side::output, .digest = results[0].outputs.artifacts.at("model").digest, .limit = 9};
  EXPECT_EQ(queries->makings(made)->size(), 2u);
  EXPECT_EQ(queries->making_of("two", "a").value()->cached_from, "one");
}

// run.json is of the run's beginning; all since then is in the journal.
TEST_F(Rebuild, AnInterruptedRunHasComeAsFarAsItsJournal) {
  with_record([this](metadata::RunRecord& own) {
    test::RunWriter run(own, "r1", {"split", "train", "evaluate", "later"});
    ASSERT_TRUE(own.record_images({{"debian:12", "sha256:1d1d", "debian@sha256:d1d1"}}));
    write_manifest_of("r1");
    JournalledRecord journalled(own, run.plan(), root.run("r1"), 1);
    const auto change = [&](const char* task, TaskState from, TaskState to, int attempt) {
      engine::Transition transition = run.change(task, to, attempt);
      transition.from = from;
      return transition;
    };
    const engine::CacheAnswer miss{.fingerprint = "f1", .fingerprint_text = "text\n", .why = "the first"};
    const engine::TaskData inputs{.parameters = {{"rate", Value(0.5)}}, .artifacts = {}};
    engine::AttemptResult lost;
    lost.end = engine::AttemptEnd::lost;
    lost.message = "its container vanished";
    engine::AttemptResult good;
    good.outputs.parameters["rows"] = Value(12);
    std::vector<engine::Transition> turns{change("split", TaskState::waiting, TaskState::starting, 1),
                                          change("split", TaskState::starting, TaskState::running, 1),
                                          change("split", TaskState::running, TaskState::retry_wait, 1),
                                          change("split", TaskState::retry_wait, TaskState::ready, 1),
                                          change("split", TaskState::ready, TaskState::starting, 2),
                                          change("split", TaskState::starting, TaskState::running, 2),
                                          change("split", TaskState::running, TaskState::succeeded, 2),
                                          change("train", TaskState::waiting, TaskState::starting, 1),
                                          change("train", TaskState::starting, TaskState::running, 1),
                                          change("train", TaskState::running, TaskState::stopping, 1),
                                          change("evaluate", TaskState::waiting, TaskState::skipped, 0)};
    turns[0].inputs = turns[4].inputs = turns[7].inputs = &inputs;
    turns[0].cache = turns[4].cache = turns[7].cache = &miss;
    turns[0].memory = turns[4].memory = 1 << 20;
    turns[2].result = &lost;
    turns[2].reason = lost.message;
    turns[2].retry_in = std::chrono::milliseconds(5000);
    turns[6].result = &good;
    turns[6].outputs = &good.outputs;
    turns[9].stop_reason = engine::StopReason::timed_out;
    turns[10].reason = "not wanted";
    for (const engine::Transition& turn : turns) ASSERT_TRUE(journalled.commit(std::span(&turn, 1)));
    EXPECT_EQ(journalled.events(), 12);
    ASSERT_TRUE(journalled.discard(run.plan().find("split").value()));
  });
  const std::string before = told("r1");
  const Rebuilt rebuilt = rebuild();
  EXPECT_EQ(rebuilt.runs, 1u);
  EXPECT_EQ(rebuilt.interrupted, 1u);
  EXPECT_EQ(told("r1"), before);
  EXPECT_EQ(open_record_of(root.path()).value()->fingerprint_text("f1").value(), "text\n");
}

TEST_F(Rebuild, KnowsLabelsAndNotesGivenLater) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  LabelCommand labels;
  labels.root = root.path().string();
  labels.run = "latest";
  labels.changes = {"stage=prod", "team-"};
  ASSERT_EQ(label(labels, console()), ExitCode::succeeded) << err;
  NoteCommand said;
  said.root = root.path().string();
  said.run = "latest";
  said.text = "the best so far";
  ASSERT_EQ(note(said, console()), ExitCode::succeeded) << err;
  const std::string before = told(full);
  EXPECT_THAT(before, HasSubstr("the best so far"));
  rebuild();
  EXPECT_EQ(told(full), before);
}

TEST_F(Rebuild, ReadsWhatTheFirstVersionHas) {
  folder.write("runs/old/run.json", R"({"version": 1, "run": "old", "pipeline": "p", "state": "failed",
    "created": "2026-01-01T00:00:00.000Z", "finished": "2026-01-01T00:01:00.000Z", "arguments": {"rate": 0.5},
    "images": {"debian:12": {"id": "sha256:1d", "reference": "debian:12"}}, "tasks": {
      "make": {"state": "succeeded", "component": "maker", "attempts": 2, "parameters": {"n": 3}, "artifacts": {"model": {
        "type": "system.Model", "uri": "/r/model", "digest": "sha256:aa", "bytes": 5, "folder": false, "metadata": {}}}},
      "use": {"state": "failed", "component": "user", "attempts": 1, "reason": "exit code 3", "needs": ["make"]},
      "wait": {"state": "skipped", "component": "user", "reason": "use failed"}}})");
  const Rebuilt rebuilt = rebuild();
  EXPECT_EQ(rebuilt.runs, 1u);
  auto queries = open_record_of(root.path()).value();
  const auto run = queries->find_run("old").value();
  EXPECT_EQ(run.state, engine::RunState::failed);
  EXPECT_EQ(run.tasks, 3u);
  const auto tasks = queries->tasks("old").value();
  EXPECT_EQ(tasks[0].outputs.artifacts.at("model").digest, "sha256:aa");
  EXPECT_EQ(tasks[0].outputs.parameters.at("n"), Value(3));
  EXPECT_EQ(tasks[1].reason, "exit code 3");
  EXPECT_EQ(tasks[2].state, TaskState::skipped);
}

TEST_F(Rebuild, LeavesOutWhatItCannotReadAndSaysSo) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  std::filesystem::create_directories(root.run("never-begun"));
  folder.write("runs/torn/run.json", "{\"version\": 2, \"run\": \"to");
  folder.write("runs/of-another/run.json",
               R"({"version": 2, "run": "x", "state": "failed", "created": "2026-01-01T00:00:00Z"})");
  folder.write("runs/from-the-future/run.json", R"({"version": 99})");
  folder.write("runs/list/run.json", "[1, 2]");
  folder.write(
      "runs/odd/run.json",
      R"({"version": 2, "run": "odd", "state": "failed", "created": "2026-01-01T00:00:00Z", "arguments": [], "tasks":
                  [{"task": "a", "state": "nosuch"}]})");
  folder.write("runs/twice/run.json",
               R"({"version": 2, "run": "twice", "state": "failed", "created": "2026-01-01T00:00:00Z", "tasks":
                  [{"task": "a", "state": "failed", "attempts": [{"attempt": 1}, {"attempt": 1}]}]})");
  DoctorCommand command;
  command.root = root.path().string();
  EXPECT_EQ(doctor_rebuild(command, console()), ExitCode::environment) << err;
  expect_golden("doctor_rebuild.txt", out, root);
  EXPECT_EQ(open_record_of(root.path()).value()->runs(0)->size(), 1u);
}

TEST_F(Rebuild, ARunThatIsBeingRunRefusesIt) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  const std::string before = test::slurp(root.database());
  const auto lock = sys::try_lock(root.run_lock("prices-now")).value();
  DoctorCommand command;
  command.root = root.path().string();
  EXPECT_EQ(doctor_rebuild(command, console()), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("run prices-now is being run by process"));
  EXPECT_THAT(err, HasSubstr("mlpipe cancel prices-now"));
  EXPECT_EQ(test::slurp(root.database()), before);
}

TEST_F(Rebuild, WhoIsAboutToWriteMendsADamagedRecordAndSaysSo) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  const std::string before = told(full);
  const std::string whole = test::slurp(root.database());
  folder.write(".mlpipe/metadata.db", whole.substr(0, whole.size() / 2));
  ASSERT_TRUE(mend_record(root, console()));
  expect_golden("record_mended.txt", err, root);
  EXPECT_EQ(told(full), before);
  err.clear();
  ASSERT_TRUE(mend_record(root, console()));
  EXPECT_EQ(err, "");
}

TEST_F(Rebuild, ARecordThatIsGoneIsMadeAnewFromItsRuns) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  const std::string before = told(full);
  for (const bool empty : {false, true}) {
    std::filesystem::remove(root.database());
    if (empty) folder.write(".mlpipe/metadata.db", "");
    const auto queries = open_record_of(root.path());
    ASSERT_FALSE(queries);
    EXPECT_EQ(queries.error().code, ErrorCode::io);
    EXPECT_THAT(queries.error().message, HasSubstr("runs are there"));
    ASSERT_TRUE(mend_record(root, console()));
    EXPECT_THAT(err, HasSubstr("1 run"));
    EXPECT_EQ(told(full), before);
  }
}

TEST_F(Rebuild, ARootWithoutRunsHasNothingToMend) {
  ASSERT_TRUE(mend_record(root, console()));
  EXPECT_EQ(err, "");
  EXPECT_FALSE(std::filesystem::exists(root.database()));
}

TEST_F(Rebuild, ADamagedRecordIsLeftToTheRunThatUsesIt) {
  with_record([](metadata::RunRecord& own) { write_full_run(own); });
  write_manifest_of(full);
  const std::string half = test::slurp(root.database()).substr(0, 6000);
  folder.write(".mlpipe/metadata.db", half);
  const auto lock = sys::try_lock(root.run_lock("now")).value();
  const Result<> mended = mend_record(root, console());
  ASSERT_FALSE(mended);
  EXPECT_THAT(mended.error().message, HasSubstr("damaged"));
  EXPECT_THAT(mended.error().message, HasSubstr("run now is being run"));
  EXPECT_EQ(test::slurp(root.database()), half);
}

TEST_F(Rebuild, AFileThatIsNoDatabaseIsMovedAsideAndNeverRemoved) {
  const std::string text = "name,price\nhouse,1\nthis is a table that somebody put here\n";
  folder.write(".mlpipe/metadata.db", text);
  ASSERT_TRUE(mend_record(root, console()));
  EXPECT_THAT(err, HasSubstr("it is no SQLite database any more"));
  EXPECT_THAT(err, HasSubstr("moved aside to"));
  EXPECT_EQ(test::slurp(root.database().string() + ".damaged-20260202-034000"), text);
  EXPECT_TRUE(open_record_of(root.path()));
}

TEST_F(Rebuild, AnotherProgramsDatabaseIsNeverTouched) {
  folder.write("runs/one/run.json", "{}");
  std::filesystem::create_directories(root.state());
  ASSERT_TRUE(metadata::Database::open(root.database(), metadata::OpenMode::create)
                  .value()
                  ->execute("CREATE TABLE photos (id INTEGER)"));
  const std::string before = test::slurp(root.database());
  const Result<> mended = mend_record(root, console());
  ASSERT_FALSE(mended);
  EXPECT_THAT(mended.error().hint, HasSubstr("nothing in it was changed"));
  DoctorCommand command;
  command.root = root.path().string();
  EXPECT_EQ(doctor_rebuild(command, console()), ExitCode::environment);
  EXPECT_EQ(test::slurp(root.database()), before);
}

}  // namespace
}  // namespace mlpipe::app
