#pragma once

#include <map>
#include <string>

#include "app/compare_runs.hpp"
#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/result_cache.hpp"
#include "mlpipe/sys/stop_signal.hpp"

// What a run that repeats another takes from it.
namespace mlpipe::app {

// The command that repeats `original`: as it was started, with what is said now. Errors: it has not ended, or the task that
// was asked for is none of its own, or did not run.
Result<RunCommand> command_of_replay(const RecordedRun& original, const spec::PipelineSpec& spec,
                                     const ReplayCommand& said);

// The results that the tasks of `plan` other than `command.replay_task` have in the run it repeats, with their artifacts
// where they lie there; none when all tasks are repeated. The record of `root` has both.
Result<runner::GivenResults> given_results(const plan::Plan& plan, const RunCommand& command,
                                           const artifact::Root& root);

// The images of the tasks that are to run, as `original` had them.
Result<std::map<std::string, runner::PinnedImage>> pinned_images(const plan::Plan& plan,
                                                                 const runner::GivenResults& given,
                                                                 const RecordedRun& original);

// That what the replay begins with has the bytes that `original` recorded: what its importers bring in, and of one task
// alone (`command.replay_task`) its inputs. Reads all of it. Else an Error that lists what has not: conflict, or io where
// something cannot be read; cancelled when `stop` asked.
Result<> check_data(const plan::Plan& plan, const RunCommand& command, const RecordedRun& original,
                    const artifact::Root& root, const sys::StopSignal& stop);

}  // namespace mlpipe::app
