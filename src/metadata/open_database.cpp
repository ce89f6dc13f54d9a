#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "metadata/open_database.hpp"
#include "metadata/replace_record.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;

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
  const FileLook look = look_at_file(file);
  if (look.error) return Failure(*look.error);
  if (Result<> writable = check_writable(file.parent_path()); !writable) return Failure(std::move(writable).error());
  if (Result<> writable = look.exists ? check_writable(file) : Result<>(); !writable)
    return Failure(std::move(writable).error());

  const sys::Fd lock = lock_folder(file.parent_path());
  if (Result<> finished = finish_replacing(file); !finished) return Failure(std::move(finished).error());
  Result<std::unique_ptr<Database>> database = Database::open(file, OpenMode::create);
  if (!database) return database;
  const Result<SchemaState> state = check_record(**database);
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

OpenedForReading open_as_it_is(const fs::path& file, OpenMode mode) {
  OpenedForReading opened;
  const FileLook look = look_at_file(file);
  if (look.error) {
    opened.state = Failure(*look.error);
    return opened;
  }
  if (!look.exists) {
    opened.state = SchemaState::absent;
    return opened;
  }
  const auto open = [&](OpenMode how) {
    Result<std::unique_ptr<Database>> database = Database::open(file, how);
    if (!database) {
      opened.state = Failure(std::move(database).error());
      return;
    }
    opened.database = std::move(*database);
    opened.state = check_record(*opened.database);
    opened.damaged = opened.database->found_damage();
  };
  open(mode);
  if (opened.state || opened.damaged) return opened;
  // Where we may not write, SQLite cannot make the files that go with WAL. Without a log beside the file nobody is
  // writing and the file is whole by itself.
  if (!has_open_log(file) && ::access(file.parent_path().c_str(), W_OK) != 0) open(OpenMode::immutable);
  return opened;
}

namespace {

// A record that has runs, perhaps of an older mlpipe.
Result<OpenedForReading> open_existing(const fs::path& file, OpenMode mode) {
  OpenedForReading opened = open_as_it_is(file, mode);
  if (!opened.state) return Failure(std::move(opened.state).error());
  if (*opened.state != SchemaState::absent) return opened;
  const std::string_view what = opened.database ? "it is empty" : "there is none";
  return fail_with_hint(ErrorCode::not_found,
                        fmt::format("record {}: {}: no run was started on this root", file.string(), what),
                        "name the root with --root, or start a run with `mlpipe run`");
}

}  // namespace

Result<std::unique_ptr<Database>> open_for_reading(const fs::path& file) {
  Result<OpenedForReading> opened = open_existing(file, OpenMode::read_only);
  if (!opened) return Failure(std::move(opened).error());
  if (*opened->state == SchemaState::older) {
    opened->database.reset();  // before the migration: this connection must not hold it up
    return open_migrated(file);
  }
  return std::move(opened->database);
}

Result<std::unique_ptr<Database>> open_without_trace(const fs::path& file) {
  Result<OpenedForReading> opened = open_existing(file, OpenMode::traceless);
  if (!opened) return Failure(std::move(opened).error());
  if (*opened->state == SchemaState::older) {
    return fail_with_hint(ErrorCode::unavailable,
                          fmt::format("record {}: it was written by an older mlpipe", file.string()),
                          "`mlpipe runs`, for example, brings it up to date and keeps a copy");
  }
  return std::move(opened->database);
}

}  // namespace mlpipe::metadata
