#pragma once

#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/run_selection.hpp"

namespace mlpipe::metadata {

// As Queries::select_runs() promises.
Result<std::vector<SelectedRun>> select_runs(Database& database, const IsRunning& is_running,
                                             const RunSelection& selection);

}  // namespace mlpipe::metadata
