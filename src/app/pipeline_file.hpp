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

// The component `name` by itself, found as pipelines find theirs: prints what is wrong with it to standard error; what was read
// of it, or the code to leave with.
struct LoadedComponent {
  spec::ComponentSpec component;
  std::filesystem::path file;
};
std::variant<LoadedComponent, ExitCode> load_component(const std::string& name,
                                                       const std::vector<std::string>& components);

// "2 errors, 1 warning".
std::string count_text(const spec::Diagnostics& diagnostics);

}  // namespace mlpipe::app
