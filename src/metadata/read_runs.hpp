#pragma once

#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// Reads rows of `runs` with their arguments and labels. Borrows both.
class RunReader final {
 public:
  RunReader(Database& database, const IsRunning& is_running) : database_(database), is_running_(is_running) {}

  // The newest `limit` runs, newest first; 0: all.
  Result<std::vector<RunRow>> newest(std::size_t limit);
  // The runs with these numbers, in this order.
  Result<std::vector<RunRow>> with_numbers(const std::vector<std::int64_t>& numbers);
  // As Queries::find_run() promises.
  Result<RunRow> find(const std::string& reference);
  // The number of the run with that exact id.
  Result<std::int64_t> number_of(const std::string& run_id);

 private:
  Result<std::vector<RunRow>> read(Statement& statement);
  Result<RunRow> read_row(const Statement& statement) const;
  template <class... Values>
  Result<std::optional<RunRow>> one(std::string_view where, const Values&... values);
  Result<std::vector<std::string>> ids_like(const std::string& prefix);
  Result<RunRow> by_prefix(const std::string& prefix);
  Failure no_such_run(const std::string& reference);
  Failure no_runs() const;

  Database& database_;
  const IsRunning& is_running_;
};

}  // namespace mlpipe::metadata
