#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/recorded_run.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using metadata::AttemptRow;
using metadata::EventRow;
using metadata::RunRow;
using metadata::TaskRow;

constexpr std::size_t k_digest_shown = 12;
constexpr std::size_t k_value_shown = 200;

std::filesystem::path folder_of(const RunRow& run, const TaskRow& task) {
  return artifact::TaskTree(artifact::Root(run.root).run(run.id), task.path).path();
}

std::string header_text(const RunRow& run, const TaskRow& task, const Console& console) {
  TextTable table({{""}, {""}});
  const auto add = [&](const char* name, const std::string& text, Style style = Style::plain) {
    if (!text.empty()) table.add({Cell(name, Style::faint), Cell(printable(text), style)});
  };
  add("task", task.path, Style::strong);
  add("run", run.id);
  add("state", std::string(engine::to_string(task.state)), style_of(task.state));
  add("reason", task.reason);
  add("cached from", task.cached_from);
  add("artifacts", task.removed ? "taken away (keep: false)" : "");
  add("component", task.component);
  add("image", task.image);
  add("image id", task.image_id);
  add("digest", task.image_digest);
  add("folder", folder_of(run, task).string());
  return table.render(console.color);
}

// How an attempt ended, in words; the record's own are for programs.
std::string state_words(const TaskRow& task, const AttemptRow& attempt) {
  const std::string code = has_exit_code(task, attempt) ? fmt::format("exit code {}", attempt.exit_code) : "";
  if (attempt.state == "user_exit") return code.empty() ? "failed" : code;
  std::string words = attempt.state;
  if (words == "infrastructure") words = "the container engine failed";
  if (words == "not_startable") words = "could not be started";
  if (words == "lost") words = "its container was lost";
  if (words == "signalled") words = "ended by a signal";
  std::ranges::replace(words, '_', ' ');
  return words + (code.empty() ? "" : ", " + code);
}

std::string attempts_text(const RunRow& run, const TaskRow& task, const Console& console) {
  std::string text;
  for (const AttemptRow& attempt : task.attempts) {
    const auto duration = duration_of(run, attempt, console.clock.wall());
    text += fmt::format("  {}  {}", attempt.number, state_words(task, attempt));
    if (attempt.started) text += ", started " + to_local_time_text(*attempt.started);
    if (duration) text += (attempt.finished ? ", took " : ", for ") + duration_text(*duration);
    if (attempt.started && attempt.running) {
      text += fmt::format(", {} of it to start", duration_text(*attempt.running - *attempt.started));
    }
    text += fmt::format("\n     container {}\n", attempt.container);
    if (!attempt.why.empty()) text += fmt::format("     not from the cache: {}\n", printable(attempt.why));
    if (attempt.oom_killed) text += "     a process in it met the kernel's OOM killer\n";
    if (!attempt.message.empty()) text += fmt::format("     {}\n", printable(attempt.message));
    if (!attempt.hint.empty()) text += fmt::format("     hint: {}\n", printable(attempt.hint));
    if (task.image.empty()) continue;  // an import prints nothing
    text +=
        fmt::format("     log {}\n",
                    artifact::TaskTree(artifact::Root(run.root).run(run.id), task.path).log(attempt.number).string());
  }
  return text;
}

std::string when_text(std::chrono::milliseconds delay) {
  return delay.count() <= 0 ? "at once" : "in " + duration_text(delay);
}

std::string data_text(const engine::TaskData& data, const Console& console) {
  TextTable parameters({{""}, {""}, {""}});
  for (const auto& [name, value] : data.parameters) {
    const char* origin = data.defaults.contains(name) ? "(default)" : "";
    parameters.add({printable(name), parameter_line(value), Cell(origin, Style::faint)});
  }
  std::string text = parameters.render(console.color, 2, console.columns);
  for (const auto& [name, artifact] : data.artifacts) {
    text += fmt::format("  {}  {}{}, {}\n", printable(name), printable(artifact.type),
                        artifact.is_folder ? " (folder)" : "", bytes_text(artifact.bytes));
    text += fmt::format("    {}\n", printable(artifact.uri));
    if (!artifact.digest.empty()) text += fmt::format("    {}\n", printable(artifact.digest));
    if (artifact.metadata.is_struct() && !artifact.metadata.as_struct().empty()) {
      text += fmt::format("    metadata {}\n", shorten(printable(to_json(artifact.metadata)), k_value_shown));
    }
  }
  return text;
}

std::string history_text(const std::vector<EventRow>& events, const Console& console) {
  TextTable table({{""}, {"", Align::right}, {""}, {""}, {""}});
  const std::optional<WallTime> begin = events.empty() ? std::nullopt : std::optional(events.front().at);
  for (const EventRow& event : events) {
    std::string remark = event.reason;
    if (event.retry_in)
      remark += fmt::format("{}tried again {}", remark.empty() ? "" : "; ", when_text(*event.retry_in));
    const auto since = std::max(std::chrono::milliseconds(0), event.at - *begin);
    table.add({to_local_clock_text(event.at), "+" + duration_text(since), event.to,
               event.attempt > 0 ? fmt::format("attempt {}", event.attempt) : "", printable(remark)});
  }
  return table.render(console.color, 2, console.columns);
}

// Pads on the right, so that numbers aligned to the right have their points below each other.
void align_points(std::vector<std::string>& numbers) {
  const auto after_point = [](const std::string& text) {
    const std::size_t point = text.find('.');
    return point == std::string::npos ? 0 : text.size() - point;
  };
  std::size_t longest = 0;
  for (const std::string& text : numbers) longest = std::max(longest, after_point(text));
  for (std::string& text : numbers) text.append(longest - after_point(text), ' ');
}

bool same_names(const Value::Struct& one, const Value::Struct& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const auto& left, const auto& right) { return left.first == right.first; });
}

}  // namespace

std::string section(std::string_view title, std::string_view body, const Console& console) {
  return body.empty() ? "" : fmt::format("\n{}\n{}", styled(title, Style::strong, console.color), body);
}

std::string parameter_line(const Value& value) { return shown(parameter_text(value)); }

std::string shown(std::string_view text) {
  const std::string whole = printable(text);
  std::string cut = shorten(whole, k_value_shown);
  if (cut.size() >= whole.size()) return cut;
  return fmt::format("{} ({} in all; whole with --json)", cut, bytes_text(text.size()));
}

std::string short_digest(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return colon == std::string::npos ? digest : digest.substr(0, colon + 1 + k_digest_shown);
}

std::string metric_text(double number) {
  if (std::floor(number) == number && std::fabs(number) < 1e15) return fmt::format("{:.0f}", number);
  return fmt::format("{:.6g}", number);
}

std::string metrics_text(const std::vector<std::pair<std::string, Value::Struct>>& metrics, const Console& console) {
  std::string text;
  std::vector<bool> done(metrics.size(), false);
  for (std::size_t first = 0; first < metrics.size(); ++first) {
    if (done[first]) continue;
    std::vector<std::size_t> group;
    for (std::size_t other = first; other < metrics.size(); ++other) {
      if (!done[other] && same_names(metrics[first].second, metrics[other].second)) group.push_back(other);
    }
    std::vector<Column> columns{{""}};
    std::vector<std::vector<Cell>> rows;
    for (const std::size_t member : group) {
      done[member] = true;
      rows.push_back({metrics[member].first});
    }
    for (const auto& [name, ignored] : metrics[first].second) {
      columns.push_back({printable(name), Align::right});
      std::vector<std::string> numbers;
      for (const std::size_t member : group)
        numbers.push_back(metric_text(metrics[member].second.at(name).as_double()));
      align_points(numbers);
      for (std::size_t row = 0; row < group.size(); ++row) rows[row].emplace_back(std::move(numbers[row]));
    }
    TextTable table(std::move(columns));
    for (std::vector<Cell>& row : rows) table.add(std::move(row));
    text += table.render(console.color, 2);
  }
  return text;
}

std::string task_text(const RunRow& run, const TaskRow& task, const std::vector<EventRow>& events,
                      const Console& console) {
  std::vector<std::pair<std::string, Value::Struct>> metrics;
  for (const auto& [output, numbers] : metrics_of(task)) metrics.emplace_back(printable(output), numbers.as_struct());
  return header_text(run, task, console) + section("attempts", attempts_text(run, task, console), console) +
         section("inputs", data_text(task.inputs, console), console) +
         section("outputs", data_text(task.outputs, console), console) +
         section("metrics", metrics_text(metrics, console), console) +
         section("history", history_text(events, console), console);
}

}  // namespace mlpipe::app
