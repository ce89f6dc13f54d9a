#include <fmt/format.h>

#include <algorithm>

#include "app/recorded_run.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::AttemptRow;
using metadata::RunRow;
using metadata::TaskRow;

std::string counts_text(const RunRow& run) {
  std::string text;
  for (const TaskState state :
       {TaskState::succeeded, TaskState::failed, TaskState::skipped, TaskState::cancelled, TaskState::running,
        TaskState::starting, TaskState::stopping, TaskState::retry_wait, TaskState::ready, TaskState::waiting}) {
    const std::size_t count = run.counts[static_cast<std::size_t>(state)];
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, engine::to_string(state));
    if (state == TaskState::succeeded && run.cached > 0) text += fmt::format(" ({} cached)", run.cached);
  }
  return text.empty() ? "none" : text;
}

std::string header_text(const RunRow& run, const Console& console) {
  TextTable table({{""}, {""}});
  const auto add = [&](const char* name, const std::string& text, Style style = Style::plain) {
    if (!text.empty()) table.add({Cell(name, Style::faint), Cell(printable(text), style)});
  };
  add("run", run.id, Style::strong);
  add("pipeline", run.spec_file.empty() ? run.pipeline : fmt::format("{} ({})", run.pipeline, run.spec_file));
  add("state", std::string(state_text(run)), style_of(run));
  const auto duration = duration_of(run, console.clock.wall());
  add("started", to_local_time_text(run.created));
  if (duration) add(run.finished ? "took" : "for", duration_text(*duration));
  add("tasks", counts_text(run));
  add("root", run.root);
  add("command", shown(run.command_line));
  add("engine", run.host.empty() ? run.engine : fmt::format("{} on {}", run.engine, run.host));
  if (!run.git_commit.empty()) add("commit", run.git_commit + (run.git_dirty ? ", with changes" : ""));
  std::string labels;
  for (const auto& [name, value] : run.labels)
    labels += fmt::format("{}{}={}", labels.empty() ? "" : ", ", name, value);
  add("labels", labels);
  add("experiment", run.experiment);
  add("note", run.note);
  const std::string replayed = run.options.text_or("replay_task", "");
  if (!run.options.text_or("replay_of", "").empty()) {
    add("replay", fmt::format("of {}{}", run.parent, replayed.empty() ? "" : ", task " + replayed));
  } else {
    add("goes on", run.parent.empty() ? "" : "from " + run.parent);
  }
  return table.render(console.color);
}

std::string tasks_text(const RunRow& run, const std::vector<TaskRow>& tasks, const Console& console) {
  TextTable table(
      {{"TASK"}, {"STATE"}, {"ATTEMPTS", Align::right}, {"DURATION", Align::right}, {"EXIT", Align::right}, {""}});
  for (const TaskRow& task : tasks) {
    const AttemptRow* last = task.attempts.empty() ? nullptr : &task.attempts.back();
    const auto duration = duration_of(run, task, console.clock.wall());
    std::string remark = task.reason;
    if (remark.empty() && last != nullptr) remark = last->message;
    if (remark.empty() && !task.cached_from.empty()) remark = "cached from run " + task.cached_from;
    if (task.removed) remark += remark.empty() ? "artifacts taken away" : ", artifacts taken away";
    table.add({printable(task.path), Cell(std::string(engine::to_string(task.state)), style_of(task.state)),
               last != nullptr ? std::to_string(task.attempts.size()) : "", duration ? duration_text(*duration) : "",
               last != nullptr && has_exit_code(task, *last) ? std::to_string(last->exit_code) : "",
               printable(remark)});
  }
  return table.render(console.color, 0, console.columns);
}

std::string failures_text(const RunRow& run, const std::vector<TaskRow>& tasks, std::string_view suffix,
                          const Console& console) {
  std::string text;
  for (const TaskRow& task : tasks) {
    if (task.state != TaskState::failed) continue;
    const AttemptRow* last = task.attempts.empty() ? nullptr : &task.attempts.back();
    const std::string& message = last != nullptr && !last->message.empty() ? last->message : task.reason;
    text += fmt::format("  {}: {}\n", styled(printable(task.path), Style::bad, console.color), printable(message));
    if (last == nullptr) continue;
    if (!last->hint.empty()) text += fmt::format("    hint: {}\n", printable(last->hint));
    if (task.image.empty()) continue;  // an import prints nothing
    text += fmt::format("    its log: mlpipe logs {} {}{}\n", run.id, shell_quoted(task.path), suffix);
  }
  return text;
}

std::string arguments_text(const RunRow& run, const Console& console) {
  TextTable table({{""}, {""}});
  for (const auto& [name, value] : run.arguments.as_struct()) table.add({printable(name), parameter_line(value)});
  return table.render(console.color, 2, console.columns);
}

// The pipeline's own: of an artifact its place.
std::string outputs_text(const Value& outputs, const Console& console) {
  TextTable table({{""}, {""}});
  for (const auto& [name, value] : outputs.as_struct()) {
    const std::string uri = value.text_or("uri", "");
    table.add({printable(name), uri.empty() ? parameter_line(value) : printable(uri)});
  }
  return table.render(console.color, 2);
}

std::string parameters_text(const std::vector<TaskRow>& tasks, const Console& console) {
  TextTable table({{""}, {""}});
  for (const TaskRow& task : tasks) {
    for (const auto& [name, value] : task.outputs.parameters) {
      table.add({printable(fmt::format("{}.{}", task.path, name)), parameter_line(value)});
    }
  }
  return table.render(console.color, 2, console.columns);
}

std::string artifacts_text(const std::vector<TaskRow>& tasks, const Console& console) {
  TextTable table({{""}, {""}, {"", Align::right}, {""}, {""}});
  for (const TaskRow& task : tasks) {
    for (const auto& [name, artifact] : task.outputs.artifacts) {
      table.add({printable(fmt::format("{}.{}", task.path, name)), printable(artifact.type), bytes_text(artifact.bytes),
                 Cell(short_digest(artifact.digest), Style::faint), printable(artifact.uri)});
    }
  }
  // URIs are there to be copied: never shortened.
  return table.render(console.color, 2);
}

std::vector<std::pair<std::string, Value::Struct>> all_metrics(const std::vector<TaskRow>& tasks) {
  std::vector<std::pair<std::string, Value::Struct>> all;
  for (const TaskRow& task : tasks) {
    for (const auto& [output, numbers] : metrics_of(task)) {
      all.emplace_back(printable(fmt::format("{}.{}", task.path, output)), numbers.as_struct());
    }
  }
  return all;
}

}  // namespace

std::string run_text(const RunRow& run, const std::vector<TaskRow>& tasks, const Value& outputs,
                     std::string_view suffix, const Console& console) {
  return header_text(run, console) + section("arguments", arguments_text(run, console), console) + "\n" +
         tasks_text(run, tasks, console) + section("failures", failures_text(run, tasks, suffix, console), console) +
         section("outputs", outputs_text(outputs, console), console) +
         section("output parameters", parameters_text(tasks, console), console) +
         section("artifacts", artifacts_text(tasks, console), console) +
         section("metrics", metrics_text(all_metrics(tasks), console), console);
}

}  // namespace mlpipe::app
