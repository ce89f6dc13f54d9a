#pragma once

#include "app/console.hpp"
#include "app/forecast.hpp"

namespace mlpipe::app {

// `--dry-run`: says of each task what would become of it and why, how long that takes, and what all of it takes; as a table,
// or as JSON (docs/json.md). Starts and writes nothing.
ExitCode dry_run(const RunInMind& run, const Interruption& interruption, const Console& console);

// What it prints, apart for tests.
std::string forecast_text(const RunInMind& run, const Forecast& forecast, const Console& console);
Value forecast_value(const RunInMind& run, const Forecast& forecast);

}  // namespace mlpipe::app
