#pragma once

#include <functional>

#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/sys/child_process.hpp"

namespace mlpipe::runner {

// Starts the process that `config` describes. not_found: no such program; invalid_input: it cannot be run.
Result<sys::ChildProcess> start_process(const ContainerConfig& config);

// Copies its output to `log` until its first process has ended, then kills the rest. `stop` is the attempt's, `also`
// that of others who call stop(), kill() or remove().
sys::ExitStatus follow_process(sys::ChildProcess& child, const ContainerConfig& config, LogSink& log,
                               sys::StopSignal& stop, sys::StopSignal& also);

}  // namespace mlpipe::runner
