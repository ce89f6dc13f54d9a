#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/runner/images.hpp"

namespace mlpipe::app {

// run.json (docs/json.md, "run.json"): what the run was made of and what it gave, enough to rebuild its record.
Value make_manifest(const engine::Run& run, const metadata::RunStart& start, const runner::PreparedImages& images,
                    const std::string& state, std::optional<WallTime> finished);

// Durable, or not there at all.
Result<> write_manifest(const std::filesystem::path& run_folder, const Value& manifest);

// The manifest of a run that is cancelled after its mlpipe has ended; `tasks` as the record had them.
Result<> cancel_manifest(const std::filesystem::path& run_folder, const std::vector<metadata::TaskRow>& tasks, WallTime at);

}  // namespace mlpipe::app
