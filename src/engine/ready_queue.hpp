#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "demands.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// The tasks that are ready, and what those under way hold of the limits.
//
// Order: longest path to an end first (Plan::rank), then the order of the file. A task that does not fit now lets
// smaller ones go ahead, but not for ever: tasks with the same demand stand in one line, and when the line's first
// has been overtaken k_most_overtakes times, what it needs is reserved. From then on nothing starts, whatever its
// rank, that would take any of what the reservation needs, beside what is held by tasks that were under way already.
// So the line's first starts at the latest when those have ended. One reservation at a time; it ends when the line's
// first starts.
//
// Cost: next() looks at each line that is not empty; the lines are few, for most tasks share a few settings.
class ReadyQueue final {
 public:
  static constexpr int k_most_overtakes = 8;

  ReadyQueue(const plan::Plan& plan, const Limits& limits);

  void push(plan::TaskId task);
  // The task to start now, if one fits. It stays in the queue.
  std::optional<plan::TaskId> next();
  // Takes out the task that next() gave; it holds what it demands until release().
  void take(plan::TaskId task);
  // Takes out any task of the queue, whether it fits or not: it is under way already (an earlier mlpipe started it).
  void take_anyway(plan::TaskId task);
  // Takes out any task, which will not start now; it may be pushed again.
  void withdraw(plan::TaskId task);
  // From now on `task` demands this. It is not in the queue and holds nothing.
  void change_demand(plan::TaskId task, Demand demand);
  // Gives back what a task holds. `task` was taken.
  void release(plan::TaskId task);

 private:
  using Key = std::uint64_t;  // rank above, inverted task number below: the largest goes first

  struct Line {
    Demand demand;
    std::vector<Key> heap;
    int overtaken = 0;  // since its first last changed
  };

  void assign_lines();
  std::uint32_t line_with(Demand demand);
  void hold(const Line& line, plan::TaskId task);
  void drop_withdrawn(Line& line);
  bool fits(const Line& line) const;
  bool fits_beside_reserved(const Line& line) const;
  void count_overtaken(Key started);
  Key key(plan::TaskId task) const;
  static plan::TaskId task_of(Key key);

  const plan::Plan& plan_;
  std::vector<std::int64_t> limits_;
  std::vector<std::int64_t> held_;
  std::deque<Line> lines_;  // reserved_ points into it
  std::map<Demand, std::uint32_t> line_by_demand_;
  std::vector<std::uint32_t> line_of_;  // per task
  std::vector<bool> withdrawn_;         // per task with an entry that is dropped when it comes to the front
  Line* reserved_ = nullptr;
  std::vector<std::int64_t> held_since_;   // by tasks taken since the reservation was made
  std::vector<plan::TaskId> taken_since_;  // these tasks; few, for a reservation does not last
};

}  // namespace mlpipe::engine
