#pragma once

#include <memory>

#include "app/options.hpp"
#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::app {

// Connects to the chosen engine. `debug_log`, borrowed by it, is told of every call; null: nobody is.
Result<std::unique_ptr<runner::ContainerEngine>> connect_engine(EngineChoice choice, DebugLog* debug_log = nullptr);

}  // namespace mlpipe::app
