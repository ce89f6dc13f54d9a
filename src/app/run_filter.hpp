#pragma once

#include <optional>
#include <string>

#include "app/options.hpp"
#include "mlpipe/metadata/run_selection.hpp"

namespace mlpipe::app {

// What `mlpipe runs` was asked for. invalid_input: which option is wrong, and how it is written.
Result<metadata::RunSelection> selection_of(const RunsCommand& command, WallTime now);

// A time ago ("7d", "1h30m") or a local time ("2026-11-01", "2026-11-01 18:30", UTC with a "Z" behind it).
std::optional<WallTime> parse_since(const std::string& text, WallTime now);

// The metric of `selected` that the listing shows for the `asked`-th of asked_metrics(): the one by which it was sorted, else
// one that fits the condition. Null: the run has none.
const metadata::MetricRow* shown_metric(const metadata::RunSelection& selection, const metadata::SelectedRun& selected,
                                        std::size_t asked);

}  // namespace mlpipe::app
