#include "app/pipeline_file.hpp"

#include <algorithm>

#include "app/print.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"

namespace mlpipe::app {

namespace fs = std::filesystem;

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

namespace {

bool looks_like_pipeline(const fs::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

// What to name instead of `path`, which could not be read.
std::string hint_for_unreadable(const fs::path& path) {
  std::error_code ignored;
  if (path == "-") return "a pipeline is read from a file, not from standard input";
  if (fs::is_regular_file(path, ignored)) return "a pipeline holds no data: `import: {uri: FILE}` brings a file in";
  if (fs::is_regular_file(path / "pipeline.yaml", ignored))
    return "did you mean " + (path / "pipeline.yaml").string() + "?";
  const fs::path folder = path.parent_path();
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    if (looks_like_pipeline(it->path())) names.push_back(it->path().filename().string());
  }
  if (std::optional<std::string> near = closest(path.filename().string(), names)) {
    return "did you mean " + printable((folder / *near).string()) + "?";
  }
  return "name a pipeline file; `mlpipe init` writes a small one that runs";
}

}  // namespace

std::variant<spec::PipelineSpec, ExitCode> load_pipeline(const std::string& path,
                                                         const std::vector<std::string>& components) {
  Result<spec::ReadPipeline> read = spec::read_pipeline(path, {.component_path = component_path(components)});
  if (!read) {
    Error error = read.error();
    if (error.hint.empty() && error.code != ErrorCode::permission) error.hint = hint_for_unreadable(path);
    return report_error(error, ExitCode::usage);
  }
  print_error(spec::render(read->diagnostics, read->sources));
  if (!read->spec || spec::has_errors(read->diagnostics)) {
    print_error("mlpipe: " + path + ": " + count_text(read->diagnostics) + "\n");
    return ExitCode::usage;
  }
  return std::move(*read->spec);
}

std::variant<LoadedComponent, ExitCode> load_component(const std::string& name,
                                                       const std::vector<std::string>& components) {
  Result<fs::path> file = spec::find_component(name, {.component_path = component_path(components)});
  if (!file) return report_error(file.error(), ExitCode::usage);
  Result<spec::ReadComponent> read = spec::read_component(*file);
  if (!read) return report_error(read.error(), ExitCode::usage);
  print_error(spec::render(read->diagnostics, read->sources));
  if (!read->component || spec::has_errors(read->diagnostics)) {
    print_error("mlpipe: " + name + ": " + count_text(read->diagnostics) + "\n");
    return ExitCode::usage;
  }
  return LoadedComponent{std::move(*read->component), *std::move(file)};
}

}  // namespace mlpipe::app
