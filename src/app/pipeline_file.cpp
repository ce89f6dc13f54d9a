#include "app/pipeline_file.hpp"

#include <algorithm>

#include "app/print.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"

namespace mlpipe::app {

std::vector<std::filesystem::path> component_path(const std::vector<std::string>& said) {
  std::vector<std::filesystem::path> path(said.begin(), said.end());
  std::string from_environment = sys::environment("MLPIPE_COMPONENT_PATH").value_or("");
  for (std::string_view folder : split(from_environment, ':')) {
    if (!folder.empty()) path.emplace_back(folder);
  }
  return path;
}

std::string count_text(const spec::Diagnostics& diagnostics) {
  auto errors = std::count_if(diagnostics.begin(), diagnostics.end(),
                              [](const spec::Diagnostic& each) { return each.severity == spec::Severity::error; });
  auto warnings = static_cast<std::ptrdiff_t>(diagnostics.size()) - errors;
  std::string text;
  if (errors > 0) text = fmt::format("{} error{}", errors, errors == 1 ? "" : "s");
  if (warnings > 0) text += fmt::format("{}{} warning{}", text.empty() ? "" : ", ", warnings, warnings == 1 ? "" : "s");
  return text;
}

std::variant<spec::PipelineSpec, ExitCode> load_pipeline(const std::string& path, const std::vector<std::string>& components) {
  Result<spec::ReadPipeline> read = spec::read_pipeline(path, {.component_path = component_path(components)});
  if (!read) return report_error(read.error(), ExitCode::usage);
  print_error(spec::render(read->diagnostics, read->sources));
  if (!read->spec || spec::has_errors(read->diagnostics)) {
    print_error("mlpipe: " + path + ": " + count_text(read->diagnostics) + "\n");
    return ExitCode::usage;
  }
  return std::move(*read->spec);
}

}  // namespace mlpipe::app
