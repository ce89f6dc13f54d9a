#include "app/show.hpp"

#include "app/manifest.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/show_text.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using metadata::RunRow;
using metadata::TaskRow;

// The pipeline's own: only run.json has them, once the run has ended.
Value outputs_of(const RunRow& run) {
  const Result<Value> manifest = load_manifest(artifact::Root(run.root).run(run.id));
  const Value* outputs = manifest ? manifest->find("outputs") : nullptr;
  return outputs != nullptr && outputs->is_struct() ? *outputs : Value(Value::Struct{});
}

Value answer_of(const RunRow& run, const std::vector<TaskRow>& tasks, Value outputs, WallTime now) {
  Value::Struct answer = value_of(run, now);
  answer.emplace("outputs", std::move(outputs));
  Value::List list;
  Value::Struct metrics;
  for (const TaskRow& task : tasks) {
    list.push_back(value_of(run, task, now));
    if (Value::Struct of_task = metrics_of(task); !of_task.empty()) metrics.emplace(task.path, std::move(of_task));
  }
  answer.emplace("tasks", std::move(list));
  answer.emplace("metrics", std::move(metrics));
  return answer;
}

Value answer_of(const RunRow& run, const TaskRow& task, const std::vector<metadata::EventRow>& events, WallTime now) {
  Value::Struct answer = value_of(run, task, now);
  answer.emplace("run", run.id);
  Value::List list;
  for (const metadata::EventRow& event : events) list.push_back(value_of(event));
  answer.emplace("events", std::move(list));
  return answer;
}

ExitCode show_task(metadata::Queries& queries, const RunRow& run, const TaskRow& task, const ShowCommand& command,
                   const Console& console) {
  const Result<std::vector<metadata::EventRow>> events = queries.events(run.id, task.path, 0);
  if (!events) return report_error(console, events.error());
  console.out(command.json ? to_pretty_json(answer_of(run, task, *events, console.clock.wall()))
                           : task_text(run, task, *events, console));
  return ExitCode::succeeded;
}

}  // namespace

ExitCode show(const ShowCommand& command, const Console& console) {
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  Result<RunRow> run = (*queries)->find_run(command.run);
  if (!run) return report_error(console, run.error());
  run->root = root->string();  // where it is now: a root may be moved
  const Result<std::vector<TaskRow>> tasks = (*queries)->tasks(run->id);
  if (!tasks) return report_error(console, tasks.error());

  if (!command.task.empty()) {
    const Result<const TaskRow*> task = find_task(*run, *tasks, command.task);
    if (!task) return report_error(console, task.error());
    return show_task(**queries, *run, **task, command, console);
  }
  const std::string suffix = command.root.empty() ? "" : " --root " + shell_quoted(command.root);
  Value outputs = outputs_of(*run);
  console.out(command.json ? to_pretty_json(answer_of(*run, *tasks, std::move(outputs), console.clock.wall()))
                           : run_text(*run, *tasks, outputs, suffix, console));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
