#include "unneeded.hpp"

#include <algorithm>
#include <utility>

namespace mlpipe::engine {

std::optional<Unneeded::Obstacle> Unneeded::obstacle_to(TaskId maker) {
  if (is_proven(maker)) return std::nullopt;
  Walk walk{.steps = {{.task = maker}}, .readers = {}, .seen = {maker}};  // what it needs has ended
  if (const std::optional<Known> known = known_obstacle(maker, walk)) return known->obstacle;
  add_readers(walk, 0);
  while (!walk.readers.empty()) {
    const std::size_t reader = walk.readers.back();
    walk.readers.pop_back();
    if (!walk.seen.insert(walk.steps[reader].task).second) continue;
    if (std::optional<Obstacle> obstacle = take(walk, reader)) return obstacle;
  }
  if (!walk.is_ahead) {
    sure_.merge(walk.seen);
    return std::nullopt;
  }
  // The other one may be asked about before, when that has not ended.
  if (walk.other_maker) return Obstacle{*walk.other_maker};
  sure_.insert(maker);
  return std::nullopt;
}

void Unneeded::add_readers(Walk& walk, std::size_t step) const {
  const plan::Plan& plan = foreseeing_.plan();
  const TaskId giver = walk.steps[step].task;
  for (TaskId reader : plan.dependants(giver)) {
    if (walk.seen.contains(reader) || is_proven(reader) || foreseeing_.has_ended(reader)) continue;
    if (!reads_artifact(plan, reader, giver)) continue;
    walk.readers.push_back(walk.steps.size());
    walk.steps.push_back({.task = reader, .wanted_by = step, .is_reader = true});
  }
}

// First all that a task needs, by a list, not by recursion, for chains are long.
std::optional<Unneeded::Obstacle> Unneeded::take(Walk& walk, std::size_t reader) {
  std::vector<std::size_t> path{reader};
  while (!path.empty()) {
    const std::size_t at = path.back();
    Step& step = walk.steps[at];
    const TaskId task = step.task;
    std::optional<Known> met;
    if (!std::exchange(step.begun, true)) {
      met = known_obstacle(task, walk);
    } else if (const std::optional<TaskId> need = next_need(walk, step)) {
      path.push_back(walk.steps.size());
      walk.steps.push_back({.task = *need, .wanted_by = at});
      continue;
    } else {
      path.pop_back();
      met = look_at(task);
      if (!met && foreseeing_.of(task).answer.kind == CacheAnswer::Kind::removed) {
        if (!walk.steps[at].is_reader) walk.other_maker = task;
        add_readers(walk, at);
      }
    }
    if (!met) continue;
    if (!ends_before(task, walk.maker())) {
      if (met->obstacle.task == walk.maker()) met = Known{{task}, task};  // they hang on each other
      blame(walk, at, *met);
      return obstacles_.at(walk.maker()).obstacle;
    }
    walk.is_ahead = true;
    std::erase(path, at);
  }
  return std::nullopt;
}

std::optional<TaskId> Unneeded::next_need(Walk& walk, Step& step) const {
  const plan::Plan& plan = foreseeing_.plan();
  for (const auto needs = plan.needs(step.task); step.needs < needs.size();) {
    const TaskId need = needs[step.needs++];
    if (!plan.selected(need) || foreseeing_.has_ended(need)) continue;
    if (is_proven(need) && !foreseeing_.is_blank(need)) continue;
    if (walk.seen.insert(need).second) return need;
  }
  return std::nullopt;
}

std::optional<Unneeded::Known> Unneeded::known_obstacle(TaskId task, const Walk& walk) const {
  const auto known = obstacles_.find(task);
  if (known == obstacles_.end()) return std::nullopt;
  const auto stands = [&](TaskId each) {
    return !walk.seen.contains(each) && !foreseeing_.has_ended(each) && !ends_before(each, walk.maker());
  };
  return stands(known->second.obstacle.task) && stands(known->second.way) ? std::optional(known->second) : std::nullopt;
}

std::optional<Unneeded::Known> Unneeded::look_at(TaskId task) {
  if (foreseeing_.is_blank(task)) foreseeing_.foresee(task);
  if (!foreseeing_.is_foreseen(task)) return Known{{task}, task};  // under way
  const Foresight& foresight = foreseeing_.of(task);
  if (foresight.outlook == Outlook::import) return Known{{task}, task};  // an attempt, though a short one
  if (foreseeing_.is_decided(task)) return std::nullopt;
  const TaskId cause = foresight.depends_on.empty() ? task : foresight.depends_on.front();
  return Known{{.task = cause, .certain = foresight.outlook == Outlook::run}, cause};
}

// Will the task have ended when `maker` is asked about, because that, or what that needs, waits for it? Only of what is
// foreseen is it not known anyway. What is skipped does not wait for all it needs.
bool Unneeded::ends_before(TaskId task, TaskId maker) const {
  const plan::Plan& plan = foreseeing_.plan();
  std::unordered_set<TaskId> seen;
  std::vector<TaskId> waiting{maker};
  while (!waiting.empty()) {
    const TaskId next = waiting.back();
    waiting.pop_back();
    if (plan.rank(next) >= plan.rank(task)) continue;
    for (TaskId need : plan.needs(next)) {
      if (need == task) return true;
      if (foreseeing_.has_ended(need) || !foreseeing_.is_foreseen(need)) continue;
      const Outlook outlook = foreseeing_.of(need).outlook;
      if (outlook != Outlook::skip && outlook != Outlook::fail && seen.insert(need).second) waiting.push_back(need);
    }
  }
  return false;
}

void Unneeded::blame(const Walk& walk, std::size_t step, Known known) {
  for (bool is_first = false; !is_first; step = walk.steps[step].wanted_by) {
    const Step& wanting = walk.steps[step];
    if (wanting.task != known.obstacle.task) obstacles_.insert_or_assign(wanting.task, known);
    is_first = step == 0;
    if (wanting.is_reader) continue;
    known.way = wanting.task;
    known.obstacle.certain = false;
  }
}

std::string why_needed(const plan::Plan& plan, TaskId maker, Unneeded::Obstacle obstacle,
                       const std::string& taken_away) {
  const std::string_view name = plan.task(obstacle.task).path();
  if (!obstacle.certain) return fmt::format("{}, and whether they are needed hangs on '{}'", taken_away, name);
  return fmt::format("{}, and '{}' needs {}", taken_away, name,
                     reads_artifact(plan, obstacle.task, maker) ? "them" : "what is made of them");
}

}  // namespace mlpipe::engine
