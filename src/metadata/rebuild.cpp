#include "mlpipe/metadata/rebuild.hpp"

#include <unistd.h>

#include <cerrno>

#include "metadata/replace_record.hpp"
#include "metadata/schema.hpp"
#include "metadata/write_run.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;

void remove_with_logs(const fs::path& file) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((file.string() + suffix).c_str());
}

class SqliteRebuild final : public RecordRebuild {
 public:
  static Result<std::unique_ptr<RecordRebuild>> begin(const fs::path& file, const engine::Failpoint& failpoint) {
    if (Result<> made = sys::make_directories(file.parent_path()); !made) return Failure(std::move(made).error());
    std::unique_ptr<SqliteRebuild> rebuild(new SqliteRebuild(file, failpoint));
    if (Result<> begun = rebuild->begin_file(); !begun)
      return within("making the record anew", std::move(begun).error());
    return rebuild;
  }

  ~SqliteRebuild() override {
    if (!database_) return;
    transaction_.reset();
    database_.reset();
    remove_with_logs(building_);
  }

  Result<> add(const RecordedRun& run) override {
    if (Result<> set = database_->execute("SAVEPOINT run"); !set) return set;
    Result<> written = write_run(*database_, run);
    Result<> ended = database_->execute(written ? "RELEASE run" : "ROLLBACK TO run; RELEASE run");
    return written ? ended : written;
  }

  Result<fs::path> put_in_place(std::string_view suffix) override {
    if (Result<> done = finish_file(); !done) return within("making the record anew", std::move(done).error());
    if (::rename(building_.c_str(), rebuilt_path(file_).c_str()) != 0) {
      return sys::fail_file("naming", rebuilt_path(file_), errno);
    }
    if (Result<> synced = sys::fsync_path(file_.parent_path()); !synced) return Failure(std::move(synced).error());
    if (Result<> go_on = failpoint_.pass("rebuild.ready"); !go_on) return Failure(std::move(go_on).error());
    return replace_record(file_, suffix, failpoint_);
  }

 private:
  SqliteRebuild(fs::path file, engine::Failpoint failpoint)
      : file_(std::move(file)), building_(file_.string() + ".building"), failpoint_(std::move(failpoint)) {}

  Result<> begin_file() {
    lock_ = lock_folder(file_.parent_path());
    if (Result<> finished = finish_replacing(file_); !finished) return finished;
    remove_with_logs(building_);
    Result<std::unique_ptr<Database>> database = Database::open(building_, OpenMode::create);
    if (!database) return Failure(std::move(database).error());
    database_ = std::move(*database);
    // Nobody sees the file before it is synced as a whole.
    Result<> set =
        database_->execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;");
    if (set) set = create_schema(*database_);
    if (!set) return set;
    Result<Transaction> transaction = Transaction::begin(*database_, Transaction::Kind::write);
    if (!transaction) return Failure(std::move(transaction).error());
    transaction_.emplace(std::move(*transaction));
    return failpoint_.pass("rebuild.begun");
  }

  Result<> finish_file() {
    if (Result<> committed = transaction_->commit(); !committed) return committed;
    transaction_.reset();
    if (Result<> set = database_->execute("PRAGMA journal_mode = WAL"); !set) return set;
    database_.reset();  // takes the log away again
    if (Result<> go_on = failpoint_.pass("rebuild.written"); !go_on) return go_on;
    return sys::fsync_path(building_);
  }

  fs::path file_;
  fs::path building_;
  engine::Failpoint failpoint_;
  sys::Fd lock_;
  std::unique_ptr<Database> database_;
  std::optional<Transaction> transaction_;
};

}  // namespace

std::vector<std::string> rebuild_failpoint_names() {
  std::vector<std::string> names;
  for (const std::string_view place : {"begun", "written", "ready", "kept", "log_moved", "placed"}) {
    names.push_back(fmt::format("rebuild.{}", place));
  }
  return names;
}

Result<std::unique_ptr<RecordRebuild>> begin_rebuild(const fs::path& database, const engine::Failpoint& failpoint) {
  return SqliteRebuild::begin(database, failpoint);
}

}  // namespace mlpipe::metadata
