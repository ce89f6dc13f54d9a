#include "app/validate.hpp"

#include "app/pipeline_file.hpp"
#include "app/preflight.hpp"
#include "app/print.hpp"

namespace mlpipe::app {
namespace {

Value diagnostic_value(const spec::Diagnostic& diagnostic, const std::vector<spec::SourceFile>& sources) {
  Value::Struct entry{{"severity", diagnostic.severity == spec::Severity::error ? "error" : "warning"},
                      {"message", diagnostic.message}};
  if (diagnostic.where.line > 0) {
    entry.emplace("file", sources[diagnostic.where.file].name);
    entry.emplace("line", static_cast<std::int64_t>(diagnostic.where.line));
    entry.emplace("column", static_cast<std::int64_t>(diagnostic.where.column));
  }
  if (!diagnostic.hint.empty()) entry.emplace("hint", diagnostic.hint);
  return entry;
}

}  // namespace

ExitCode validate(const ValidateCommand& command) {
  Result<spec::ReadPipeline> read =
      spec::read_pipeline(command.pipeline, {.component_path = component_path(command.component_path)});
  if (!read && command.json) {
    // A reader of JSON gets JSON, also when there is no file to have places in.
    const spec::Diagnostic unread{.message = read.error().message, .hint = read.error().hint};
    print(to_pretty_json(Value::Struct{{"valid", false}, {"diagnostics", Value::List{diagnostic_value(unread, {})}}}));
    return ExitCode::usage;
  }
  if (!read) return report_error(read.error(), ExitCode::usage);
  bool good = read->spec && !spec::has_errors(read->diagnostics);
  if (good) {
    for (spec::Diagnostic& warning : warn_of_imports(*read->spec)) read->diagnostics.push_back(std::move(warning));
    spec::sort_by_place(read->diagnostics);
  }
  if (command.json) {
    Value::List diagnostics;
    for (const spec::Diagnostic& diagnostic : read->diagnostics) {
      diagnostics.push_back(diagnostic_value(diagnostic, read->sources));
    }
    Value::Struct answer{{"valid", good}, {"diagnostics", std::move(diagnostics)}};
    if (good) {
      answer.emplace("pipeline", read->spec->name);
      answer.emplace("tasks", static_cast<std::int64_t>(read->spec->root_dag().tasks.size()));
    }
    print(to_pretty_json(Value(std::move(answer))));
    return good ? ExitCode::succeeded : ExitCode::usage;
  }
  print_error(spec::render(read->diagnostics, read->sources));
  if (!good) {
    print_error("mlpipe: " + command.pipeline + ": " + count_text(read->diagnostics) + "\n");
    return ExitCode::usage;
  }
  std::size_t tasks = read->spec->root_dag().tasks.size();
  std::string warnings = read->diagnostics.empty() ? "" : ", " + count_text(read->diagnostics);
  print(fmt::format("{}: valid: pipeline \"{}\", {} task{}{}\n", command.pipeline, read->spec->name, tasks,
                    tasks == 1 ? "" : "s", warnings));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
