#pragma once

#include <memory>

#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// An engine that runs attempts as processes of this machine, with no container around them: no image, no limits on
// memory or cpus, no user or network of their own, the host's files. What differs from a container otherwise:
// - the working folder is HOME of the attempt's environment when the attempt names none, never the caller's;
// - of our environment only PATH and HOME are passed on; CUDA_VISIBLE_DEVICES names the GPUs the task was given, or
//   none;
// - a mount must be where its source is; another target is invalid_input.
// Each runs in a session of its own, and when its first process ends, all others are killed, also those that left the
// session: the environment variable MLPIPE_CONTAINER tells which are its own. By it list() finds, and remove() ends,
// what an mlpipe that was killed left running; such processes can be ended but not picked up.
std::unique_ptr<ContainerEngine> make_process_engine();

}  // namespace mlpipe::runner
