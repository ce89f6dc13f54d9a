#pragma once

#include "app/execution.hpp"
#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {

// `mlpipe run`.
ExitCode run(const RunCommand& command);

// What the record is told of a run that begins now; its engine is not known yet.
metadata::RunStart describe_start(const RunCommand& command, const spec::PipelineSpec& spec, const Prepared& prepared,
                                  std::string run_id, WallTime now);

// A run that goes on from another, `command.parent`, which had these arguments.
ExitCode run_from_parent(const RunCommand& command, Value::Struct arguments);

}  // namespace mlpipe::app
