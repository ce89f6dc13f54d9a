#include <fmt/format.h>

#include <algorithm>

#include "app/compare_replay.hpp"
#include "app/recorded_run.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

constexpr std::size_t k_value_shown = 40;

Style style_of(ReplayResult result) {
  switch (result) {
    case ReplayResult::equal: return Style::good;
    case ReplayResult::differs: return Style::warning;
    case ReplayResult::failed: return Style::bad;
  }
  return Style::plain;
}

std::size_t count(const std::vector<ReplayedTask>& tasks, ReplayResult result) {
  return static_cast<std::size_t>(std::ranges::count(tasks, result, &ReplayedTask::result));
}

std::uint64_t bytes_of(const Value& artifact) { return static_cast<std::uint64_t>(artifact.integer_or("bytes", 0)); }

std::string artifact_remark(const OutputDifference& difference) {
  const auto& [name, before, now, by] = difference.values;
  if (!before) return "was not there before";
  if (!now) return "is not there now";
  std::string text = printable(difference.first_difference);
  if (text.empty()) {
    text = fmt::format("{} before, {} now", short_digest(before->text_or("digest", "")),
                       short_digest(now->text_or("digest", "")));
  }
  const std::string sizes = fmt::format("{} before, {} now", bytes_text(bytes_of(*before)), bytes_text(bytes_of(*now)));
  if (text == sizes) return text;
  return fmt::format("{} ({})", text, bytes_of(*before) == bytes_of(*now) ? bytes_text(bytes_of(*now)) : sizes);
}

std::string value_remark(const OutputDifference& difference) {
  const auto text = [&](const std::optional<Value>& value) -> std::string {
    if (!value) return "nothing";
    if (difference.kind == OutputDifference::Kind::metric && value->is_number()) return metric_text(value->as_double());
    return printable(shorten(parameter_line(*value), k_value_shown));
  };
  const std::string before = text(difference.values.a);
  const std::string now = text(difference.values.b);
  // Too near to each other for six digits.
  if (before == now && difference.values.by) {
    return fmt::format("{} before, by {:g} other now", before, difference.values.by->as_double());
  }
  return fmt::format("{} before, {} now", before, now);
}

std::string took_text(const std::optional<std::chrono::milliseconds>& took) { return took ? duration_text(*took) : ""; }

std::string remark_on(const ReplayedTask& task) {
  if (task.other_inputs.empty()) return printable(task.message);
  const std::string inputs = fmt::format("other input: {}", printable(join(task.other_inputs, ", ")));
  return task.message.empty() ? inputs : printable(task.message) + "; " + inputs;
}

std::string differences_text(const std::vector<ReplayedTask>& tasks, const Console& console) {
  TextTable table({{""}, {""}, {""}});
  for (const ReplayedTask& task : tasks) {
    for (const OutputDifference& one : task.outputs) {
      const bool is_artifact = one.kind == OutputDifference::Kind::artifact;
      table.add({printable(fmt::format("{}.{}", task.task, one.values.name)), std::string(to_string(one.kind)),
                 is_artifact ? artifact_remark(one) : value_remark(one)});
    }
  }
  return table.empty() ? "" : table.render(console.color, 2, console.columns);
}

std::string summary(const RecordedRun& original, const RecordedRun& replay, const std::vector<ReplayedTask>& tasks) {
  std::string counts;
  for (const ReplayResult result : {ReplayResult::equal, ReplayResult::differs, ReplayResult::failed}) {
    const std::size_t number = count(tasks, result);
    if (number == 0) continue;
    const bool one_differs = result == ReplayResult::differs && number != 1;
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", number, one_differs ? "differ" : to_string(result));
  }
  return fmt::format("{} {} of run {} replayed as {}: {}\n", tasks.size(), tasks.size() == 1 ? "task" : "tasks",
                     original.run.id, replay.run.id, counts.empty() ? "nothing to compare" : counts);
}

void add_milliseconds(Value::Struct& value, const char* name, const std::optional<std::chrono::milliseconds>& took) {
  if (took) value.emplace(name, std::int64_t{took->count()});
}

Value value_of(const OutputDifference& difference) {
  Value::Struct value{{"output", difference.values.name}, {"kind", to_string(difference.kind)}};
  if (difference.values.a) value.emplace("before", *difference.values.a);
  if (difference.values.b) value.emplace("now", *difference.values.b);
  if (difference.values.by) value.emplace("difference", *difference.values.by);
  if (!difference.first_difference.empty()) value.emplace("first_difference", difference.first_difference);
  return value;
}

Value value_of(const ReplayedTask& task) {
  Value::Struct value{{"task", task.task}, {"result", to_string(task.result)}};
  if (!task.message.empty()) value.emplace("message", task.message);
  if (!task.other_inputs.empty()) {
    value.emplace("other_inputs", Value::List(task.other_inputs.begin(), task.other_inputs.end()));
  }
  Value::List differences;
  for (const OutputDifference& one : task.outputs) differences.push_back(value_of(one));
  if (!differences.empty()) value.emplace("differences", std::move(differences));
  add_milliseconds(value, "duration_before_ms", task.took_before);
  add_milliseconds(value, "duration_ms", task.took);
  return value;
}

}  // namespace

std::string replay_text(const RecordedRun& original, const RecordedRun& replay, const std::vector<ReplayedTask>& tasks,
                        const Console& console) {
  TextTable table({{"TASK"}, {"RESULT"}, {"BEFORE", Align::right}, {"NOW", Align::right}, {""}});
  for (const ReplayedTask& task : tasks) {
    table.add({printable(task.task), Cell(std::string(to_string(task.result)), style_of(task.result)),
               took_text(task.took_before), took_text(task.took), remark_on(task)});
  }
  std::string text = table.empty() ? "" : table.render(console.color, 0, console.columns);
  text += section("differences", differences_text(tasks, console), console);
  return text + (tasks.empty() ? "" : "\n") + summary(original, replay, tasks);
}

Value replay_value(const RecordedRun& original, const RecordedRun& replay, const std::vector<ReplayedTask>& tasks,
                   const std::filesystem::path& root) {
  Value::List list;
  for (const ReplayedTask& task : tasks) list.push_back(value_of(task));
  Value::Struct counts{{"total", static_cast<std::int64_t>(tasks.size())}};
  for (const ReplayResult result : {ReplayResult::equal, ReplayResult::differs, ReplayResult::failed}) {
    if (const std::size_t number = count(tasks, result); number > 0)
      counts.emplace(to_string(result), static_cast<std::int64_t>(number));
  }
  return Value::Struct{{"run", original.run.id},
                       {"replay", replay.run.id},
                       {"root", root.string()},
                       {"state", state_text(replay.run)},
                       {"equal", count(tasks, ReplayResult::equal) == tasks.size()},
                       {"counts", std::move(counts)},
                       {"tasks", std::move(list)}};
}

}  // namespace mlpipe::app
