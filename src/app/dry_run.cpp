#include "app/dry_run.hpp"

#include <algorithm>

#include "app/print.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

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

std::string image_text(const spec::ComponentSpec& component) {
  if (component.is_importer()) return "import";
  const spec::ContainerSpec* container = component.container();
  if (container == nullptr) return "pipeline";
  if (!container->build_context.empty()) return "build " + container->build_context.string();
  std::string text;
  for (const auto& part : container->image.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      text += *literal;
    } else {
      text += "${{ " + std::get<spec::Expression>(part).text() + " }}";
    }
  }
  return text;
}

std::string resources_text(const spec::Resources& resources) {
  std::string text;
  auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (resources.cpu > 0) add("cpu " + number_text(resources.cpu));
  if (resources.memory > 0) add("memory " + bytes_text(resources.memory));
  if (resources.gpu > 0) add("gpu " + std::to_string(resources.gpu));
  return text;
}

Value task_value(const plan::Plan& plan, plan::TaskId id, std::size_t wave) {
  const spec::TaskSpec& task = *plan.task(id).spec;
  Value::List needs;
  for (plan::TaskId need : plan.needs(id)) needs.emplace_back(plan.task(need).path());
  Value::Struct resources;
  if (task.settings->resources.cpu > 0) resources.emplace("cpu", task.settings->resources.cpu);
  if (task.settings->resources.memory > 0) resources.emplace("memory", task.settings->resources.memory);
  if (task.settings->resources.gpu > 0) resources.emplace("gpu", task.settings->resources.gpu);
  return Value::Struct{{"task", plan.task(id).path()},
                       {"action", plan.selected(id) ? "run" : "skip"},
                       {"wave", static_cast<std::int64_t>(wave + 1)},
                       {"component", plan.component(id).name},
                       {"image", image_text(plan.component(id))},
                       {"needs", std::move(needs)},
                       {"attempts", task.settings->retry.limit + 1},
                       {"resources", std::move(resources)}};
}

}  // namespace

ExitCode dry_run(const plan::Plan& plan, const engine::Limits& limits, const RunCommand& command) {
  const std::vector<std::vector<plan::TaskId>> all = waves(plan);
  if (command.json) {
    Value::List tasks;
    for (std::size_t wave = 0; wave < all.size(); ++wave) {
      for (plan::TaskId id : all[wave]) tasks.push_back(task_value(plan, id, wave));
    }
    print(to_pretty_json(Value::Struct{{"pipeline", plan.spec().name},
                                       {"arguments", Value(plan.arguments())},
                                       {"jobs", limits.max_parallel},
                                       {"tasks", std::move(tasks)}}));
    return ExitCode::succeeded;
  }
  std::size_t chosen = 0;
  std::size_t width = 4;
  for (plan::TaskId id : plan.order()) {
    if (!plan.selected(id)) continue;
    ++chosen;
    width = std::max(width, plan.task(id).path().size());
  }
  std::string text = fmt::format("{}: {} task{} would run, {} at once at most\n", plan.spec().name, chosen,
                                 chosen == 1 ? "" : "s", limits.max_parallel);
  for (const auto& [name, value] : plan.arguments()) {
    text += fmt::format("  parameter {} = {}\n", name, printable(parameter_text(value)));
  }
  for (std::size_t wave = 0; wave < all.size(); ++wave) {
    for (plan::TaskId id : all[wave]) {
      if (!plan.selected(id)) continue;
      const spec::TaskSpec& task = *plan.task(id).spec;
      std::vector<std::string> needs;
      for (plan::TaskId need : plan.needs(id)) needs.emplace_back(plan.task(need).path());
      std::string line = fmt::format("{:>3}  {:<{}}  {}", wave + 1, plan.task(id).path(), width, image_text(plan.component(id)));
      if (!needs.empty()) line += "  after " + join(needs, ", ");
      if (std::string resources = resources_text(task.settings->resources); !resources.empty()) line += "  (" + resources + ")";
      if (task.when) line += "  when " + task.when->text();
      text += line + "\n";
    }
  }
  print(text);
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
