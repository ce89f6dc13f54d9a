#include "metadata/schema.hpp"

#include "fixture.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::HasSubstr;

struct SchemaTest : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";
  std::filesystem::path copy = fmt::format("{}.version-{}", file.string(), k_schema_version);

  SchemaTest() {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", {"a"});
  }
};

// Two versions that are yet to come.
constexpr std::int64_t k_later = k_schema_version + 2;
constexpr Migration k_two_steps[] = {
    {k_schema_version, "ALTER TABLE runs ADD COLUMN forebear INTEGER REFERENCES runs"},
    {k_schema_version + 1, "ALTER TABLE tasks ADD COLUMN mood TEXT; CREATE TABLE notes (note TEXT) STRICT"}};

TEST_F(SchemaTest, AMigrationKeepsWhatThereIsAndACopyBeside) {
  auto database = Database::open(file, OpenMode::create).value();
  ASSERT_EQ(check_schema(*database, k_later).value(), SchemaState::older);
  ASSERT_TRUE(migrate_schema(*database, k_two_steps, k_later));

  EXPECT_EQ(check_schema(*database, k_later).value(), SchemaState::current);
  EXPECT_EQ(database->number("SELECT count(*) FROM runs WHERE forebear IS NULL").value(), 1);
  EXPECT_EQ(database->number("SELECT count(*) FROM tasks WHERE mood IS NULL").value(), 1);
  EXPECT_EQ(integrity(file), "ok");
  EXPECT_EQ(must_read(copy)->find_run("r1")->tasks, 1u);
}

TEST_F(SchemaTest, AMigrationThatFailsChangesNothing) {
  constexpr Migration steps[] = {{k_schema_version, "ALTER TABLE runs ADD COLUMN forebear INTEGER"},
                                 {k_schema_version + 1, "ALTER TABLE nothing ADD COLUMN x"}};
  {
    auto database = Database::open(file, OpenMode::create).value();
    const Result<> migrated = migrate_schema(*database, steps, k_later);
    ASSERT_FALSE(migrated);
    EXPECT_THAT(migrated.error().message, HasSubstr(fmt::format("version {} to {}", k_schema_version + 1, k_later)));
    EXPECT_EQ(database->number("PRAGMA user_version").value(), k_schema_version);
    EXPECT_EQ(database->number("SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'forebear'").value(), 0);
  }
  EXPECT_EQ(must_read(file)->find_run("r1")->tasks, 1u);
}

TEST_F(SchemaTest, MigratingAgainReplacesTheCopy) {
  auto database = Database::open(file, OpenMode::create).value();
  folder.write(copy.filename().string(), "half a copy");
  ASSERT_TRUE(migrate_schema(*database, k_two_steps, k_later));
  EXPECT_EQ(integrity(copy), "ok");
}

TEST_F(SchemaTest, TheStepsOfThisProgramLeadToItsVersion) {
  std::int64_t version = 1;
  for (const Migration& step : migrations()) EXPECT_EQ(step.from, version++);
  EXPECT_EQ(version, k_schema_version);
}

TEST_F(SchemaTest, EveryTableIsStrict) {
  EXPECT_EQ(ask(file,
                "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND strict = 0 AND "
                "name NOT LIKE 'sqlite%'"),
            0);
  EXPECT_EQ(ask(file, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

TEST_F(SchemaTest, WhatGoesWithARunGoesWithIt) {
  {
    auto record = must_open(file);
    RunWriter writer(*record, "r2", {"a"});
    engine::TaskData outputs;
    outputs.parameters["p"] = Value(1);
    outputs.artifacts["m"] = test::make_artifact("m", "system.Metrics", "/m");
    outputs.artifacts["m"].metadata = Value::Struct{{"x", Value(1)}};
    writer.succeed("a", outputs);
  }
  auto database = Database::open(file, OpenMode::create).value();
  ASSERT_TRUE(database->execute("PRAGMA foreign_keys = ON; DELETE FROM runs"));
  for (const char* table :
       {"arguments", "labels", "images", "tasks", "attempts", "parameters", "artifacts", "metrics", "events"}) {
    EXPECT_EQ(database->number(std::string("SELECT count(*) FROM ") + table).value(), 0) << table;
  }
}

// A record as the first version of mlpipe left it.
struct FirstVersion : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";

  FirstVersion() {
    auto database = Database::open(file, OpenMode::create).value();
    const std::string schema = test::slurp(std::filesystem::path(MLPIPE_METADATA_TESTS) / "schema_version_1.sql");
    EXPECT_TRUE(database->execute(schema.c_str()));
    EXPECT_TRUE(database->execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 1;"
                                              "PRAGMA journal_mode = WAL;",
                                              k_application_id)
                                      .c_str()));
    EXPECT_TRUE(database->execute(
        "INSERT INTO runs VALUES (1, 'old', 'prices', 'failed', 1770000000000, 1770000005000, '/data/root', 'p.yaml', "
        "'sha256:5bec', 'mlpipe run p.yaml', '0.1.0', 'Docker', 'host', '', 0, 2, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0);"
        "INSERT INTO arguments VALUES (1, 'rate', '0.5');"
        "INSERT INTO tasks VALUES (1, 0, 'a', 'worker', 'debian:12', 'succeeded', ''),"
        " (1, 1, 'b', 'worker', 'debian:12', 'failed', 'exited with code 1');"
        "INSERT INTO attempts VALUES (1, 0, 1, 'c-a', 'succeeded', 0, 0, '', '', 1770000000000, 1770000000250, "
        "1770000002000);"));
  }
};

TEST_F(FirstVersion, IsBroughtUpToDateByTheFirstReader) {
  auto queries = must_read(file);
  ASSERT_TRUE(queries);
  const RunRow run = queries->find_run("old").value();
  EXPECT_EQ(run.counts[static_cast<std::size_t>(engine::TaskState::succeeded)], 1u);
  EXPECT_EQ(run.counts[static_cast<std::size_t>(engine::TaskState::failed)], 1u);
  EXPECT_EQ(run.cached, 0u);
  EXPECT_EQ(run.options, Value(Value::Struct{}));
  const std::vector<TaskRow> tasks = queries->tasks("old").value();
  ASSERT_EQ(tasks.size(), 2u);
  ASSERT_EQ(tasks[0].attempts.size(), 1u);
  EXPECT_FALSE(tasks[0].removed);
  EXPECT_EQ(tasks[0].fingerprint, "");
  EXPECT_EQ(ask(file, "PRAGMA user_version"), k_schema_version);
  EXPECT_EQ(ask(file.string() + ".version-1", "PRAGMA user_version"), 1);
  EXPECT_EQ(integrity(file), "ok");
}

TEST_F(FirstVersion, IsLeftAsItIsByAReaderWithoutTrace) {
  EXPECT_EQ(open_queries_without_trace(file, {}).error().code, ErrorCode::unavailable);
  EXPECT_EQ(ask(file, "PRAGMA user_version"), 1);
}

TEST_F(FirstVersion, HasTheSchemaOfANewRecordAfterwards) {
  must_read(file);
  must_open(folder.path() / "new.db");
  auto database = Database::open(file, OpenMode::read_only).value();
  ASSERT_TRUE(database->execute(fmt::format("ATTACH '{}' AS fresh", (folder.path() / "new.db").string()).c_str()));
  for (const char* difference : {"SELECT count(*) FROM (SELECT type, name FROM main.sqlite_schema EXCEPT SELECT type, "
                                 "name FROM fresh.sqlite_schema)",
                                 "SELECT count(*) FROM (SELECT type, name FROM fresh.sqlite_schema EXCEPT SELECT type, "
                                 "name FROM main.sqlite_schema)",
                                 "SELECT count(*) FROM fresh.sqlite_schema AS f, pragma_table_info(f.name, 'fresh') AS "
                                 "c WHERE f.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_table_info(f.name, "
                                 "'main') AS m WHERE m.name = c.name AND m.type = c.type AND m.dflt_value IS "
                                 "c.dflt_value)"}) {
    EXPECT_EQ(database->number(difference).value(), 0) << difference;
  }
}

TEST_F(FirstVersion, ThatNobodyMayWriteSaysWhoCanMend) {
  std::filesystem::permissions(file, std::filesystem::perms(0444));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const pid_t child = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 9;
    const auto queries = open_queries(file, {});
    if (queries || queries.error().code != ErrorCode::conflict) return 1;
    return queries.error().message.find("older mlpipe") == std::string::npos ? 2 : 0;
  });
  EXPECT_EQ(exit_code_of(child), 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  EXPECT_EQ(ask(file, "PRAGMA user_version"), 1);
}

}  // namespace
}  // namespace mlpipe::metadata
