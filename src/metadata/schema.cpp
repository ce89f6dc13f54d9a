#include "metadata/schema.hpp"

namespace mlpipe::metadata {
namespace {

Result<> set_version(Database& database, std::int64_t version) {
  return database.execute(fmt::format("PRAGMA user_version = {}", version).c_str());
}

// A whole copy of the database as it is, which an older mlpipe can read.
Result<> copy_beside(Database& database, std::int64_t version) {
  const std::filesystem::path copy = fmt::format("{}.version-{}", database.file().string(), version);
  std::error_code ignored;
  std::filesystem::remove(copy, ignored);  // of an earlier try; VACUUM INTO wants to make it
  Result<Statement> vacuum = database.prepare("VACUUM INTO ?1");
  if (!vacuum) return Failure(std::move(vacuum).error());
  if (Result<> done = vacuum->run(copy.string()); !done) {
    std::filesystem::remove(copy, ignored);
    return within(fmt::format("copying it to {} before its migration", copy.string()), std::move(done).error());
  }
  return {};
}

}  // namespace

std::span<const Migration> migrations() {
  // The cache, resuming and experiments.
  static constexpr const char* k_to_version_2 = R"sql(
    ALTER TABLE runs ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE runs ADD COLUMN experiment TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';
    CREATE INDEX runs_by_pipeline ON runs (pipeline, run);
    ALTER TABLE tasks ADD COLUMN cached_from TEXT NOT NULL DEFAULT '';
    ALTER TABLE tasks ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN why TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN stop_reason TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN memory INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint)
      WHERE fingerprint <> '' AND state IN ('succeeded', 'cached');
    CREATE TABLE fingerprints (
      fingerprint TEXT PRIMARY KEY,
      text        TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
  )sql";
  // Inputs that are the component's defaults, and what images were built of.
  static constexpr const char* k_to_version_3 = R"sql(
    ALTER TABLE parameters ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE images ADD COLUMN made_of TEXT NOT NULL DEFAULT '';
    CREATE TABLE builds (
      made_of TEXT PRIMARY KEY,
      text    TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
  )sql";
  // `run --if-changed`.
  static constexpr const char* k_to_version_4 = R"sql(
    CREATE TABLE premises (
      asked TEXT PRIMARY KEY,
      run   INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
      text  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX premises_by_run ON premises (run);
  )sql";
  static constexpr Migration k_steps[] = {
      {.from = 1, .sql = k_to_version_2}, {.from = 2, .sql = k_to_version_3}, {.from = 3, .sql = k_to_version_4}};
  return k_steps;
}

Result<SchemaState> check_schema(Database& database, std::int64_t version) {
  const Result<std::int64_t> application = database.number("PRAGMA application_id");
  if (!application) return Failure(application.error());
  const Result<std::int64_t> found = database.number("PRAGMA user_version");
  if (!found) return Failure(found.error());
  // Reads the whole schema, so a damaged one shows here.
  const Result<std::int64_t> tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return Failure(tables.error());

  const std::string file = database.file().string();
  if (*application == 0 && *found == 0 && *tables == 0) return SchemaState::absent;
  if (*application != k_application_id) {
    return fail_with_hint(ErrorCode::io, fmt::format("record {}: it is an SQLite database of another program", file),
                          "nothing in it was changed; choose another root with --root, or move the file away and let "
                          "`mlpipe doctor --rebuild` make the record anew from the folders of the runs");
  }
  if (*found > version) {
    return fail_with_hint(
        ErrorCode::io,
        fmt::format("record {}: it was written by a newer mlpipe (schema version {}, this one knows up to {})", file,
                    *found, version),
        "nothing in it was changed; use the newer mlpipe, or another root with --root");
  }
  if (*found < 1) {
    database.mark_damaged();
    return fail_with_hint(
        ErrorCode::io, fmt::format("record {}: damaged: schema version {} does not exist", file, *found), k_mend_hint);
  }
  return *found < version ? SchemaState::older : SchemaState::current;
}

Result<> create_schema(Database& database) {
  Result<Transaction> transaction = Transaction::begin(database, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  const Result<SchemaState> state = check_schema(database);
  if (!state) return Failure(state.error());
  if (*state != SchemaState::absent) return {};
  if (Result<> made = database.execute(k_schema_sql); !made) return made;
  const std::string application = fmt::format("PRAGMA application_id = {}", k_application_id);
  if (Result<> set = database.execute(application.c_str()); !set) return set;
  if (Result<> set = set_version(database, k_schema_version); !set) return set;
  return transaction->commit();
}

Result<> migrate_schema(Database& database, std::span<const Migration> steps, std::int64_t version) {
  const Result<std::int64_t> before = database.number("PRAGMA user_version");
  if (!before) return Failure(before.error());
  if (Result<> copied = copy_beside(database, *before); !copied) return copied;

  Result<Transaction> transaction = Transaction::begin(database, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  // Again, now that nobody else can write: another process may have been faster.
  Result<std::int64_t> at = database.number("PRAGMA user_version");
  if (!at) return Failure(at.error());
  for (const Migration& step : steps) {
    if (step.from != *at) continue;
    if (Result<> done = database.execute(step.sql); !done) {
      return within(fmt::format("migrating from schema version {} to {}", *at, *at + 1), std::move(done).error());
    }
    ++*at;
  }
  if (*at != version) {
    return fail(ErrorCode::internal, "record {}: no way leads from schema version {} to {}", database.file().string(),
                *at, version);
  }
  if (Result<> set = set_version(database, version); !set) return set;
  return transaction->commit();
}

}  // namespace mlpipe::metadata
