#pragma once

#include <optional>
#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// Queries::premises() and Queries::kept_outputs().
Result<std::optional<Premises>> read_premises(Database& database, const std::string& asked);
Result<std::vector<engine::Artifact>> read_kept_outputs(Database& database, std::int64_t run);

}  // namespace mlpipe::metadata
