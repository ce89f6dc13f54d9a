#include "app/list_runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/run_filter.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/known_names.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::MetricRow;
using metadata::RunRow;
using metadata::RunSelection;
using metadata::SelectedRun;

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

// "evaluate.test.rmse".
std::string full_name(const MetricRow& metric) {
  return fmt::format("{}.{}.{}", metric.task, metric.output, metric.name);
}

std::string table_of(const RunSelection& selection, const std::vector<SelectedRun>& runs, const Console& console) {
  std::vector<Column> columns{{"RUN"}, {"PIPELINE"}, {"STATE"}, {"STARTED"}, {"DURATION", Align::right}};
  const std::vector<std::string> metrics = metadata::asked_metrics(selection);
  for (const std::string& metric : metrics) columns.push_back({printable(metric), Align::right});
  columns.push_back({"CACHED", Align::right});
  columns.push_back({"TASKS"});
  TextTable table(std::move(columns));
  for (const SelectedRun& selected : runs) {
    const RunRow& run = selected.run;
    const auto duration = duration_of(run, console.clock.wall());
    std::vector<Cell> row{run.id, printable(run.pipeline), Cell(std::string(state_text(run)), style_of(run)),
                          to_local_time_text(run.created), duration ? duration_text(*duration) : "-"};
    for (std::size_t asked = 0; asked < metrics.size(); ++asked) {
      const MetricRow* metric = shown_metric(selection, selected, asked);
      row.emplace_back(metric == nullptr ? "-" : metric_text(metric->value));
    }
    row.emplace_back(run.cached > 0 ? std::to_string(run.cached) : "");
    row.emplace_back(tasks_text(run));
    table.add(std::move(row));
  }
  return table.render(console.color, 0, console.columns);
}

// A short name of a metric may mean several of a run: says so once for each name.
std::string remarks_on(const RunSelection& selection, const std::vector<SelectedRun>& runs) {
  std::string text;
  const std::vector<std::string> metrics = metadata::asked_metrics(selection);
  for (std::size_t asked = 0; asked < metrics.size(); ++asked) {
    const auto several = std::find_if(runs.begin(), runs.end(),
                                      [&](const SelectedRun& selected) { return selected.metrics[asked].size() > 1; });
    if (several == runs.end()) continue;
    std::vector<std::string> names;
    for (const MetricRow& metric : several->metrics[asked]) names.push_back(full_name(metric));
    text += printable(fmt::format("{} means several metrics of a run: {}; any of these names can be given",
                                  metrics[asked], join(names, ", ")));
    text += "\n";
  }
  return text;
}

void tell_unknown(std::string_view kind, const std::string& name, const std::vector<std::string>& known,
                  std::string& text) {
  if (std::ranges::find(known, name) != known.end()) return;
  const std::optional<std::string> near = closest(name, known);
  text +=
      printable(fmt::format("no run has a {} {}{}", kind, name, near ? fmt::format("; did you mean {}?", *near) : "")) +
      "\n";
}

// The names asked for that no run on record has. Only looked for when what was found gives reason to.
std::string unknown_names(const std::filesystem::path& root, const RunSelection& selection,
                          const std::vector<SelectedRun>& runs) {
  const std::vector<std::string> metrics = metadata::asked_metrics(selection);
  const auto has_all = [&](const SelectedRun& run) {
    return std::ranges::none_of(run.metrics, [](const std::vector<MetricRow>& rows) { return rows.empty(); });
  };
  if (std::ranges::any_of(runs, has_all)) return {};
  const Result<metadata::KnownNames> known = metadata::known_names(artifact::Root(root).database());
  if (!known) return {};  // there is no record: no run at all
  std::string text;
  for (const auto& [name, value] : selection.filter.parameters)
    tell_unknown("parameter", name, known->parameters, text);
  for (const auto& [name, value] : selection.filter.labels) tell_unknown("label", name, known->labels, text);
  for (const std::string& name : metrics) tell_unknown("metric", name, known->metrics, text);
  return text;
}

// Task, output and name to number, as in the answer of `mlpipe show`.
Value metrics_value(const SelectedRun& selected) {
  Value::Struct tasks;
  for (const std::vector<MetricRow>& rows : selected.metrics) {
    for (const MetricRow& row : rows) {
      Value& outputs = tasks.try_emplace(row.task, Value::Struct{}).first->second;
      Value& names = outputs.as_struct().try_emplace(row.output, Value::Struct{}).first->second;
      names.as_struct().insert_or_assign(row.name, row.value);
    }
  }
  return tasks;
}

Value answer_of(const std::filesystem::path& root, const RunSelection& selection, const std::vector<SelectedRun>& runs,
                bool more) {
  Value::List list;
  for (const SelectedRun& selected : runs) {
    Value::Struct value = value_of(selected.run, selection.now);
    if (!selected.metrics.empty()) value.emplace("metrics", metrics_value(selected));
    list.push_back(std::move(value));
  }
  return Value::Struct{{"root", root.string()}, {"runs", std::move(list)}, {"more", more}};
}

bool is_filtered(const metadata::RunFilter& filter) {
  return !filter.statuses.empty() || !filter.pipeline.empty() || !filter.experiment.empty() || filter.since ||
         !filter.parameters.empty() || !filter.labels.empty() || !filter.metrics.empty();
}

// A root that was named but is not there is a slip of the pen; one on which nothing ran yet has no runs.
bool is_empty_root(const std::filesystem::path& root, const RunsCommand& command, const Error& error) {
  return error.code == ErrorCode::not_found && (command.root.empty() || std::filesystem::is_directory(root));
}

// The runs that are wanted, and one more when there are more.
Result<std::vector<SelectedRun>> runs_of(const std::filesystem::path& root, const RunsCommand& command,
                                         RunSelection selection) {
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root);
  if (!queries) {
    if (is_empty_root(root, command, queries.error())) return std::vector<SelectedRun>();
    return Failure(queries.error());
  }
  if (selection.limit > 0) ++selection.limit;
  return (*queries)->select_runs(selection);
}

}  // namespace

ExitCode list_runs(const RunsCommand& command, const Console& console) {
  const Result<RunSelection> selection = selection_of(command, console.clock.wall());
  if (!selection) return report_error(console, selection.error());
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());

  Result<std::vector<SelectedRun>> runs = runs_of(*root, command, *selection);
  if (!runs) return report_error(console, runs.error());
  for (SelectedRun& selected : *runs) selected.run.root = root->string();  // where it is now: a root may be moved
  const bool more = selection->limit > 0 && runs->size() > selection->limit;
  if (more) runs->resize(selection->limit);

  const std::string unknown = unknown_names(*root, *selection, *runs);
  if (command.json) {
    console.err(unknown);
    console.out(to_pretty_json(answer_of(*root, *selection, *runs, more)));
    return ExitCode::succeeded;
  }
  console.err(unknown);
  if (runs->empty() && unknown.empty()) {
    const char* text =
        is_filtered(selection->filter)
            ? "no run on {} is like that; `mlpipe runs` lists all\n"
            : "no run was started on {} yet; `mlpipe run PIPELINE` starts one, --root names another root\n";
    console.err(fmt::format(fmt::runtime(text), root->string()));
  }
  if (runs->empty()) return ExitCode::succeeded;
  console.out(table_of(*selection, *runs, console));
  console.err(remarks_on(*selection, *runs));
  if (more && console.destination == Destination::terminal) console.err("there are more runs: --limit 0 shows all\n");
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
