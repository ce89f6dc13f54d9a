#pragma once

#include "app/console.hpp"
#include "app/options.hpp"
#include "app/recorded_run.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// `mlpipe resume`: an interrupted run goes on where it was; a run that ended is the parent of a new one, which keeps what
// is still valid of it.
ExitCode resume(const ResumeCommand& command);

// The newest interrupted run that `mlpipe run --resume` would go on with: of that pipeline, and the one named when one is.
Result<std::optional<metadata::RunRow>> find_interrupted(const std::filesystem::path& root, const std::string& run_id,
                                                         const std::string& pipeline, Trace trace);

// What reading the record may do, given that a dry run changes nothing.
inline Trace trace_of(const RunCommand& command) { return command.dry_run ? Trace::none : Trace::may_stay; }

}  // namespace mlpipe::app
