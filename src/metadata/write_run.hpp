#pragma once

#include "metadata/database.hpp"
#include "mlpipe/metadata/rebuild.hpp"

namespace mlpipe::metadata {

// Writes all rows of a run that is not in the database yet. Part of the caller's transaction.
Result<> write_run(Database& database, const RecordedRun& recorded);

}  // namespace mlpipe::metadata
