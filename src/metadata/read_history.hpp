#pragma once

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// As the methods of Queries promise.
Result<std::optional<std::string>> read_fingerprint_text(Database& database, const std::string& fingerprint);
Result<std::optional<std::string>> read_build(Database& database, const std::string& run_id,
                                              const std::string& reference);
Result<std::map<std::string, std::chrono::milliseconds>> read_usual_durations(Database& database,
                                                                              const std::string& pipeline,
                                                                              std::size_t most);
Result<std::map<std::string, NewestResult>> read_newest_results(Database& database, const std::string& pipeline);

}  // namespace mlpipe::metadata
