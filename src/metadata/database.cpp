#include "metadata/database.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "mlpipe/base/assert.hpp"

namespace mlpipe::metadata {
namespace {

// How long a write waits for other runs on the same root. Their transactions take milliseconds; a run of a million tasks
// begins in seconds.
constexpr std::chrono::milliseconds k_patience{60'000};

ErrorCode code_of(int status, int system_error) {
  switch (status & 0xff) {
    case SQLITE_FULL: return ErrorCode::no_space;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return ErrorCode::permission;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::unavailable;
    case SQLITE_CONSTRAINT: return ErrorCode::conflict;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      const ErrorCode code = system_error == 0 ? ErrorCode::io : error_code_of_errno(system_error);
      return code == ErrorCode::no_space || code == ErrorCode::permission ? code : ErrorCode::io;
    }
    case SQLITE_MISUSE:
    case SQLITE_ERROR: return ErrorCode::internal;
    default: return ErrorCode::io;
  }
}

std::string hint_of(int status, ErrorCode code, const std::filesystem::path& file) {
  switch (status & 0xff) {
    case SQLITE_BUSY: return "another process has been writing to it for a minute; look for a stopped mlpipe process";
    case SQLITE_NOMEM: return "raise the limit on memory (ulimit -v)";
    default: break;
  }
  if (code == ErrorCode::no_space)
    return fmt::format("free some space on the disk that holds {}", file.parent_path().string());
  if (code == ErrorCode::permission) {
    return fmt::format("make {} writable for you, or choose another root with --root", file.parent_path().string());
  }
  return "";
}

// Our statements fit our tables: a table or column that is not there was lost with a piece of the file.
bool is_damage(int status, std::string_view reason) {
  const int primary = status & 0xff;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) return true;
  return primary == SQLITE_ERROR && (reason.starts_with("no such ") || reason.find("has no column") != reason.npos ||
                                     reason.find("values were supplied") != reason.npos);
}

std::string uri_of(const std::filesystem::path& file, std::string_view query) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("/-_.~").find(c) != std::string_view::npos;
    if (plain)
      uri += c;
    else
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri.append(query);
}

// There is no log beside the file, and reading it would make one.
bool may_make_log(const std::filesystem::path& file) {
  std::error_code error;
  return !std::filesystem::exists(file.string() + "-wal", error) && ::access(file.c_str(), W_OK) == 0 &&
         ::access(file.parent_path().c_str(), W_OK) == 0;
}

}  // namespace

const char* const k_mend_hint =
    "`mlpipe doctor --rebuild` makes it anew from the folders of the runs, and keeps the damaged file beside it";

// ---- Statement ---------------------------------------------------------------------------------------------------

void StatementDeleter::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::reset() {
  if (handle_) sqlite3_reset(handle_.get());
  bind_status_ = SQLITE_OK;
}

Result<bool> Statement::step() {
  if (bind_status_ != SQLITE_OK) return database_->failure(bind_status_);
  const int status = sqlite3_step(handle_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) {
    reset();
    return false;
  }
  Failure failure = database_->failure(status);
  reset();
  return failure;
}

Result<> Statement::finish() {
  const Result<bool> row = step();
  if (!row) return Failure(row.error());
  reset();
  return {};
}

void Statement::bind(int index, std::int64_t value) {
  if (const int status = sqlite3_bind_int64(handle_.get(), index, value); status != SQLITE_OK) bind_status_ = status;
}

void Statement::bind(int index, double value) {
  if (const int status = sqlite3_bind_double(handle_.get(), index, value); status != SQLITE_OK) bind_status_ = status;
}

void Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* data = value.data() == nullptr ? "" : value.data();
  const auto keep = lifetime_ == Lifetime::of_call ? SQLITE_STATIC : SQLITE_TRANSIENT;
  const int status = sqlite3_bind_text64(handle_.get(), index, data, value.size(), keep, SQLITE_UTF8);
  if (status != SQLITE_OK) bind_status_ = status;
}

void Statement::bind_null(int index) {
  if (const int status = sqlite3_bind_null(handle_.get(), index); status != SQLITE_OK) bind_status_ = status;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_.get(), column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (text == nullptr) {
    if (sqlite3_errcode(sqlite3_db_handle(handle_.get())) == SQLITE_NOMEM) throw std::bad_alloc();
    return {};
  }
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

// ---- Database ----------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file, OpenMode mode) {
  std::unique_ptr<Database> database(new Database(file));
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
  // Who may not write cannot take away the files that reading a WAL database needs. So the one that makes them may write,
  // and is told not to.
  const bool tidies_up = mode == OpenMode::traceless && may_make_log(file);
  if (mode == OpenMode::create)
    flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  else
    flags |= tidies_up ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const std::string uri = uri_of(file, mode == OpenMode::immutable ? "?immutable=1" : "");
  const int status = sqlite3_open_v2(uri.c_str(), &database->handle_, flags, nullptr);
  if (status != SQLITE_OK) return database->failure(status);
  database->set_patience(k_patience);
  // The file may come from anywhere: its schema is not trusted with side effects, its pages are checked when read.
  if (Result<> set = database->execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"); !set) {
    return Failure(std::move(set).error());
  }
  if (tidies_up) {
    if (Result<> set = database->execute("PRAGMA query_only = ON;"); !set) return Failure(std::move(set).error());
  }
  return database;
}

Database::~Database() {
  // Not _v2: a statement that outlives its connection is a bug, and a zombie would keep the lock.
  if (handle_ != nullptr) MLPIPE_ASSERT(sqlite3_close(handle_) == SQLITE_OK);
}

void Database::set_patience(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(handle_, static_cast<int>(patience.count()));
}

Result<> Database::execute(const char* sql) {
  const int status = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return failure(status);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int status = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &handle, nullptr);
  Statement statement;
  statement.handle_.reset(handle);
  statement.database_ = this;
  if (status != SQLITE_OK) return failure(status);
  return statement;
}

Result<std::int64_t> Database::number(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return Failure(std::move(statement).error());
  const Result<bool> row = statement->step();
  if (!row) return Failure(row.error());
  return *row ? statement->integer(0) : 0;
}

Failure Database::failure(int status) const {
  const int system_error = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  std::string reason = handle_ == nullptr ? sqlite3_errstr(status) : sqlite3_errmsg(handle_);
  if (is_damage(status, reason)) {
    found_damage_ = true;
    return fail_with_hint(ErrorCode::io, fmt::format("record {}: damaged: {}", file_.string(), reason), k_mend_hint);
  }
  const ErrorCode code = code_of(status, system_error);
  const int primary = status & 0xff;
  if (system_error != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)) {
    reason += fmt::format(" ({})", std::generic_category().message(system_error));
  }
  return fail_with_hint(code, fmt::format("record {}: {}", file_.string(), reason), hint_of(status, code, file_));
}

// ---- Transaction -------------------------------------------------------------------------------------------------

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  if (Result<> begun = database.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"); !begun) {
    return Failure(std::move(begun).error());
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  // After some errors SQLite has rolled back by itself; then this says so, which is fine.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<> Transaction::commit() {
  Result<> committed = database_->execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace mlpipe::metadata
