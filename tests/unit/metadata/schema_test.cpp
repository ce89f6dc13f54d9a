#include "metadata/schema.hpp"

#include "fixture.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::HasSubstr;

struct SchemaTest : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";
  std::filesystem::path copy = folder.path() / "metadata.db.version-1";

  SchemaTest() {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", {"a"});
  }
};

constexpr Migration k_two_steps[] = {
    {1, "ALTER TABLE runs ADD COLUMN parent INTEGER REFERENCES runs"},
    {2, "ALTER TABLE tasks ADD COLUMN fingerprint TEXT; CREATE TABLE notes (note TEXT) STRICT"}};

TEST_F(SchemaTest, AMigrationKeepsWhatThereIsAndACopyBeside) {
  auto database = Database::open(file, OpenMode::create).value();
  ASSERT_EQ(check_schema(*database, 3).value(), SchemaState::older);
  ASSERT_TRUE(migrate_schema(*database, k_two_steps, 3));

  EXPECT_EQ(check_schema(*database, 3).value(), SchemaState::current);
  EXPECT_EQ(database->number("SELECT count(*) FROM runs WHERE parent IS NULL").value(), 1);
  EXPECT_EQ(database->number("SELECT count(*) FROM tasks WHERE fingerprint IS NULL").value(), 1);
  EXPECT_EQ(integrity(file), "ok");
  EXPECT_EQ(must_read(copy)->find_run("r1")->tasks, 1u);
}

TEST_F(SchemaTest, AMigrationThatFailsChangesNothing) {
  constexpr Migration steps[] = {{1, "ALTER TABLE runs ADD COLUMN parent INTEGER"},
                                 {2, "ALTER TABLE nothing ADD COLUMN x"}};
  {
    auto database = Database::open(file, OpenMode::create).value();
    const Result<> migrated = migrate_schema(*database, steps, 3);
    ASSERT_FALSE(migrated);
    EXPECT_THAT(migrated.error().message, HasSubstr("from schema version 2 to 3"));
    EXPECT_EQ(database->number("PRAGMA user_version").value(), 1);
    EXPECT_EQ(database->number("SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'parent'").value(), 0);
  }
  EXPECT_EQ(must_read(file)->find_run("r1")->tasks, 1u);
}

TEST_F(SchemaTest, MigratingAgainReplacesTheCopy) {
  auto database = Database::open(file, OpenMode::create).value();
  folder.write("metadata.db.version-1", "half a copy");
  ASSERT_TRUE(migrate_schema(*database, k_two_steps, 3));
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

}  // namespace
}  // namespace mlpipe::metadata
