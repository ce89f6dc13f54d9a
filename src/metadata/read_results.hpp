#pragma once

#include "metadata/database.hpp"
#include "mlpipe/metadata/results.hpp"

namespace mlpipe::metadata {

// ResultSearch on a connection; its statements are prepared once. Borrows the database, and must go before it.
class ResultReader final {
 public:
  static Result<ResultReader> prepare(Database& database);
  // As ResultSearch::results().
  Result<std::vector<StoredResult>> find(const std::string& fingerprint, std::size_t limit);

 private:
  explicit ResultReader(Database& database) : database_(&database) {}

  Database* database_;
  Statement find_results_, parameters_, artifacts_;
};

}  // namespace mlpipe::metadata
