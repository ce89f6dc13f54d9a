#pragma once

#include <filesystem>

#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/runner/run_context.hpp"

namespace mlpipe::runner {

// Makes the caller the owner of everything below `work`, which a container running as its image's own user wrote. As root
// that is done here; else by a helper container, which is root where the engine's users are.
Result<> hand_back(const std::filesystem::path& work, const RunContext& run, ContainerEngine& engine);

}  // namespace mlpipe::runner
