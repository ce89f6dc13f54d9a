#include "app/list_runs.hpp"

#include <fmt/format.h>

#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::RunRow;

// "20 of 20", "3 of 20, 1 failed, 4 skipped".
std::string tasks_text(const RunRow& run) {
  const auto count = [&](TaskState state) { return run.counts[static_cast<std::size_t>(state)]; };
  std::string text = fmt::format("{} of {}", count(TaskState::succeeded), run.tasks);
  const std::size_t active = count(TaskState::starting) + count(TaskState::running) + count(TaskState::stopping);
  if (active > 0) text += fmt::format(", {} {}", active, run.interrupted ? "left behind" : "running");
  for (const TaskState state : {TaskState::retry_wait, TaskState::failed, TaskState::skipped, TaskState::cancelled}) {
    const std::string_view word = state == TaskState::retry_wait ? "to retry" : engine::to_string(state);
    if (count(state) > 0) text += fmt::format(", {} {}", count(state), word);
  }
  return text;
}

std::string table_of(const std::vector<RunRow>& runs, const Console& console) {
  TextTable table({{"RUN"}, {"PIPELINE"}, {"STATE"}, {"STARTED"}, {"DURATION", Align::right}, {"TASKS"}});
  for (const RunRow& run : runs) {
    const auto duration = duration_of(run, console.clock.wall());
    table.add({run.id, printable(run.pipeline), Cell(std::string(state_text(run)), style_of(run)),
               to_local_time_text(run.created), duration ? duration_text(*duration) : "-", tasks_text(run)});
  }
  return table.render(console.color, 0, console.columns);
}

Value answer_of(const std::filesystem::path& root, const std::vector<RunRow>& runs, bool more, WallTime now) {
  Value::List list;
  for (const RunRow& run : runs) list.push_back(value_of(run, now));
  return Value::Struct{{"root", root.string()}, {"runs", std::move(list)}, {"more", more}};
}

// A root that was named but is not there is a slip of the pen; one on which nothing ran yet has no runs.
bool is_empty_root(const std::filesystem::path& root, const RunsCommand& command, const Error& error) {
  return error.code == ErrorCode::not_found && (command.root.empty() || std::filesystem::is_directory(root));
}

}  // namespace

ExitCode list_runs(const RunsCommand& command, const Console& console) {
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());

  Result<std::vector<RunRow>> runs;
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  const auto limit = static_cast<std::size_t>(command.limit);
  if (queries)
    runs = (*queries)->runs(limit == 0 ? 0 : limit + 1);
  else if (!is_empty_root(*root, command, queries.error()))
    return report_error(console, queries.error());
  if (!runs) return report_error(console, runs.error());
  for (RunRow& run : *runs) run.root = root->string();  // where it is now: a root may be moved
  const bool more = limit > 0 && runs->size() > limit;
  if (more) runs->resize(limit);

  if (command.json) {
    console.out(to_pretty_json(answer_of(*root, *runs, more, console.clock.wall())));
    return ExitCode::succeeded;
  }
  if (runs->empty()) {
    console.err(fmt::format(
        "no run was started on {} yet; `mlpipe run PIPELINE` starts one, --root names another root\n", root->string()));
    return ExitCode::succeeded;
  }
  console.out(table_of(*runs, console));
  if (more && console.destination == Destination::terminal) console.err("there are older runs: --limit 0 shows all\n");
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
