#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/exit_code.hpp"
#include "mlpipe/spec/reader.hpp"

namespace mlpipe::app {

// Where bare component names are looked up: what was said, then MLPIPE_COMPONENT_PATH.
std::vector<std::filesystem::path> component_path(const std::vector<std::string>& said);

// Reads a pipeline for a command that needs it whole: prints every diagnostic to standard error; the spec, or the code to
// leave with.
std::variant<spec::PipelineSpec, ExitCode> load_pipeline(const std::string& path,
                                                         const std::vector<std::string>& components);

// "2 errors, 1 warning".
std::string count_text(const spec::Diagnostics& diagnostics);

}  // namespace mlpipe::app
