#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

// SQLite in a few classes; sqlite3.h stays in database.cpp.
namespace mlpipe::metadata {

enum class OpenMode {
  create,     // read and write, make the file when it is absent
  read_only,  // beside a writer; may leave files of its own beside the file
  traceless,  // the same, and what was beside the file before is all that is there afterwards
  immutable,  // read a file that nobody can be writing: no locks, no files beside it
};

struct StatementDeleter {
  void operator()(sqlite3_stmt* statement) const;
};

class Database;

// What to do about a damaged record.
extern const char* const k_mend_hint;

// A prepared statement. Failures of bind() are kept and come out of the next step.
class Statement final {
 public:
  Statement() = default;

  // Binds `values` to ?1, ?2, ... and runs it to its end; for statements that give no rows.
  template <class... Values>
  Result<> run(const Values&... values) {
    reset();
    int index = 0;
    lifetime_ = Lifetime::of_call;
    (bind(++index, values), ...);
    lifetime_ = Lifetime::any;
    return finish();
  }
  // Binds `values` and stands before the first row: while (step()) { integer(0); }
  template <class... Values>
  void query(const Values&... values) {
    reset();
    int index = 0;
    (bind(++index, values), ...);
  }
  // The same with values whose number is known when the program runs.
  using Parameter = std::variant<std::int64_t, double, std::string>;
  void query_list(const std::vector<Parameter>& values) {
    reset();
    int index = 0;
    for (const Parameter& parameter : values) {
      std::visit([&](const auto& value) { bind(++index, value); }, parameter);
    }
  }
  // Moves to the next row; false after the last.
  Result<bool> step();

  // Columns of the row it stands on, counted from 0.
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  // valid until the next step
  bool is_null(int column) const;
  WallTime time(int column) const { return WallTime(std::chrono::milliseconds(integer(column))); }
  std::optional<WallTime> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }
  // Ends reading; a statement in the middle of its rows holds a read lock.
  void reset();

 private:
  friend class Database;
  Result<> finish();
  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, std::int64_t{value}); }
  void bind(int index, std::uint32_t value) { bind(index, std::int64_t{value}); }
  void bind(int index, std::uint64_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, std::int64_t{value ? 1 : 0}); }
  void bind(int index, double value);
  void bind(int index, std::string_view value);
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, WallTime value) { bind(index, std::int64_t{value.time_since_epoch().count()}); }
  void bind(int index, std::chrono::milliseconds value) { bind(index, std::int64_t{value.count()}); }
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value)
      bind(index, *value);
    else
      bind_null(index);
  }
  void bind_null(int index);

  // Of a bound text: until the statement has run to its end, or shorter, so that it has to be copied.
  enum class Lifetime { any, of_call };

  std::unique_ptr<sqlite3_stmt, StatementDeleter> handle_;
  const Database* database_ = nullptr;
  int bind_status_ = 0;
  Lifetime lifetime_ = Lifetime::any;
};

// A connection. One thread at a time. Statements and transactions must go before it does.
class Database final {
 public:
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file, OpenMode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::filesystem::path& file() const { return file_; }
  // One or more statements without rows or parameters.
  Result<> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row, as a number.
  Result<std::int64_t> number(std::string_view sql);

  // The Error that an SQLite result code of this connection stands for: "record <file>: <what SQLite says>".
  Failure failure(int status) const;
  // How long it waits for other writers from now on; a minute unless said.
  void set_patience(std::chrono::milliseconds patience);
  // Was one of those that the file is damaged?
  bool found_damage() const { return found_damage_; }
  void mark_damaged() const { found_damage_ = true; }  // by what is in it

 private:
  explicit Database(std::filesystem::path file) : file_(std::move(file)) {}
  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  mutable bool found_damage_ = false;
};

// Rolls back unless committed.
class Transaction final {
 public:
  enum class Kind { read, write };  // write: waits for its turn at once, so that it cannot fail half-way for a lock
  static Result<Transaction> begin(Database& database, Kind kind);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace mlpipe::metadata
