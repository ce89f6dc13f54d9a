#include "app/component_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <variant>

#include "app/compare_runs.hpp"
#include "app/parameters.hpp"
#include "app/pipeline_file.hpp"
#include "app/preflight.hpp"
#include "app/print.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/run.hpp"
#include "app/run_folder.hpp"
#include "app/run_options.hpp"
#include "app/show_text.hpp"
#include "app/start_run.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> input_names(const spec::Interface& interface) {
  std::vector<std::string> names;
  for (const spec::ParameterSpec& input : interface.input_parameters) names.push_back(input.name);
  for (const spec::ArtifactSpec& input : interface.input_artifacts) names.push_back(input.name);
  return names;
}

// A task name that no importer has.
std::string import_name(const std::string& input, const std::string& task) {
  return input == task ? input + "_input" : input;
}

// As a template says it.
std::string literal(std::string text) {
  constexpr std::string_view k_opening = "${{";
  for (std::size_t at = 0; (at = text.find(k_opening, at)) != std::string::npos; at += k_opening.size() + 1) {
    text.insert(at, "$");
  }
  return text;
}

// How a pipeline names the component of `file`: by its folder where that is enough.
std::string named_path(const fs::path& file) {
  std::error_code ignored;
  const fs::path path = fs::absolute(file, ignored).lexically_normal();
  return (path.filename() == "component.yaml" ? path.parent_path() : path).string();
}

// The folder above `path` that is there, or what stands in the way of one.
fs::path nearest_there(fs::path path) {
  std::error_code ignored;
  while (path.has_relative_path() && !fs::exists(fs::symlink_status(path, ignored))) path = path.parent_path();
  return path;
}

// What would hinder copying to --output in the end: before anything runs.
Result<> check_output(const std::string& output, const spec::ComponentSpec& component) {
  if (output.empty()) return {};
  const std::string doing = "--output " + printable(output);
  std::error_code ignored;
  const std::string before_equals = output.substr(0, output.find('='));
  for (const spec::ArtifactSpec& artifact : component.interface.output_artifacts) {
    if (before_equals.size() < output.size() && before_equals == artifact.name && !fs::exists(output, ignored)) {
      return fail_with_hint(ErrorCode::invalid_input, doing + ": it takes a folder for all outputs, not one by name",
                            "each output is copied to DIR/<output>/: say --output DIR");
    }
    const fs::path place = fs::path(output) / artifact.name;
    if (!fs::exists(fs::symlink_status(place, ignored))) continue;
    return fail_with_hint(ErrorCode::conflict, fmt::format("{}: {} is there already", doing, printable(place.string())),
                          "nothing is overwritten: remove it, or name another folder");
  }
  const fs::path there = nearest_there(fs::absolute(output, ignored).lexically_normal());
  if (!fs::is_directory(there, ignored)) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("{}: {} is no folder", doing, printable(there.string())),
                          "name a folder, or a place where one can be made");
  }
  if (::access(there.c_str(), W_OK | X_OK) == 0) return {};
  const int error = errno;
  return fail_with_hint(ErrorCode::invalid_input,
                        fmt::format("{}: nothing can be made in {}: {}", doing, printable(there.string()),
                                    std::generic_category().message(error)),
                        "name a folder that you may write to");
}

Result<> copy_output(const fs::path& payload, const fs::path& place) {
  if (Result<> made = sys::make_directories(place); !made) return made;
  const fs::path target = place / payload.filename();
  std::error_code error;
  fs::copy(payload, target, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return fail(ErrorCode::io, "copying {} to {}: {}", payload.string(), target.string(), error.message());
  // Payloads are read-only; copies are the user's own.
  const auto make_writable = [](const fs::path& path) {
    std::error_code ignored;
    if (fs::is_symlink(fs::symlink_status(path, ignored))) return;
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add, ignored);
  };
  make_writable(target);
  if (!fs::is_directory(target, error)) return {};
  for (const auto& entry : fs::recursive_directory_iterator(target, error)) make_writable(entry.path());
  return {};
}

std::string outputs_text(const engine::TaskData& outputs, const fs::path& copies, const Console& console) {
  TextTable table({{""}, {""}, {"", Align::right}, {""}});
  for (const auto& [name, value] : outputs.parameters) table.add({printable(name), "", "", parameter_line(value)});
  for (const auto& [name, artifact] : outputs.artifacts) {
    const std::string path =
        copies.empty() ? artifact.uri : (copies / name / fs::path(artifact.uri).filename()).string();
    table.add({printable(name), printable(artifact.type), bytes_text(artifact.bytes), printable(path)});
  }
  return section("outputs", table.empty() ? "" : table.render(console.color, 2), console);
}

Value answer_of(const metadata::RunRow& run, const metadata::TaskRow& task, WallTime now) {
  Value::Struct answer = value_of(run, task, now);
  answer.emplace("run", run.id);
  answer.emplace("root", run.root);
  return answer;
}

// What came of the task of the run that ended with `code`.
Result<ExitCode> tell(const ComponentRunCommand& command, const artifact::Root& root, const std::string& run_id,
                      const std::string& task, ExitCode code, const Console& console) {
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  Result<RecordedRun> recorded = read_run(**queries, run_id);
  if (!recorded) return Failure(recorded.error());
  Result<const metadata::TaskRow*> row = find_task(recorded->run, recorded->tasks, task);
  if (!row) return Failure(row.error());
  if (code == ExitCode::succeeded && !command.output.empty()) {
    for (const auto& [name, artifact] : (*row)->outputs.artifacts) {
      Result<> copied = copy_output(artifact.uri, fs::path(command.output) / name);
      if (!copied) return Failure(copied.error());
    }
  }
  if (command.json) {
    console.out(to_pretty_json(answer_of(recorded->run, **row, console.clock.wall())));
  } else if (code == ExitCode::succeeded) {
    console.out(outputs_text((*row)->outputs, command.output, console));
  }
  return code;
}

Result<ExitCode> run_loaded(const ComponentRunCommand& said, const LoadedComponent& loaded, const Console& console) {
  if (Result<> good = check_options(said.options); !good) return Failure(good.error());
  Result<ComponentArguments> arguments = component_arguments(loaded.component, said.arguments);
  if (!arguments) return Failure(arguments.error());
  if (Result<> free = check_output(said.output, loaded.component); !free) return Failure(free.error());
  const std::string path = named_path(loaded.file);
  spec::ReadPipeline read = spec::read_pipeline_text(pipeline_around(loaded.component, path, arguments->paths),
                                                     "pipeline.yaml", fs::path(path).parent_path(), {});
  if (!read.spec || spec::has_errors(read.diagnostics)) {
    print_error(spec::render(read.diagnostics, read.sources));
    return ExitCode::usage;
  }

  RunCommand command = said.options;
  command.parameters = arguments->parameters;
  command.pipeline = loaded.file.string();
  Result<fs::path> root = resolve_root(command.root);
  if (!root) return Failure(root.error());
  Result<Value::Struct> values = pipeline_arguments(command, *read.spec, {});
  if (!values) return Failure(values.error());
  Result<Prepared> prepared = prepare(command, *read.spec, std::move(*values), artifact::Root(std::move(*root)));
  if (!prepared) return Failure(prepared.error());
  if (Result<> found = preflight(prepared->plan); !found) return Failure(found.error());
  const WallTime now = console.clock.wall();
  Result<std::string> run_id = choose_run_id(command.run_id, read.spec->name, now);
  if (!run_id) return Failure(run_id.error());
  metadata::RunStart start = describe_start(command, *read.spec, *prepared, *run_id, now);
  start.spec_file = (prepared->root.run(*run_id) / "pipeline.yaml").string();  // where it is kept, and can be run again

  // Made now rather than at the end: so that a place where none can be made does not cost a run.
  if (!said.output.empty()) {
    if (Result<> made = sys::make_directories(said.output); !made) return within("--output", made.error());
  }
  Interruption interruption;
  const ExitCode code = start_run({.command = command,
                                   .spec = *read.spec,
                                   .prepared = *prepared,
                                   .start = std::move(start),
                                   .images = preparing_images(prepared->plan)},
                                  interruption, console.clock);
  if (code != ExitCode::succeeded && code != ExitCode::run_failed) return code;
  return tell(said, prepared->root, *run_id, name_around(loaded.component), code, console);
}

}  // namespace

std::string name_around(const spec::ComponentSpec& component) {
  std::string name;
  for (const char c : component.name) {
    const bool fits = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
    name += fits && !(name.empty() && c == '.') ? c : '-';
  }
  constexpr std::size_t k_most = 79;  // of a pipeline's name (docs/format.md)
  return name.empty() ? "component" : name.substr(0, k_most);
}

Result<ComponentArguments> component_arguments(const spec::ComponentSpec& component,
                                               const std::vector<std::string>& said) {
  const spec::Interface& interface = component.interface;
  ComponentArguments arguments;
  std::vector<std::string> mistakes;
  std::map<std::string, std::string> spellings;  // by input: as it was written first
  for (const std::string& argument : said) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      mistakes.push_back(fmt::format("-a {}: no name=value", argument));
      continue;
    }
    const std::string written = argument.substr(0, equals);
    const std::string value = argument.substr(equals + 1);
    const std::vector<std::string> meant = spec::inputs_called(interface, written);
    if (meant.empty()) {
      const std::optional<std::string> near = closest(written, input_names(interface));
      mistakes.push_back(fmt::format("-a {}: the component has no input \"{}\"{}", argument, written,
                                     near ? fmt::format("; did you mean {}?", *near) : ""));
      continue;
    }
    if (meant.size() > 1) {
      mistakes.push_back(
          fmt::format("-a {}: \"{}\" can be any of the inputs {}", argument, written, join(meant, ", ")));
      continue;
    }
    const std::string& name = meant.front();
    if (const auto [before, is_new] = spellings.emplace(name, written); !is_new && before->second != written) {
      mistakes.push_back(fmt::format("-a {}: \"{}\" and \"{}\" are the same input", argument, before->second, written));
      continue;
    }
    if (interface.input_parameter(name) != nullptr) {
      arguments.parameters.push_back(name + "=" + value);
      continue;
    }
    std::error_code error;
    const fs::path path = fs::absolute(value, error).lexically_normal();
    if (value.empty() || !fs::exists(path, error)) {
      mistakes.push_back(fmt::format("-a {}: nothing is at {}", argument, path.string()));
    }
    arguments.paths.insert_or_assign(name, path.string());
  }
  for (const spec::ArtifactSpec& input : interface.input_artifacts) {
    if (input.optional || arguments.paths.contains(input.name)) continue;
    mistakes.push_back(fmt::format("input {} is missing: say -a {}=PATH ({})", input.name, input.name, input.type));
  }
  for (const spec::ParameterSpec& input : interface.input_parameters) {
    const auto gives_it = [&](const std::string& each) { return each.starts_with(input.name + "="); };
    if (input.optional || input.default_value || std::ranges::any_of(arguments.parameters, gives_it)) continue;
    mistakes.push_back(
        fmt::format("input {} is missing: say -a {}=VALUE ({})", input.name, input.name, to_string(input.type)));
  }
  if (mistakes.empty()) return arguments;
  for (std::string& mistake : mistakes) mistake = printable(mistake);
  return fail_with_hint(ErrorCode::invalid_input, join(mistakes, "\n"),
                        "`mlpipe component show` lists the inputs of a component");
}

std::string pipeline_around(const spec::ComponentSpec& component, const std::string& path,
                            const std::map<std::string, std::string>& artifacts) {
  const auto quoted = [](const std::string& text) { return to_json(Value(text)); };
  const std::string task = name_around(component);
  std::string parameters;
  std::string imports;
  std::string arguments;
  for (const spec::ParameterSpec& input : component.interface.input_parameters) {
    Value::Struct entry{{"type", to_string(input.type)}};
    if (input.default_value) {
      entry.emplace("default", *input.default_value);
    } else if (input.optional) {
      entry.emplace("optional", true);
    }
    parameters += fmt::format("  {}: {}\n", quoted(input.name), to_json(Value(std::move(entry))));
    arguments += fmt::format("      {}: \"${{{{ parameters['{}'] }}}}\"\n", quoted(input.name), input.name);
  }
  for (const spec::ArtifactSpec& input : component.interface.input_artifacts) {
    const auto given = artifacts.find(input.name);
    if (given == artifacts.end()) continue;
    const std::string importer = import_name(input.name, task);
    imports += fmt::format("  {}:\n    import: {{uri: {}, type: {}}}\n", quoted(importer),
                           quoted(literal(given->second)), input.type);
    arguments += fmt::format("      {}: \"${{{{ tasks['{}'].outputs.artifact }}}}\"\n", quoted(input.name), importer);
  }
  std::string text = fmt::format("# Made by `mlpipe component run`.\nname: {}\n", quoted(task));
  if (!parameters.empty()) text += "parameters:\n" + parameters;
  text += "tasks:\n" + imports + fmt::format("  {}:\n    component: {}\n", quoted(task), quoted(path));
  if (!arguments.empty()) text += "    arguments:\n" + arguments;
  return text;
}

ExitCode component_run(const ComponentRunCommand& command, const Console& console) {
  auto loaded = load_component(command.component, command.options.component_path);
  if (const ExitCode* code = std::get_if<ExitCode>(&loaded)) return *code;
  Result<ExitCode> code = run_loaded(command, std::get<LoadedComponent>(loaded), console);
  if (code) return *code;
  return report_error(console, code.error());
}

}  // namespace mlpipe::app
