#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// At most one deadline a task, the soonest first. Tasks without one cost nothing.
class Deadlines final {
 public:
  void set(plan::TaskId task, MonotonicTime at) {
    clear(task);
    of_task_.emplace(task, at);
    in_order_.emplace(at, task);
  }

  void clear(plan::TaskId task) {
    if (of_task_.empty()) return;
    auto found = of_task_.find(task);
    if (found == of_task_.end()) return;
    in_order_.erase({found->second, task});
    of_task_.erase(found);
  }

  std::optional<MonotonicTime> soonest() const {
    if (in_order_.empty()) return std::nullopt;
    return in_order_.begin()->first;
  }

  // A task whose deadline has come by `now`, if there is one; its deadline is cleared.
  std::optional<plan::TaskId> take_due(MonotonicTime now) {
    if (in_order_.empty() || in_order_.begin()->first > now) return std::nullopt;
    const plan::TaskId task = in_order_.begin()->second;
    clear(task);
    return task;
  }

 private:
  std::unordered_map<plan::TaskId, MonotonicTime> of_task_;
  std::set<std::pair<MonotonicTime, plan::TaskId>> in_order_;
};

}  // namespace mlpipe::engine
