#pragma once

#include "app/console.hpp"
#include "app/options.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// `mlpipe resume`: an interrupted run goes on where it was; a run that ended is the parent of a new one, which keeps what
// is still valid of it.
ExitCode resume(const ResumeCommand& command);

// The newest interrupted run that `mlpipe run --resume` would go on with: the one named, or of that pipeline.
Result<std::optional<metadata::RunRow>> find_interrupted(const std::filesystem::path& root, const std::string& run_id,
                                                         const std::string& pipeline);

}  // namespace mlpipe::app
