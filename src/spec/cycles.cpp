#include "spec/cycles.hpp"

#include <algorithm>
#include <cstdint>

namespace mlpipe::spec {
namespace {

constexpr std::size_t k_most_cycles = 10;

// What each task waits for, as one array.
struct Needs {
  std::vector<std::uint32_t> begin, tasks;

  std::size_t count(std::size_t task) const { return begin[task + 1] - begin[task]; }
  std::uint32_t need(std::size_t task, std::size_t i) const { return tasks[begin[task] + i]; }
};

class NeedsBuilder final {
 public:
  NeedsBuilder(const DagSpec& dag, const PipelineScope& scope) : scope_(scope) {
    needs_.begin.reserve(dag.tasks.size() + 1);
    for (const TaskSpec& task : dag.tasks) {
      needs_.begin.push_back(static_cast<std::uint32_t>(needs_.tasks.size()));
      add(task);
    }
    needs_.begin.push_back(static_cast<std::uint32_t>(needs_.tasks.size()));
  }
  Needs take() { return std::move(needs_); }

 private:
  void add(const TaskSpec& task) {
    for (const std::string& name : task.after) add(name);
    for (const Argument& argument : task.arguments) {
      if (const auto* output = std::get_if<TaskOutput>(&argument.binding)) add(output->task);
      if (const auto* text = std::get_if<Template>(&argument.binding)) add(text->references());
    }
    if (task.when) add(task.when->references());
  }
  void add(const std::vector<Reference>& references) {
    for (const Reference& reference : references) {
      if (reference.path[0] == "tasks") add(reference.path[1]);
    }
  }
  void add(const std::string& name) {
    if (auto task = scope_.task_index(name)) needs_.tasks.push_back(static_cast<std::uint32_t>(*task));
  }

  const PipelineScope& scope_;
  Needs needs_;
};

}  // namespace

std::vector<std::vector<std::size_t>> find_cycles(const DagSpec& dag, const PipelineScope& scope) {
  Needs needs = NeedsBuilder(dag, scope).take();
  enum class Mark : std::uint8_t { fresh, on_path, done };
  std::vector<Mark> marks(dag.tasks.size(), Mark::fresh);
  struct Step {
    std::size_t task;
    std::size_t next;  // which of its needs comes next
  };
  std::vector<Step> path;  // a stack of our own: a chain may have a million tasks
  std::vector<std::vector<std::size_t>> cycles;
  for (std::size_t start = 0; start < dag.tasks.size() && cycles.size() < k_most_cycles; ++start) {
    if (marks[start] != Mark::fresh) continue;
    marks[start] = Mark::on_path;
    path.push_back({start, 0});
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next == needs.count(step.task)) {
        marks[step.task] = Mark::done;
        path.pop_back();
        continue;
      }
      std::size_t need = needs.need(step.task, step.next++);
      if (marks[need] == Mark::fresh) {
        marks[need] = Mark::on_path;
        path.push_back({need, 0});
      } else if (marks[need] == Mark::on_path) {
        // From `need` to the end of the path each waits for the next: backwards, data flows.
        std::vector<std::size_t> cycle;
        while (path.back().task != need) {
          cycle.push_back(path.back().task);
          marks[path.back().task] = Mark::done;
          path.pop_back();
        }
        cycle.push_back(need);
        std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
        cycles.push_back(std::move(cycle));
        if (cycles.size() == k_most_cycles) break;
      }
    }
    path.clear();
  }
  return cycles;
}

}  // namespace mlpipe::spec
