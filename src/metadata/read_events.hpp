#pragma once

#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// The events of the run with that number after event `after`, in order; of one task when `task` is not empty.
Result<std::vector<EventRow>> read_events(Database& database, std::int64_t run, const std::string& task,
                                          std::int64_t after);

}  // namespace mlpipe::metadata
