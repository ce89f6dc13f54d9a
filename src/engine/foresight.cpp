#include "mlpipe/engine/foresight.hpp"

#include <ranges>
#include <unordered_set>

#include "foreseeing.hpp"
#include "unneeded.hpp"

namespace mlpipe::engine {
namespace {

bool is_removed(TaskId task, const Foreseeing& foreseeing) {
  return foreseeing.is_foreseen(task) && foreseeing.of(task).answer.kind == CacheAnswer::Kind::removed;
}

// `task`, and those between it and the obstacle: they need each other's artifacts, and give the same once more.
void run_down_to(Unneeded::Obstacle obstacle, TaskId task, Foreseeing& foreseeing, const Unneeded& unneeded) {
  std::vector<TaskId> makers{task};
  std::unordered_set<TaskId> seen{task};
  for (std::size_t next = 0; next < makers.size(); ++next) {
    for (TaskId reader : foreseeing.plan().dependants(makers[next])) {
      const std::optional<Unneeded::Obstacle> its = unneeded.certain_obstacle_to(reader);
      const bool is_between = its && its->task == obstacle.task && is_removed(reader, foreseeing);
      if (is_between && seen.insert(reader).second) makers.push_back(reader);
    }
  }
  for (TaskId maker : makers | std::views::reverse) {
    std::string why = why_needed(foreseeing.plan(), maker, obstacle, foreseeing.of(maker).answer.why);
    foreseeing.give_up(maker, Outlook::run, std::move(why), {});
  }
}

// Of a task whose result has lost its artifacts: does that one do?
void settle_removed(TaskId task, Foreseeing& foreseeing, Unneeded& unneeded) {
  const std::optional<Unneeded::Obstacle> obstacle = unneeded.obstacle_to(task);
  if (!obstacle) return foreseeing.accept(task);
  if (obstacle->certain) return run_down_to(*obstacle, task, foreseeing, unneeded);
  std::string why = why_needed(foreseeing.plan(), task, *obstacle, foreseeing.of(task).answer.why);
  foreseeing.give_up(task, Outlook::depends, std::move(why), {obstacle->task});
}

}  // namespace

std::string_view to_string(Outlook outlook) {
  switch (outlook) {
    case Outlook::run: return "run";
    case Outlook::cached: return "cached";
    case Outlook::depends: return "depends";
    case Outlook::import: return "import";
    case Outlook::skip: return "skip";
    case Outlook::fail: return "fail";
    case Outlook::done: return "done";
    case Outlook::go_on: return "go_on";
  }
  return "";
}

std::vector<Foresight> foresee(const plan::Plan& plan, const RunOptions& options, Foreseer& foreseer,
                               const std::vector<Recovered>& recovered) {
  const ValueSource nothing_yet{.plan = plan,
                                .options = options,
                                .outputs = [](TaskId) { return nullptr; },
                                .state = [](TaskId) { return TaskState::waiting; }};
  Foreseeing foreseeing(nothing_yet, foreseer);
  foreseeing.recover(recovered);
  Unneeded unneeded(foreseeing);
  for (TaskId task : plan.order()) {
    if (!foreseeing.is_foreseen(task)) foreseeing.foresee(task);
    if (is_removed(task, foreseeing)) settle_removed(task, foreseeing, unneeded);
  }
  return std::move(foreseeing).all();
}

}  // namespace mlpipe::engine
