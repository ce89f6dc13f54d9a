#pragma once

#include <string>

#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/runner/images.hpp"

namespace mlpipe::app {

// run.json (docs/json.md, "run.json"): what the run was made of and what it gave, enough to rebuild its record.
Value make_manifest(const engine::Run& run, const metadata::RunStart& start, const runner::PreparedImages& images,
                    const std::string& state, std::optional<WallTime> finished);

}  // namespace mlpipe::app
