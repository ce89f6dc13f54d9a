#pragma once

#include <optional>
#include <string>

#include "mlpipe/engine/ports.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// How an ended container's attempt ended, from what inspect said and from what we did to it ourselves. Exit 0 of a started
// container gives `succeeded`; its outputs are still to be verified. Pure.
engine::AttemptResult classify_exit(const ContainerState& state, std::optional<engine::StopReason> stopped,
                                    std::uint64_t memory_limit);

// The same for a container that could not be created or started.
engine::AttemptResult classify_error(const Error& error, std::optional<engine::StopReason> stopped);

}  // namespace mlpipe::runner
