#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "metadata/database.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::metadata {

extern const char* const k_schema_sql;                 // schema.sql, embedded
constexpr std::int64_t k_application_id = 0x6d6c7031;  // "mlp1", PRAGMA application_id
constexpr std::int64_t k_schema_version = 4;           // PRAGMA user_version

// Takes a database from version `from` to `from` + 1.
struct Migration {
  std::int64_t from = 0;
  const char* sql = nullptr;
};
// Those of this program, ascending, each version once: the last one leads to k_schema_version.
std::span<const Migration> migrations();

enum class SchemaState { absent, current, older };

// What the file is: an Error when it is another program's, a newer mlpipe's, or damaged.
Result<SchemaState> check_schema(Database& database, std::int64_t version = k_schema_version);

// Makes the tables in an empty database; it may be that another process was faster.
Result<> create_schema(Database& database);

// Migrates to `version` in one transaction, after a copy was put beside the file: `<file>.version-<n>`.
Result<> migrate_schema(Database& database, std::span<const Migration> steps, std::int64_t version);

// open_record()'s and open_queries()'s database, checked.
Result<std::unique_ptr<Database>> open_for_writing(const std::filesystem::path& file);
Result<std::unique_ptr<Database>> open_for_reading(const std::filesystem::path& file);
// open_queries_without_trace()'s.
Result<std::unique_ptr<Database>> open_without_trace(const std::filesystem::path& file);

// Keeps two processes from making or migrating a database of this folder at once, as long as the answer lives.
sys::Fd lock_folder(const std::filesystem::path& folder);

}  // namespace mlpipe::metadata
