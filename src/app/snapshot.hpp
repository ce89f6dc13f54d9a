#pragma once

#include <filesystem>
#include <vector>

#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::app {

// Keeps the files a run was read from in its folder: `pipeline.yaml`, and all of them with their paths in
// `.mlpipe/sources.json`, so that the run can go on although they have changed.
Result<> keep_sources(const std::filesystem::path& run_folder, const std::vector<spec::SourceFile>& sources);

// The files as keep_sources() kept them; not_found when the run never got so far.
Result<std::vector<spec::SourceFile>> kept_sources(const std::filesystem::path& run_folder);

// The pipeline as the run `row` read it. `components`: where it looked bare component names up (RunCommand::component_path).
Result<spec::PipelineSpec> kept_pipeline(const artifact::Root& root, const metadata::RunRow& row,
                                         const std::vector<std::string>& components);

}  // namespace mlpipe::app
