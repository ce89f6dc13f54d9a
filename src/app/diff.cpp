#include "app/diff.hpp"

#include <fmt/format.h>

#include <cmath>

#include "app/compare_runs.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

constexpr std::size_t k_value_shown = 60;

// "+12.5%", or nothing where a share says nothing.
std::string share_text(double by, double of) {
  if (of == 0 || !std::isfinite(by / of)) return "";
  const double percent = 100 * by / std::fabs(of);
  return std::fabs(percent) < 0.05 ? "" : fmt::format("({:+.1f}%)", percent);
}

using ToText = std::string (*)(const Value&);

std::string value_text(const Value& value) { return shorten(parameter_line(value), k_value_shown); }
std::string digest_text(const Value& value) {
  return value.is_string() ? short_digest(value.as_string()) : parameter_line(value);
}
std::string number_line(const Value& value) {
  return value.is_number() ? metric_text(value.as_double()) : value_text(value);
}
std::string milliseconds_text(const Value& value) {
  const std::int64_t count = value.as_integer();
  return (count < 0 ? "-" : "") + duration_text(std::chrono::milliseconds(std::abs(count)));
}
std::string artifact_text(const Value& value) {
  return fmt::format("{} {}", short_digest(value.text_or("digest", "")),
                     bytes_text(static_cast<std::uint64_t>(value.integer_or("bytes", 0))));
}

std::string section_of(const char* title, const std::vector<Difference>& differences, ToText to_text, Align align,
                       const Console& console) {
  TextTable table({{""}, {"", align}, {"", align}, {"", Align::right}, {"", Align::right}});
  const auto side = [&](const std::optional<Value>& value) {
    return value ? Cell(printable(to_text(*value))) : Cell("-", Style::faint);
  };
  for (const Difference& one : differences) {
    std::string by;
    std::string share;
    if (one.by) {
      by = to_text(*one.by);
      if (one.by->as_double() > 0) by.insert(0, "+");
      share = share_text(one.by->as_double(), one.a->as_double());
    }
    table.add({printable(one.name), side(one.a), side(one.b), by, share});
  }
  return section(title, table.render(console.color, 2, console.columns), console);
}

std::string header_text(const RecordedRun& a, const RecordedRun& b, const Console& console) {
  TextTable table({{""}, {""}, {""}, {""}, {"", Align::right}});
  for (const auto& [letter, recorded] : {std::pair("a", &a), std::pair("b", &b)}) {
    const metadata::RunRow& run = recorded->run;
    const auto duration = duration_of(run, console.clock.wall());
    table.add({Cell(letter, Style::faint), Cell(run.id, Style::strong),
               Cell(std::string(state_text(run)), style_of(run)), to_local_time_text(run.created),
               duration ? duration_text(*duration) : "-"});
  }
  return table.render(console.color);
}

std::string text_of(const RecordedRun& a, const RecordedRun& b, const RunDifferences& found, const Console& console) {
  std::string text = header_text(a, b, console);
  if (found.is_same()) text += "\nThey differ in nothing but how long they took.\n";
  text += section_of("made with", found.made_with, digest_text, Align::left, console);
  text += section_of("parameters", found.parameters, value_text, Align::left, console);
  text += section_of("images", found.images, digest_text, Align::left, console);
  text += section_of("tasks", found.tasks, value_text, Align::left, console);
  text += section_of("inputs left to their defaults", found.inputs, number_line, Align::left, console);
  text += section_of("metrics", found.metrics, number_line, Align::right, console);
  text += section_of("output parameters", found.outputs, number_line, Align::left, console);
  text += section_of("artifacts", found.artifacts, artifact_text, Align::left, console);
  return text + section_of("durations", found.durations, milliseconds_text, Align::right, console);
}

Value sides_of(const std::vector<Difference>& differences) {
  Value::Struct values;
  for (const Difference& one : differences) {
    Value::Struct sides;
    if (one.a) sides.emplace("a", *one.a);
    if (one.b) sides.emplace("b", *one.b);
    if (one.by) sides.emplace("difference", *one.by);
    values.emplace(one.name, std::move(sides));
  }
  return values;
}

Value answer_of(const RecordedRun& a, const RecordedRun& b, const RunDifferences& found, WallTime now) {
  return Value::Struct{{"a", value_of(a.run, now)},
                       {"b", value_of(b.run, now)},
                       {"same", found.is_same()},
                       {"made_with", sides_of(found.made_with)},
                       {"parameters", sides_of(found.parameters)},
                       {"images", sides_of(found.images)},
                       {"tasks", sides_of(found.tasks)},
                       {"inputs", sides_of(found.inputs)},
                       {"metrics", sides_of(found.metrics)},
                       {"outputs", sides_of(found.outputs)},
                       {"artifacts", sides_of(found.artifacts)},
                       {"durations_ms", sides_of(found.durations)}};
}

}  // namespace

ExitCode diff(const DiffCommand& command, const Console& console) {
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  Result<RecordedRun> a = read_run(**queries, command.a);
  if (!a) return report_error(console, a.error());
  Result<RecordedRun> b = read_run(**queries, command.b);
  if (!b) return report_error(console, b.error());
  for (RecordedRun* recorded : {&*a, &*b}) recorded->run.root = root->string();  // where it is now
  const WallTime now = console.clock.wall();
  const RunDifferences found = compare_runs(*a, *b, now);
  console.out(command.json ? to_pretty_json(answer_of(*a, *b, found, now)) : text_of(*a, *b, found, console));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
