#include "app/dry_run.hpp"

#include <algorithm>

#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/runner/images.hpp"

namespace mlpipe::app {
namespace {

using engine::Outlook;
using std::chrono::milliseconds;

constexpr Outlook k_outlooks[] = {Outlook::run,   Outlook::depends, Outlook::cached, Outlook::import,
                                  Outlook::go_on, Outlook::done,    Outlook::skip,   Outlook::fail};

// Tasks by the earliest wave they can be in: all of a wave can run at once, given room.
std::vector<std::vector<plan::TaskId>> waves(const plan::Plan& plan) {
  std::vector<std::uint32_t> wave_of(plan.size(), 0);
  std::vector<std::vector<plan::TaskId>> result;
  for (plan::TaskId id : plan.order()) {
    std::uint32_t wave = 0;
    for (plan::TaskId need : plan.needs(id)) wave = std::max(wave, wave_of[plan::index(need)] + 1);
    wave_of[plan::index(id)] = wave;
    if (result.size() <= wave) result.resize(wave + 1);
    result[wave].push_back(id);
  }
  return result;
}

std::string image_text(const plan::Plan& plan, plan::TaskId task) {
  if (plan.component(task).is_importer()) return "import";
  const spec::ContainerSpec* container = plan.component(task).container();
  if (container == nullptr) return "pipeline";
  if (!container->build_context.empty()) return "build " + container->build_context.string();
  return runner::image_reference(plan, task);
}

// For the table: of a build folder its name will do.
std::string short_image_text(const plan::Plan& plan, plan::TaskId task) {
  if (plan.component(task).is_importer()) return "";
  const spec::ContainerSpec* container = plan.component(task).container();
  if (container == nullptr || container->build_context.empty()) return image_text(plan, task);
  std::filesystem::path folder = container->build_context.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  return "build " + folder.filename().string();
}

std::string_view word_of(Outlook outlook) { return outlook == Outlook::go_on ? "go on" : engine::to_string(outlook); }

Style style_of(Outlook outlook) {
  switch (outlook) {
    case Outlook::run:
    case Outlook::go_on: return Style::active;
    case Outlook::depends: return Style::warning;
    case Outlook::cached:
    case Outlook::done: return Style::good;
    case Outlook::fail: return Style::bad;
    case Outlook::import: return Style::plain;
    case Outlook::skip: return Style::faint;
  }
  return Style::plain;
}

// What was measured now and then is no promise to the millisecond.
std::string about_text(milliseconds time) {
  using namespace std::chrono_literals;
  if (time < 10s) return duration_text(time);
  const auto seconds = std::chrono::round<std::chrono::seconds>(time);
  return seconds < 60s ? fmt::format("{} s", seconds.count()) : duration_text(seconds);
}

std::string counts_text(const plan::Plan& plan, const Forecast& forecast) {
  const auto is_left_out = [&plan](plan::TaskId task) { return !plan.selected(task); };
  const auto left_out = static_cast<std::size_t>(std::ranges::count_if(plan.order(), is_left_out));
  std::vector<std::string> parts;
  for (const Outlook outlook : k_outlooks) {
    const std::size_t count = forecast.count(outlook) - (outlook == Outlook::skip ? left_out : 0);
    if (count == 0) continue;
    switch (outlook) {
      case Outlook::run: parts.push_back(fmt::format("{} to run", count)); break;
      case Outlook::depends: parts.push_back(fmt::format("{} that depend{}", count, count == 1 ? "s" : "")); break;
      case Outlook::import: parts.push_back(fmt::format("{} import{}", count, count == 1 ? "" : "s")); break;
      case Outlook::go_on: parts.push_back(fmt::format("{} to go on", count)); break;
      case Outlook::skip: parts.push_back(fmt::format("{} skipped", count)); break;
      case Outlook::fail: parts.push_back(fmt::format("{} that would fail", count)); break;
      default: parts.push_back(fmt::format("{} {}", count, word_of(outlook)));
    }
  }
  if (left_out > 0) parts.push_back(fmt::format("{} left out", left_out));
  return parts.empty() ? "nothing to do" : join(parts, ", ");
}

// "at least 3 ms" tells nobody anything when most is unknown.
constexpr milliseconds k_worth_telling{100};

std::string time_text(const Forecast& forecast) {
  if (forecast.never_seen > 0) {
    const std::string unknown =
        forecast.never_seen == 1 ? "1 task has never run" : fmt::format("{} tasks have never run", forecast.never_seen);
    if (forecast.least < k_worth_telling) return "nobody knows how long: " + unknown;
    return fmt::format("at least {}: {}", about_text(forecast.least), unknown);
  }
  if (forecast.least == forecast.most) return "about " + about_text(forecast.most);
  return fmt::format("about {}, {} if all that depends is cached", about_text(forecast.most),
                     about_text(forecast.least));
}

bool is_worth_marking(const Forecast& forecast) {
  const auto may_run = [](const TaskForecast& task) { return engine::may_run(task.foresight.outlook); };
  return forecast.critical_path.size() > 1 &&
         forecast.critical_path.size() < static_cast<std::size_t>(std::ranges::count_if(forecast.tasks, may_run));
}

bool is_worth_a_line(const plan::Plan& plan, plan::TaskId task, Outlook outlook) {
  return plan.selected(task) && outlook != Outlook::done;
}

TextTable table_of(const plan::Plan& plan, const Forecast& forecast) {
  const bool marks = is_worth_marking(forecast);
  TextTable table({{""}, {"TASK"}, {"OUTLOOK"}, {"USUALLY", Align::right}, {"IMAGE"}, {"WHY"}});
  for (const std::vector<plan::TaskId>& wave : waves(plan)) {
    for (plan::TaskId task : wave) {
      const TaskForecast& known = forecast.tasks[plan::index(task)];
      const Outlook outlook = known.foresight.outlook;
      if (!is_worth_a_line(plan, task, outlook)) continue;
      table.add({marks && known.critical ? "*" : "",
                 printable(plan.task(task).path()),
                 {std::string(word_of(outlook)), style_of(outlook)},
                 known.takes ? about_text(*known.takes) : "",
                 printable(short_image_text(plan, task)),
                 {printable(known.foresight.reason), Style::faint}});
    }
  }
  return table;
}

Value::Struct resources_value(const spec::Resources& asked) {
  Value::Struct resources;
  if (asked.cpu > 0) resources.emplace("cpu", asked.cpu);
  if (asked.memory > 0) resources.emplace("memory", static_cast<std::int64_t>(asked.memory));
  if (asked.gpu > 0) resources.emplace("gpu", asked.gpu);
  return resources;
}

Value::List names_of(const plan::Plan& plan, std::span<const plan::TaskId> tasks) {
  Value::List names;
  for (plan::TaskId task : tasks) names.emplace_back(plan.task(task).path());
  return names;
}

Value task_value(const plan::Plan& plan, plan::TaskId id, std::size_t wave, const TaskForecast& known) {
  const spec::TaskSpec& task = *plan.task(id).spec;
  const engine::Foresight& foresight = known.foresight;
  Value::Struct value{{"task", plan.task(id).path()},
                      {"action", engine::to_string(foresight.outlook)},
                      {"wave", static_cast<std::int64_t>(wave + 1)},
                      {"component", plan.component(id).name},
                      {"image", image_text(plan, id)},
                      {"needs", names_of(plan, plan.needs(id))},
                      {"attempts", task.settings->retry.limit + 1},
                      {"resources", resources_value(task.settings->resources)}};
  if (!foresight.reason.empty()) value.emplace("reason", foresight.reason);
  if (task.when) value.emplace("when", task.when->text());
  if (foresight.outlook == Outlook::depends) value.emplace("depends_on", names_of(plan, foresight.depends_on));
  if (!foresight.answer.fingerprint.empty()) value.emplace("fingerprint", foresight.answer.fingerprint);
  if (foresight.outlook == Outlook::cached) {
    value.emplace("cached_from", foresight.answer.from_run);
    value.emplace("made", to_rfc3339(foresight.answer.made));
    if (foresight.answer.removed) value.emplace("removed", true);
  }
  if (!known.compared_with.empty()) {
    value.emplace("compared_with", known.compared_with);
    value.emplace("changes", Value::List(known.changes.begin(), known.changes.end()));
  }
  if (known.takes) value.emplace("expected_ms", std::int64_t{known.takes->count()});
  if (known.critical) value.emplace("critical", true);
  return value;
}

}  // namespace

std::string forecast_text(const RunInMind& run, const Forecast& forecast, const Console& console) {
  const plan::Plan& plan = run.prepared.plan;
  std::string text;
  for (const std::string& note : forecast.notes) text += fmt::format("note: {}\n", printable(note));
  text += fmt::format("{}: nothing is run; {} at once at most\n", printable(plan.spec().name),
                      run.prepared.limits.max_parallel);
  if (!run.recovered.empty()) {
    text += fmt::format("  goes on with run {}\n", run.run_id);
  } else if (!run.command.parent.empty()) {
    text += fmt::format("  a new run that goes on from run {}\n", run.command.parent);
  }
  for (const auto& [name, value] : plan.arguments()) {
    text += fmt::format("  parameter {} = {}\n", name, printable(parameter_text(value)));
  }
  const TextTable table = table_of(plan, forecast);
  if (!table.empty()) text += table.render(console.color, 2, console.columns);
  const bool anything = std::ranges::any_of(
      forecast.tasks, [](const TaskForecast& task) { return engine::may_run(task.foresight.outlook); });
  text += counts_text(plan, forecast) + (anything ? "; " + time_text(forecast) : "") +
          (is_worth_marking(forecast) ? " (*: the critical path)" : "") + "\n";
  return text;
}

Value forecast_value(const RunInMind& run, const Forecast& forecast) {
  const plan::Plan& plan = run.prepared.plan;
  const std::vector<std::vector<plan::TaskId>> all = waves(plan);
  Value::List tasks;
  for (std::size_t wave = 0; wave < all.size(); ++wave) {
    for (plan::TaskId id : all[wave]) tasks.push_back(task_value(plan, id, wave, forecast.tasks[plan::index(id)]));
  }
  Value::Struct counts;
  for (const Outlook outlook : k_outlooks) {
    if (const std::size_t count = forecast.count(outlook); count > 0) {
      counts.emplace(engine::to_string(outlook), static_cast<std::int64_t>(count));
    }
  }
  Value::Struct value{{"pipeline", plan.spec().name},
                      {"arguments", Value(plan.arguments())},
                      {"jobs", run.prepared.limits.max_parallel},
                      {"tasks", std::move(tasks)},
                      {"counts", std::move(counts)},
                      {"critical_path", names_of(plan, forecast.critical_path)},
                      {"estimate", Value::Struct{{"least_ms", std::int64_t{forecast.least.count()}},
                                                 {"most_ms", std::int64_t{forecast.most.count()}},
                                                 {"never_run", static_cast<std::int64_t>(forecast.never_seen)}}},
                      {"notes", Value::List(forecast.notes.begin(), forecast.notes.end())}};
  if (!run.recovered.empty()) value.emplace("resumes", run.run_id);
  if (!run.command.parent.empty()) value.emplace("parent", run.command.parent);
  return value;
}

ExitCode dry_run(const RunInMind& run, const Interruption& interruption, const Console& console) {
  const Result<Forecast> foreseen = forecast(run);
  if (!foreseen && foreseen.error().code == ErrorCode::cancelled) {
    return exit_code_of_run(engine::RunState::cancelled, interruption.signal());
  }
  if (!foreseen) return report_error(console, foreseen.error());
  console.out(run.command.json ? to_pretty_json(forecast_value(run, *foreseen))
                               : forecast_text(run, *foreseen, console));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
