#pragma once

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/engine/run.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::app {

// `mlpipe run --dry-run`: says what would run, in which order and with which inputs. Starts and writes nothing.
ExitCode dry_run(const plan::Plan& plan, const engine::Limits& limits, const RunCommand& command);

}  // namespace mlpipe::app
