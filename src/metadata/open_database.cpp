#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "metadata/schema.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;

// What SQLite would answer with "unable to open database file", or by waiting for the other end of a FIFO.
Result<bool> check_is_database_or_absent(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) return false;
  if (error) return fail_errno(fmt::format("record {}", file.string()), error.value());
  if (!fs::is_regular_file(status)) {
    return fail_with_hint(ErrorCode::io,
                          fmt::format("record {}: it is {}, not a file", file.string(),
                                      fs::is_directory(status) ? "a folder" : "something special"),
                          "move it away, or choose another root with --root");
  }
  std::ifstream stream(file, std::ios::binary);
  std::array<char, 16> head{};
  stream.read(head.data(), head.size());
  constexpr std::string_view k_magic{"SQLite format 3\0", 16};
  const std::string_view found(head.data(), static_cast<std::size_t>(stream.gcount()));
  if (stream.is_open() && !found.empty() && found != k_magic) {
    return fail_with_hint(
        ErrorCode::io, fmt::format("record {}: it is no SQLite database, or its beginning is damaged", file.string()),
        "nothing in it was changed; move it aside and a new record begins; the artifacts under runs/ do not depend on "
        "it");
  }
  return true;
}

// SQLite opens what it may not write for reading, and then fails in odd places.
Result<> check_writable(const fs::path& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0) return {};
  Failure failure = fail_errno(fmt::format("record: cannot write {}", path.string()), errno);
  failure.value().hint = "make it writable for you, or choose another root with --root";
  return failure;
}

// Never waited for under a lock of ours by anything but a disk: each commit is on disk when it returns.
Result<> set_up_for_writing(Database& database) {
  return database.execute(
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL;"
      "PRAGMA foreign_keys = ON;"
      "PRAGMA journal_size_limit = 67108864;"
      // KiB, at most: a turn of 10,000 cached tasks reads and writes more than the usual 2 MiB.
      "PRAGMA cache_size = -65536;");
}

// For reading, with its state. Where we may not write, SQLite cannot make the files that go with WAL; without a log beside
// the file nobody is writing and the file is whole by itself.
struct Opened {
  std::unique_ptr<Database> database;
  SchemaState state = SchemaState::current;
};

Result<Opened> open_checked(const fs::path& file, OpenMode mode) {
  const Result<bool> exists = check_is_database_or_absent(file);
  if (!exists) return Failure(exists.error());
  if (!*exists) {
    return fail_with_hint(ErrorCode::not_found,
                          fmt::format("record {}: there is none: no run was started on this root", file.string()),
                          "name the root with --root, or start a run with `mlpipe run`");
  }
  Result<std::unique_ptr<Database>> database = Database::open(file, mode);
  if (!database) return Failure(database.error());
  Result<SchemaState> state = check_schema(**database);
  if (!state) {
    std::error_code error;
    const std::uintmax_t log = fs::file_size(file.string() + "-wal", error);
    const bool quiet = static_cast<bool>(error) || log == 0;
    if (!quiet || ::access(file.parent_path().c_str(), W_OK) == 0) return Failure(state.error());
    database = Database::open(file, OpenMode::immutable);
    if (!database) return Failure(database.error());
    state = check_schema(**database);
    if (!state) return Failure(state.error());
  }
  if (*state == SchemaState::absent) {
    return fail_with_hint(ErrorCode::not_found,
                          fmt::format("record {}: it is empty: no run was started on this root", file.string()),
                          "name the root with --root, or start a run with `mlpipe run`");
  }
  return Opened{.database = std::move(*database), .state = *state};
}

// For reading, after an older record was brought up to date.
Result<std::unique_ptr<Database>> open_migrated(const fs::path& file) {
  if (!check_writable(file.parent_path()) || !check_writable(file)) {
    return fail_with_hint(
        ErrorCode::conflict,
        fmt::format("record {}: it was written by an older mlpipe, and you may not write to it", file.string()),
        "any mlpipe command of somebody who may write there, `mlpipe runs` for example, brings it up to date and keeps "
        "a copy");
  }
  if (Result<std::unique_ptr<Database>> migrated = open_for_writing(file); !migrated) return migrated;
  return Database::open(file, OpenMode::read_only);
}

}  // namespace

// SQLite answers a concurrent change of the journal mode with an error instead of waiting. A lock on the folder leaves
// no file behind; where folders cannot be locked (some network file systems) SQLite's own locks have to do.
sys::Fd lock_folder(const fs::path& folder) {
  sys::Fd descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor) {
    while (::flock(descriptor.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  return descriptor;
}

Result<std::unique_ptr<Database>> open_for_writing(const fs::path& file) {
  if (Result<> made = sys::make_directories(file.parent_path()); !made) return Failure(std::move(made).error());
  const Result<bool> exists = check_is_database_or_absent(file);
  if (!exists) return Failure(exists.error());
  if (Result<> writable = check_writable(file.parent_path()); !writable) return Failure(std::move(writable).error());
  if (Result<> writable = *exists ? check_writable(file) : Result<>(); !writable)
    return Failure(std::move(writable).error());

  const sys::Fd lock = lock_folder(file.parent_path());
  Result<std::unique_ptr<Database>> database = Database::open(file, OpenMode::create);
  if (!database) return database;
  const Result<SchemaState> state = check_schema(**database);
  if (!state) return Failure(state.error());

  if (Result<> set = set_up_for_writing(**database); !set) return Failure(std::move(set).error());
  if (*state == SchemaState::absent) {
    if (Result<> made = create_schema(**database); !made) return Failure(std::move(made).error());
  }
  if (*state == SchemaState::older) {
    Result<> migrated = migrate_schema(**database, migrations(), k_schema_version);
    if (!migrated) return Failure(std::move(migrated).error());
  }
  return database;
}

Result<std::unique_ptr<Database>> open_for_reading(const fs::path& file) {
  Result<Opened> opened = open_checked(file, OpenMode::read_only);
  if (!opened) return Failure(std::move(opened).error());
  if (opened->state == SchemaState::older) {
    opened->database.reset();  // before the migration: this connection must not hold it up
    return open_migrated(file);
  }
  return std::move(opened->database);
}

Result<std::unique_ptr<Database>> open_without_trace(const fs::path& file) {
  Result<Opened> opened = open_checked(file, OpenMode::traceless);
  if (!opened) return Failure(std::move(opened).error());
  if (opened->state == SchemaState::older) {
    return fail_with_hint(ErrorCode::unavailable, fmt::format("record {}: it was written by an older mlpipe", file.string()),
                          "`mlpipe runs`, for example, brings it up to date and keeps a copy");
  }
  return std::move(opened->database);
}

}  // namespace mlpipe::metadata
