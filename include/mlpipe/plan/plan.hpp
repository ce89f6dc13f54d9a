#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::plan {

enum class TaskId : std::uint32_t {};
constexpr std::size_t index(TaskId id) { return static_cast<std::size_t>(id); }

// One task of the DAG. The names and settings stay in the spec, which the plan borrows.
struct PlannedTask {
  const spec::TaskSpec* spec = nullptr;
  std::string_view path() const { return spec->name; }  // unique in the run; its folder below the run's
};

struct Selection;

// The immutable DAG of one run. Borrows the PipelineSpec, which must outlive it. About 50 bytes a task and 8 an edge.
class Plan final {
 public:
  const spec::PipelineSpec& spec() const { return *spec_; }
  const Value::Struct& arguments() const { return arguments_; }  // the pipeline's parameters, defaults filled in

  std::size_t size() const { return tasks_.size(); }
  const PlannedTask& task(TaskId id) const { return tasks_[index(id)]; }
  const spec::ComponentSpec& component(TaskId id) const { return spec_->component(task(id).spec->component); }
  // Tasks that must end before `id` starts, and tasks that wait for it; each once, ascending.
  std::span<const TaskId> needs(TaskId id) const { return slice(needs_, needs_begin_, id); }
  std::span<const TaskId> dependants(TaskId id) const { return slice(dependants_, dependants_begin_, id); }
  // Tasks, each after all it needs.
  const std::vector<TaskId>& order() const { return order_; }
  // Length of the longest path of tasks from `id` to an end, itself included: higher starts first.
  std::uint32_t rank(TaskId id) const { return rank_[index(id)]; }
  // The id of the task named `path`, if there is one.
  std::optional<TaskId> find(std::string_view path) const;
  // Is the task part of this run? (--from, --until and --only leave some out.)
  bool selected(TaskId id) const { return selected_.empty() || selected_[index(id)]; }

 private:
  friend class PlanBuilder;
  friend Result<> select(Plan& plan, const Selection& selection);
  std::span<const TaskId> slice(const std::vector<TaskId>& edges, const std::vector<std::uint32_t>& begin,
                                TaskId id) const {
    return std::span(edges).subspan(begin[index(id)], begin[index(id) + 1] - begin[index(id)]);
  }

  const spec::PipelineSpec* spec_ = nullptr;
  Value::Struct arguments_;
  std::vector<PlannedTask> tasks_;
  std::vector<TaskId> needs_, dependants_, order_;
  std::vector<std::uint32_t> needs_begin_, dependants_begin_, rank_;
  std::vector<std::uint32_t> by_name_;  // open hash table of task numbers, for find()
  std::vector<bool> selected_;          // empty: all of them
};

// The DAG of `spec` with `arguments` for its parameters (each already a value of any kind: coerced here).
// Unknown or missing parameters, values of the wrong type: invalid_input that lists all of them.
// `spec` passed the reader's checks: it has no cycle and no dangling reference.
Result<Plan> make_plan(const spec::PipelineSpec& spec, Value::Struct arguments);

}  // namespace mlpipe::plan
