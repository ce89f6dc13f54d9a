#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "app/console.hpp"
#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::app {

using EngineConnector = std::function<Result<std::unique_ptr<runner::ContainerEngine>>()>;

// What gc looks at besides the root.
struct GcSurroundings {
  EngineConnector connect;
  std::filesystem::path secrets;  // where folders for secrets are made
};

// `mlpipe gc`: says what would go, or removes it with --yes. Never touches a run that somebody runs. Being killed half-way
// leaves nothing in the record whose files are gone; the next gc goes on.
ExitCode gc(const GcCommand& command, const Console& console, const GcSurroundings& around);

}  // namespace mlpipe::app
