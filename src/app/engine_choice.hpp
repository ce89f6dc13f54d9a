#pragma once

#include <memory>

#include "app/options.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::app {

// Connects to the chosen engine.
Result<std::unique_ptr<runner::ContainerEngine>> connect_engine(EngineChoice choice);

}  // namespace mlpipe::app
