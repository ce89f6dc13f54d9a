#include "fixture.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct QueriesTest : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / ".mlpipe" / "metadata.db";

  // For what is recorded in another way than by a run.
  void change(const char* sql) {
    const Result<> changed = Database::open(file, OpenMode::create).value()->execute(sql);
    EXPECT_TRUE(changed) << changed.error().message;
  }
};

std::vector<std::string> ids_of(const std::vector<RunRow>& rows) {
  std::vector<std::string> ids;
  for (const RunRow& row : rows) ids.push_back(row.id);
  return ids;
}

TEST_F(QueriesTest, WithoutADatabaseThereIsNoRun) {
  const auto queries = open_queries(file, {});
  ASSERT_FALSE(queries);
  EXPECT_EQ(queries.error().code, ErrorCode::not_found);
  EXPECT_THAT(queries.error().message, HasSubstr("no run was started"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(QueriesTest, RunsComeNewestFirstEvenWhenTheClockWentBack) {
  auto record = must_open(file);
  auto spec = test::make_spec("p", {"a"});
  const plan::Plan plan = plan::make_plan(*spec, {}).value();
  for (const auto& [id, time] : {std::pair("first", 5000), std::pair("second", 1000), std::pair("third", 3000)}) {
    RunStart start = test::start_of(id);
    start.created = test::at_millisecond(time);
    ASSERT_TRUE(record->begin(start, plan));
  }
  EXPECT_THAT(ids_of(must_read(file)->runs(0).value()), ElementsAre("third", "second", "first"));
  EXPECT_THAT(ids_of(must_read(file)->runs(2).value()), ElementsAre("third", "second"));
  EXPECT_EQ(must_read(file)->find_run("latest")->id, "third");
}

TEST_F(QueriesTest, EachListedRunHasItsOwnArgumentsAndLabels) {
  auto record = must_open(file);
  for (int number = 1; number <= 3; ++number) {
    auto spec = test::make_spec("p", {"a"});
    spec->labels = {{"n", std::to_string(number)}, {"x", "y"}};
    if (number == 2) spec->labels.clear();
    spec->components[0].interface.input_parameters[0].default_value = Value(number + 0.25);
    RunWriter writer(*record, test::start_of("r" + std::to_string(number)), std::move(spec));
  }
  const std::vector<RunRow> rows = must_read(file)->runs(0).value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(to_json(rows[0].arguments), R"({"rate":3.25})");
  EXPECT_EQ(to_json(rows[1].arguments), R"({"rate":2.25})");
  EXPECT_EQ(to_json(rows[2].arguments), R"({"rate":1.25})");
  EXPECT_EQ(rows[0].labels.at("n"), "3");
  EXPECT_TRUE(rows[1].labels.empty());
  EXPECT_EQ(rows[2].labels.size(), 2u);
}

TEST_F(QueriesTest, ARunIsFoundByItsIdAUniquePrefixOrLatest) {
  auto record = must_open(file);
  RunWriter a(*record, "prices-20260101-000000-aaaa", {"t"});
  RunWriter b(*record, "prices-20260101-000000-aaaabb", {"t"});
  RunWriter c(*record, "numbers-1", {"t"});
  auto queries = must_read(file);

  EXPECT_EQ(queries->find_run("prices-20260101-000000-aaaa")->id,
            "prices-20260101-000000-aaaa");  // though it is a prefix too
  EXPECT_EQ(queries->find_run("prices-20260101-000000-aaaab")->id, "prices-20260101-000000-aaaabb");
  EXPECT_EQ(queries->find_run("n")->id, "numbers-1");
  EXPECT_EQ(queries->find_run("latest")->id, "numbers-1");
}

TEST_F(QueriesTest, APrefixOfSeveralRunsListsThem) {
  auto record = must_open(file);
  for (int number = 10; number < 25; ++number) RunWriter(*record, "run-" + std::to_string(number), {"t"});

  const auto found = must_read(file)->find_run("run-");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::conflict);
  EXPECT_THAT(found.error().message,
              AllOf(HasSubstr("15 runs begin with"), HasSubstr("run-24, run-23"), HasSubstr("and 5 more")));
}

TEST_F(QueriesTest, AnUnknownRunNamesTheNearest) {
  auto record = must_open(file);
  RunWriter writer(*record, "numbers-20260203", {"t"});
  const auto found = must_read(file)->find_run("nubmers-20260203");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::not_found);
  EXPECT_THAT(found.error().hint, HasSubstr("did you mean numbers-20260203?"));
  // Wildcards of SQL are none here.
  EXPECT_FALSE(must_read(file)->find_run("num%"));
  EXPECT_FALSE(must_read(file)->find_run("numbers_20260203"));
  EXPECT_FALSE(must_read(file)->find_run(""));
  EXPECT_EQ(must_read(file)->tasks("num").error().code, ErrorCode::not_found);  // exact ids only
}

TEST_F(QueriesTest, LatestOfAnEmptyRecordIsNotFound) {
  must_open(file);
  const auto found = must_read(file)->find_run("latest");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::not_found);
  EXPECT_TRUE(must_read(file)->runs(0)->empty());
}

TEST_F(QueriesTest, ARunWithoutItsLockIsInterrupted) {
  auto record = must_open(file);
  RunWriter done(*record, "done", {"t"});
  done.finish(engine::RunState::cancelled);
  RunWriter dead(*record, "dead", {"t"});
  RunWriter alive(*record, "alive", {"t"});

  const auto rows = must_read(file, [](const std::string& id) { return id == "alive"; })->runs(0).value();
  ASSERT_THAT(ids_of(rows), ElementsAre("alive", "dead", "done"));
  EXPECT_FALSE(rows[0].interrupted);
  EXPECT_TRUE(rows[1].interrupted);
  EXPECT_FALSE(rows[2].interrupted);
}

TEST_F(QueriesTest, TellsOfCacheResumingAndExperiments) {
  {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", {"a", "b"});
    writer.start("a");
    writer.succeed("b");
  }
  change(R"(
    UPDATE runs SET cached = 1, parent = 'r0', options = '{"jobs":4}', experiment = 'rates', note = 'a try';
    UPDATE attempts SET fingerprint = 'f1', why = 'its script changed', stop_reason = 'timed_out', memory = 1024
      WHERE task = 0;
    DELETE FROM attempts WHERE task = 1;
    INSERT INTO attempts (run, task, attempt, container, state, started, finished, fingerprint)
      VALUES (1, 1, 0, '', 'cached', 1770000000000, 1770000000000, 'f0');
    INSERT INTO parameters VALUES (1, 1, 0, 'input', 'x', '1', 1), (1, 1, 0, 'output', 'y', '2', 0);
    UPDATE tasks SET cached_from = 'r0', removed = 1 WHERE task = 1;
  )");
  auto queries = must_read(file);
  const RunRow run = queries->find_run("r1").value();
  EXPECT_EQ(run.cached, 1u);
  EXPECT_EQ(run.parent, "r0");
  EXPECT_EQ(to_json(run.options), R"({"jobs":4})");
  EXPECT_EQ(run.experiment, "rates");
  EXPECT_EQ(run.note, "a try");
  const std::vector<TaskRow> tasks = queries->tasks("r1").value();
  ASSERT_EQ(tasks.size(), 2u);
  ASSERT_EQ(tasks[0].attempts.size(), 1u);
  EXPECT_EQ(tasks[0].attempts[0].fingerprint, "f1");
  EXPECT_EQ(tasks[0].attempts[0].why, "its script changed");
  EXPECT_EQ(tasks[0].attempts[0].stop_reason, "timed_out");
  EXPECT_EQ(tasks[0].attempts[0].memory, 1024u);
  EXPECT_EQ(tasks[0].fingerprint, "f1");
  EXPECT_EQ(tasks[0].cached_from, "");
  EXPECT_TRUE(tasks[1].attempts.empty());
  EXPECT_EQ(tasks[1].fingerprint, "f0");
  EXPECT_EQ(tasks[1].cached_from, "r0");
  EXPECT_TRUE(tasks[1].removed);
  EXPECT_EQ(tasks[1].inputs.parameters.at("x"), Value(1));
  EXPECT_TRUE(tasks[1].inputs.defaults.contains("x"));
  EXPECT_EQ(tasks[1].outputs.parameters.at("y"), Value(2));
}

TEST_F(QueriesTest, AReaderSeesWhatIsCommittedAndDelaysNoWriter) {
  auto record = must_open(file);
  RunWriter writer(*record, "r1", {"a", "b"});
  auto queries = must_read(file);
  EXPECT_EQ(queries->tasks("r1")->at(0).state, engine::TaskState::waiting);

  // A reader in the middle of its reading.
  auto reader = Database::open(file, OpenMode::read_only).value();
  auto transaction = Transaction::begin(*reader, Transaction::Kind::read);
  ASSERT_TRUE(transaction);
  ASSERT_EQ(reader->number("SELECT count(*) FROM attempts").value(), 0);

  writer.succeed("a");
  EXPECT_EQ(queries->tasks("r1")->at(0).state, engine::TaskState::succeeded);
  EXPECT_EQ(reader->number("SELECT count(*) FROM attempts").value(), 0);  // still its own moment
}

TEST_F(QueriesTest, AFolderWithoutWritePermissionCanBeRead) {
  {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", {"a"});
    writer.succeed("a");
  }
  std::filesystem::permissions(file.parent_path(), std::filesystem::perms(0555));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const pid_t child = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 9;
    auto queries = open_queries(file, {});
    if (!queries) return 1;
    auto tasks = (*queries)->tasks("r1");
    return tasks && tasks->size() == 1 && tasks->at(0).state == engine::TaskState::succeeded ? 0 : 2;
  });
  EXPECT_EQ(exit_code_of(child), 0);
  std::filesystem::permissions(file.parent_path(), std::filesystem::perms(0755));
}

TEST_F(QueriesTest, SomebodyElseMayReadBesideAWriter) {
  auto record = must_open(file);
  RunWriter writer(*record, "r1", {"a"});
  writer.succeed("a");
  std::filesystem::permissions(file.parent_path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const pid_t child = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 9;
    auto queries = open_queries(file, {});
    if (!queries) return 1;
    auto run = (*queries)->find_run("r1");
    return run && run->counts[static_cast<std::size_t>(engine::TaskState::succeeded)] == 1 ? 0 : 2;
  });
  EXPECT_EQ(exit_code_of(child), 0);
}

}  // namespace
}  // namespace mlpipe::metadata
