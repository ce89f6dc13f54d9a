#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "metadata/database.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/engine/state.hpp"

// What the readers of the record's tables share.
namespace mlpipe::metadata {

// The Error of a record that holds what no mlpipe wrote.
Failure damaged(const Database& database, std::string_view what);

// JSON of a column; `what` names it when it is damaged.
Result<Value> json_of(const Database& database, std::string_view text, std::string_view what);

std::optional<engine::TaskState> task_state_of(std::string_view text);
std::optional<engine::RunState> run_state_of(std::string_view text);

// Takes the columns of a row one after the other.
class Columns final {
 public:
  explicit Columns(const Statement& statement, int first = 0) : statement_(statement), next_(first) {}
  std::string_view text() { return statement_.text(next_++); }
  std::int64_t integer() { return statement_.integer(next_++); }
  std::size_t count() { return static_cast<std::size_t>(integer()); }
  int small() { return static_cast<int>(integer()); }
  double real() { return statement_.real(next_++); }
  bool flag() { return integer() != 0; }
  WallTime time() { return statement_.time(next_++); }
  std::optional<WallTime> optional_time() { return statement_.optional_time(next_++); }

 private:
  const Statement& statement_;
  int next_;
};

// Calls `take(statement)` on each row that `statement`, bound already, gives, until it answers with an Error.
template <class Take>
Result<> each_row_of(Statement& statement, Take&& take) {
  while (true) {
    const Result<bool> more = statement.step();
    if (!more) return Failure(more.error());
    if (!*more) return {};
    if (Result<> taken = take(std::as_const(statement)); !taken) return taken;
  }
}

// The same for `sql` with `values` bound to ?1, ?2, ...
template <class Take, class... Values>
Result<> each_row(Database& database, std::string_view sql, Take&& take, const Values&... values) {
  Result<Statement> statement = database.prepare(sql);
  if (!statement) return Failure(std::move(statement).error());
  statement->query(values...);
  return each_row_of(*statement, std::forward<Take>(take));
}

}  // namespace mlpipe::metadata
