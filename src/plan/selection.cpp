#include "mlpipe/plan/selection.hpp"

#include <set>
#include <string>

#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/references.hpp"

namespace mlpipe::plan {
namespace {

constexpr std::size_t k_listed_tasks = 12;

using Edges = std::span<const TaskId> (Plan::*)(TaskId) const;

std::vector<std::string> task_names(const Plan& plan) {
  std::vector<std::string> names;
  names.reserve(plan.size());
  for (std::uint32_t task = 0; task < plan.size(); ++task) names.emplace_back(plan.task(TaskId{task}).path());
  return names;
}

std::vector<TaskId> find_tasks(const Plan& plan, const std::vector<std::string>& names, std::string_view option,
                               std::string& mistakes) {
  std::vector<TaskId> found;
  for (const std::string& name : names) {
    if (std::optional<TaskId> task = plan.find(name)) {
      found.push_back(*task);
      continue;
    }
    mistakes += fmt::format("\n  {} {}: no such task", option, name);
    if (std::optional<std::string> near = closest(name, task_names(plan)))
      mistakes += fmt::format("; did you mean '{}'?", *near);
    else if (plan.size() <= k_listed_tasks)
      mistakes += fmt::format("; this pipeline has: {}", join(task_names(plan), ", "));
  }
  return found;
}

// `starts` and every task that can be reached from them along `edges`.
std::vector<bool> reachable(const Plan& plan, std::vector<TaskId> starts, Edges edges) {
  std::vector<bool> reached(plan.size());
  while (!starts.empty()) {
    const TaskId task = starts.back();
    starts.pop_back();
    if (reached[index(task)]) continue;
    reached[index(task)] = true;
    for (TaskId next : (plan.*edges)(task)) starts.push_back(next);
  }
  return reached;
}

struct NamedTasks {
  std::vector<TaskId> from, until, only;
};

Result<NamedTasks> find_named(const Plan& plan, const Selection& selection) {
  std::string mistakes;
  NamedTasks named{.from = find_tasks(plan, selection.from, "--from", mistakes),
                   .until = find_tasks(plan, selection.until, "--until", mistakes),
                   .only = find_tasks(plan, selection.only, "--only", mistakes)};
  if (!mistakes.empty()) return fail(ErrorCode::invalid_input, "choosing tasks:{}", mistakes);
  return named;
}

Result<std::vector<bool>> choose(const Plan& plan, const Selection& selection) {
  Result<NamedTasks> named = find_named(plan, selection);
  if (!named) return Failure(std::move(named).error());
  auto& [from, until, only] = *named;
  std::vector<bool> chosen(plan.size(), only.empty());
  for (TaskId task : only) chosen[index(task)] = true;
  auto keep = [&](const std::vector<bool>& reached) {
    for (std::size_t task = 0; task < chosen.size(); ++task) chosen[task] = chosen[task] && reached[task];
  };
  if (!from.empty()) keep(reachable(plan, std::move(from), &Plan::dependants));
  if (!until.empty()) keep(reachable(plan, std::move(until), &Plan::needs));
  return chosen;
}

// One line for every output that a chosen task reads from a task left out.
std::string missing_outputs(const Plan& plan, const std::vector<bool>& chosen) {
  std::string missing;
  std::set<std::string> told;  // a task may read one output in several places
  for (TaskId task : plan.order()) {
    if (!chosen[index(task)]) continue;
    for_each_reference(*plan.task(task).spec, [&](std::string_view need, std::string_view output) {
      if (output.empty() || chosen[index(*plan.find(need))]) return;
      std::string line =
          fmt::format("\n  '{}' reads output '{}' of '{}', which is left out", plan.task(task).path(), output, need);
      if (told.insert(line).second) missing += line;
    });
  }
  return missing;
}

}  // namespace

Result<> check_names(const Plan& plan, const Selection& selection) {
  const Result<NamedTasks> named = find_named(plan, selection);
  return named ? Result<>() : Failure(named.error());
}

Result<> select(Plan& plan, const Selection& selection) {
  if (selection.empty()) return {};
  if (!selection.only.empty() && !(selection.from.empty() && selection.until.empty())) {
    return fail_with_hint(ErrorCode::invalid_input, "--only cannot be combined with --from or --until",
                          "name the tasks with --only, or the ends of a part of the pipeline with --from and --until");
  }
  Result<std::vector<bool>> chosen = choose(plan, selection);
  if (!chosen) return Failure(std::move(chosen).error());
  if (std::string missing = missing_outputs(plan, *chosen); !missing.empty()) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("the chosen tasks cannot run by themselves:{}", missing),
                          "choose the tasks they read from as well");
  }
  plan.selected_ = std::move(*chosen);
  return {};
}

}  // namespace mlpipe::plan
