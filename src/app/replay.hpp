#pragma once

#include "app/console.hpp"
#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::app {

// `mlpipe replay`: a run that has ended is run again as it was, with the same pipeline, arguments, images and data and no
// cache, or one of its tasks with the same inputs; says whether the outputs are the same, bytes and values.
ExitCode replay(const ReplayCommand& command, const Console& console);

enum class ReplayAnswer { text, json };

// Says how the replay `run_id`, which has ended, came out against the run that `command.replay_of` names. `plan` is the replay's.
// succeeded when all is equal, else run_failed.
Result<ExitCode> compare_with_original(const RunCommand& command, const plan::Plan& plan, const std::string& run_id,
                                       const artifact::Root& root, ReplayAnswer answer, const Console& console);

}  // namespace mlpipe::app
