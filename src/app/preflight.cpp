#include "app/preflight.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/foresight.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/import.hpp"
#include "mlpipe/spec/reader.hpp"
#include "mlpipe/sys/env.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_lines = 50;

struct Problem {
  std::string text;
  std::string hint = {};
};

// What an import names, when it is known by now, from `inputs`, and certainly read before any task has ended.
std::optional<std::string> uri_of_import(const spec::TaskSpec& task, const spec::ComponentSpec& component,
                                         const engine::TaskData& inputs) {
  if (component.importer() == nullptr || task.when || !task.after.empty()) return std::nullopt;
  Result<engine::Artifact> artifact = runner::name_import(component, inputs);
  if (!artifact) return std::nullopt;
  return std::move(artifact->uri);
}

std::string_view kind_text(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Why `path` cannot be imported.
std::optional<Problem> problem_at(const std::string& path) {
  if (!path.starts_with('/')) {
    return Problem{fmt::format("{} is no path", path.empty() ? "an empty text" : path),
                   "this version reads files of this machine only: use a path"};
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int number = errno;
    if (number != ENOENT && number != ENOTDIR) {
      return Problem{fmt::format("cannot look at {}: {}", path, std::generic_category().message(number))};
    }
    if (::lstat(path.c_str(), &info) == 0) return Problem{fmt::format("the link {} leads nowhere", path)};
    return Problem{fmt::format("nothing is at {}", path),
                   "a relative path is taken from the folder of the pipeline file"};
  }
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return Problem{fmt::format("{} is {}, not a file or folder", path, kind_text(info.st_mode))};
  }
  // As the user that will read it, which is not the real one in a set-uid program.
  if (::faccessat(AT_FDCWD, path.c_str(), S_ISDIR(info.st_mode) ? R_OK | X_OK : R_OK, AT_EACCESS) != 0) {
    return Problem{fmt::format("cannot read {}: {}", path, std::generic_category().message(errno))};
  }
  return std::nullopt;
}

std::optional<Problem> import_problem(const spec::TaskSpec& task, const spec::ComponentSpec& component,
                                      const engine::TaskData& inputs) {
  std::optional<std::string> uri = uri_of_import(task, component, inputs);
  std::optional<Problem> problem = uri ? problem_at(*uri) : std::nullopt;
  if (problem) problem->text = fmt::format("task {}: import: {}", task.name, printable(problem->text));
  return problem;
}

// ` (made of parameter "u", given with -p)`, when one of `said` is among what the import of `task` is made of.
std::string given_with(const spec::TaskSpec& task, const std::set<std::string>& said) {
  std::vector<std::string> names;
  for (const spec::Argument& argument : task.arguments) {
    const auto* parameter = std::get_if<spec::PipelineInput>(&argument.binding);
    if (parameter != nullptr && said.contains(parameter->name)) names.push_back(fmt::format("\"{}\"", parameter->name));
  }
  if (names.empty()) return {};
  return fmt::format(" (made of parameter{} {}, given with -p)", names.size() == 1 ? "" : "s", join(names, ", "));
}

// "pipeline.yaml:3:5: "
std::string place_of(const spec::TaskSpec& task, const spec::PipelineSpec& spec) {
  if (task.where.line == 0 || task.where.file >= spec.sources.size()) return {};
  return fmt::format("{}:{}:{}: ", printable(spec.sources[task.where.file].name), task.where.line, task.where.column);
}

// The image of `task` when parameters say which it is.
std::optional<Problem> image_problem(const plan::Plan& plan, plan::TaskId task) {
  const spec::ContainerSpec* container = plan.component(task).container();
  if (container == nullptr || !container->build_context.empty() || container->image.is_literal()) return std::nullopt;
  const std::string image = runner::image_reference(plan, task);
  if (image.find("${{") != std::string::npos) return std::nullopt;  // known in the run only
  const std::optional<std::string> problem = spec::image_name_problem(image);
  if (!problem) return std::nullopt;
  return Problem{
      fmt::format("task {}: \"{}\" is no name of an image: {}", plan.task(task).spec->name, printable(image), *problem),
      "`image` is made of parameters there: give them so that it names one, such as python:3.11-slim"};
}

std::optional<Problem> secret_problem(const spec::TaskSpec& task, const spec::SecretSpec& secret) {
  if (!secret.from_file.empty()) {
    std::error_code ignored;
    if (fs::is_regular_file(secret.from_file, ignored)) return std::nullopt;
    return Problem{
        fmt::format("task {}: secret \"{}\": no file at {}", task.name, secret.name, printable(secret.from_file)),
        "set secrets where mlpipe runs"};
  }
  if (sys::environment(secret.from_env)) return std::nullopt;
  return Problem{fmt::format("task {}: secret \"{}\": the environment variable {} is not set", task.name, secret.name,
                             secret.from_env),
                 "set secrets where mlpipe runs"};
}

std::string listed(const std::vector<Problem>& problems) {
  std::vector<std::string> lines;
  for (const Problem& problem : problems) {
    if (lines.size() == k_most_lines) {
      lines.push_back(fmt::format("and {} more", problems.size() - k_most_lines));
      break;
    }
    lines.push_back(problem.text);
  }
  return join(lines, "\n");
}

// Each hint once.
std::string hints_of(const std::vector<Problem>& problems) {
  std::vector<std::string> hints;
  for (const Problem& problem : problems) {
    if (!problem.hint.empty() && std::find(hints.begin(), hints.end(), problem.hint) == hints.end())
      hints.push_back(problem.hint);
  }
  return join(hints, "; ");
}

}  // namespace

spec::Diagnostics warn_of_imports(const spec::PipelineSpec& spec) {
  spec::Diagnostics warnings;
  const Result<plan::Plan> plan = plan::make_plan(spec, {});  // fails when a parameter has no default
  for (const spec::TaskSpec& task : spec.root_dag().tasks) {
    const std::optional<plan::TaskId> id = plan ? plan->find(task.name) : std::nullopt;
    const spec::ComponentSpec& component = spec.component(task.component);
    if (component.importer() == nullptr) continue;
    const engine::TaskData inputs = id ? engine::inputs_known_beforehand(*plan, *id) : engine::TaskData();
    if (std::optional<Problem> problem = import_problem(task, component, inputs)) {
      warnings.push_back({spec::Severity::warning, task.where, std::move(problem->text), std::move(problem->hint)});
    }
  }
  return warnings;
}

Result<> preflight(const plan::Plan& plan, const runner::GivenResults& given, const std::set<std::string>& said) {
  std::vector<Problem> wrong;
  std::vector<Problem> secrets;
  for (plan::TaskId id : plan.order()) {
    if (!plan.selected(id) || given.contains(id)) continue;
    const spec::TaskSpec& task = *plan.task(id).spec;
    const engine::TaskData inputs =
        plan.component(id).importer() != nullptr ? engine::inputs_known_beforehand(plan, id) : engine::TaskData();
    if (std::optional<Problem> problem = import_problem(task, plan.component(id), inputs)) {
      wrong.push_back({place_of(task, plan.spec()) + problem->text + given_with(task, said), std::move(problem->hint)});
    }
    if (std::optional<Problem> problem = image_problem(plan, id)) {
      wrong.push_back({place_of(task, plan.spec()) + problem->text, std::move(problem->hint)});
    }
    for (const spec::SecretSpec& secret : task.settings->secrets) {
      if (std::optional<Problem> problem = secret_problem(task, secret)) secrets.push_back(*std::move(problem));
    }
  }
  if (wrong.empty() && secrets.empty()) return {};
  const ErrorCode code = wrong.empty() ? ErrorCode::permission : ErrorCode::invalid_input;
  std::vector<Problem> all = std::move(wrong);
  std::move(secrets.begin(), secrets.end(), std::back_inserter(all));
  return fail_with_hint(code, listed(all), hints_of(all));
}

}  // namespace mlpipe::app
