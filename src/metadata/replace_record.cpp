#include "metadata/replace_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// A second name for the old file, so that at no moment there is none. Where there are no hard links it is renamed.
Result<> keep(const fs::path& file, const fs::path& kept) {
  if (::link(file.c_str(), kept.c_str()) == 0) return {};
  if (::rename(file.c_str(), kept.c_str()) == 0) return {};
  return sys::fail_file("keeping the old record as", kept, errno);
}

// A name that is not taken.
fs::path free_name(const fs::path& database, std::string_view suffix) {
  fs::path name = fmt::format("{}.{}", database.string(), suffix);
  for (int number = 2; is_there(name); ++number) name = fmt::format("{}.{}-{}", database.string(), suffix, number);
  return name;
}

}  // namespace

fs::path rebuilt_path(const fs::path& database) { return database.string() + ".rebuilt"; }

Result<fs::path> replace_record(const fs::path& database, std::string_view suffix, const engine::Failpoint& failpoint) {
  fs::path kept;
  if (is_there(database)) {
    kept = free_name(database, suffix);
    if (Result<> done = keep(database, kept); !done) return Failure(std::move(done).error());
  }
  if (Result<> go_on = failpoint.pass("rebuild.kept"); !go_on) return Failure(std::move(go_on).error());
  // The log must be gone before the new file comes: SQLite would play it into that one.
  for (const char* part : {"-wal", "-shm"}) {
    const fs::path from = database.string() + part;
    if (!is_there(from)) continue;
    const fs::path to =
        kept.empty() ? free_name(database, fmt::format("{}{}", suffix, part)) : fs::path(kept.string() + part);
    if (::rename(from.c_str(), to.c_str()) != 0) return sys::fail_file("moving aside", from, errno);
  }
  if (Result<> go_on = failpoint.pass("rebuild.log_moved"); !go_on) return Failure(std::move(go_on).error());
  if (::rename(rebuilt_path(database).c_str(), database.c_str()) != 0) {
    return sys::fail_file("putting in place", rebuilt_path(database), errno);
  }
  if (Result<> synced = sys::fsync_path(database.parent_path()); !synced) return Failure(std::move(synced).error());
  if (Result<> go_on = failpoint.pass("rebuild.placed"); !go_on) return Failure(std::move(go_on).error());
  return kept;
}

Result<> finish_replacing(const fs::path& database) {
  struct stat info {};
  if (::lstat(rebuilt_path(database).c_str(), &info) != 0) return {};
  const WallTime made(std::chrono::seconds(info.st_mtim.tv_sec));
  const Result<fs::path> done = replace_record(database, "replaced-" + to_compact_time(made), {});
  if (!done) return Failure(done.error());
  return {};
}

}  // namespace mlpipe::metadata
