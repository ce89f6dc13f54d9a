#include "mlpipe/plan/plan.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "arguments.hpp"
#include "mlpipe/plan/references.hpp"
#include "plan_builder.hpp"

namespace mlpipe::plan {
namespace {

constexpr std::uint32_t k_free = std::numeric_limits<std::uint32_t>::max();

std::uint32_t number(std::size_t index) { return static_cast<std::uint32_t>(index); }

}  // namespace

std::optional<TaskId> Plan::find(std::string_view path) const {
  if (by_name_.empty()) return std::nullopt;
  const std::size_t mask = by_name_.size() - 1;
  for (std::size_t place = std::hash<std::string_view>()(path) & mask; by_name_[place] != k_free;
       place = (place + 1) & mask) {
    if (tasks_[by_name_[place]].path() == path) return TaskId{by_name_[place]};
  }
  return std::nullopt;
}

Result<> PlanBuilder::add_tasks() {
  const std::vector<spec::TaskSpec>& tasks = plan_.spec_->root_dag().tasks;
  if (tasks.size() >= k_free)
    return fail(ErrorCode::invalid_input, "the pipeline has {} tasks, too many", tasks.size());
  plan_.tasks_.reserve(tasks.size());
  for (const spec::TaskSpec& task : tasks) {
    if (plan_.spec_->component(task.component).dag() != nullptr) {
      return fail(ErrorCode::invalid_input,
                  "task '{}' is a pipeline of its own, which cannot be run inside another yet", task.name);
    }
    plan_.tasks_.push_back(PlannedTask{.spec = &task});
  }
  return index_names();
}

Result<> PlanBuilder::index_names() {
  plan_.by_name_.assign(std::bit_ceil(plan_.tasks_.size() * 2 + 1), k_free);
  const std::size_t mask = plan_.by_name_.size() - 1;
  for (std::uint32_t task = 0; task < plan_.tasks_.size(); ++task) {
    const std::string_view path = plan_.tasks_[task].path();
    std::size_t place = std::hash<std::string_view>()(path) & mask;
    for (; plan_.by_name_[place] != k_free; place = (place + 1) & mask) {
      if (plan_.tasks_[plan_.by_name_[place]].path() == path) {
        return fail(ErrorCode::invalid_input, "two tasks are named '{}'", path);
      }
    }
    plan_.by_name_[place] = task;
  }
  return {};
}

Result<> PlanBuilder::add_needs() {
  std::vector<TaskId> needs;  // of one task
  std::string dangling;
  plan_.needs_begin_.reserve(plan_.tasks_.size() + 1);
  plan_.needs_begin_.push_back(0);
  for (const PlannedTask& task : plan_.tasks_) {
    needs.clear();
    for_each_reference(*task.spec, [&](std::string_view name, std::string_view) {
      if (std::optional<TaskId> need = plan_.find(name)) {
        needs.push_back(*need);
      } else if (dangling.empty()) {
        dangling = name;
      }
    });
    if (!dangling.empty()) {
      return fail(ErrorCode::invalid_input, "task '{}' refers to a task '{}', which the pipeline does not have",
                  task.path(), dangling);
    }
    std::sort(needs.begin(), needs.end());
    needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
    plan_.needs_.insert(plan_.needs_.end(), needs.begin(), needs.end());
    if (plan_.needs_.size() >= k_free) return fail(ErrorCode::invalid_input, "the pipeline has too many edges");
    plan_.needs_begin_.push_back(number(plan_.needs_.size()));
  }
  return {};
}

void PlanBuilder::add_dependants() {
  // Counting sort of the edges by what is needed; tasks come in ascending order, so each slice is ascending too.
  std::vector<std::uint32_t>& begin = plan_.dependants_begin_;
  begin.assign(plan_.tasks_.size() + 1, 0);
  for (TaskId need : plan_.needs_) ++begin[index(need) + 1];
  for (std::size_t task = 1; task < begin.size(); ++task) begin[task] += begin[task - 1];

  plan_.dependants_.resize(plan_.needs_.size());
  std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1);
  for (std::uint32_t task = 0; task < plan_.tasks_.size(); ++task) {
    for (TaskId need : plan_.needs(TaskId{task})) plan_.dependants_[next[index(need)]++] = TaskId{task};
  }
}

Result<> PlanBuilder::add_order() {
  std::vector<std::uint32_t> unmet(plan_.tasks_.size());
  std::vector<TaskId>& order = plan_.order_;  // also the queue: what stands behind `next` is still to be looked at
  order.reserve(plan_.tasks_.size());
  for (std::uint32_t task = 0; task < unmet.size(); ++task) {
    unmet[task] = number(plan_.needs(TaskId{task}).size());
    if (unmet[task] == 0) order.push_back(TaskId{task});
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (TaskId dependant : plan_.dependants(order[next])) {
      if (--unmet[index(dependant)] == 0) order.push_back(dependant);
    }
  }
  if (order.size() < unmet.size()) return Failure(cycle_error(unmet));
  return {};
}

// Every task with unmet needs has one among them that has unmet needs as well: going from need to need must come round.
Error PlanBuilder::cycle_error(const std::vector<std::uint32_t>& unmet) const {
  auto is_unmet = [&](TaskId task) { return unmet[index(task)] > 0; };
  TaskId task{number(static_cast<std::size_t>(
      std::find_if(unmet.begin(), unmet.end(), [](std::uint32_t count) { return count > 0; }) - unmet.begin()))};
  std::vector<TaskId> walk;
  std::vector<bool> seen(unmet.size());
  while (!seen[index(task)]) {
    seen[index(task)] = true;
    walk.push_back(task);
    std::span<const TaskId> needs = plan_.needs(task);
    task = *std::find_if(needs.begin(), needs.end(), is_unmet);
  }
  std::string path(plan_.task(task).path());
  for (auto step = walk.rbegin(); step != walk.rend(); ++step) {
    path += fmt::format(" -> {}", plan_.task(*step).path());
    if (*step == task) break;
  }
  return Error{ErrorCode::invalid_input, fmt::format("the tasks need each other in a circle: {}", path),
               "take one of these references out"};
}

void PlanBuilder::add_ranks() {
  plan_.rank_.assign(plan_.tasks_.size(), 1);
  for (auto task = plan_.order_.rbegin(); task != plan_.order_.rend(); ++task) {
    for (TaskId need : plan_.needs(*task)) {
      plan_.rank_[index(need)] = std::max(plan_.rank_[index(need)], plan_.rank_[index(*task)] + 1);
    }
  }
}

Plan PlanBuilder::finish(Value::Struct arguments) && {
  plan_.arguments_ = std::move(arguments);
  plan_.needs_.shrink_to_fit();
  return std::move(plan_);
}

Result<Plan> make_plan(const spec::PipelineSpec& spec, Value::Struct arguments) {
  Result<Value::Struct> complete = complete_arguments(spec, std::move(arguments), {});
  if (!complete) return Failure(std::move(complete).error());

  PlanBuilder builder(spec);
  if (Result<> done = builder.add_tasks(); !done) return Failure(std::move(done).error());
  if (Result<> done = builder.add_needs(); !done) return Failure(std::move(done).error());
  builder.add_dependants();
  if (Result<> done = builder.add_order(); !done) return Failure(std::move(done).error());
  builder.add_ranks();
  return std::move(builder).finish(std::move(*complete));
}

}  // namespace mlpipe::plan
