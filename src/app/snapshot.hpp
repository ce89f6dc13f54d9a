#pragma once

#include <filesystem>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/spec/diagnostic.hpp"

namespace mlpipe::app {

// Keeps the files a run was read from in its folder: `pipeline.yaml`, and all of them with their paths in
// `.mlpipe/sources.json`, so that the run can go on although they have changed.
Result<> keep_sources(const std::filesystem::path& run_folder, const std::vector<spec::SourceFile>& sources);

// The files as keep_sources() kept them; not_found when the run never got so far.
Result<std::vector<spec::SourceFile>> kept_sources(const std::filesystem::path& run_folder);

}  // namespace mlpipe::app
