#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "foreseeing.hpp"

namespace mlpipe::engine {

// Proves that nobody will read artifacts that were taken away.
//
// The result of a task can do without its artifacts when each task that reads them has such a result, too, or a whole
// one, or is skipped; and all that those readers need has ended or is like them. So what the proof rests on is decided
// in the very turn in which it is made: no result has the time to go or to grow too old, and all of it is on record or
// nothing.
class Unneeded final {
 public:
  // What stands in the way of a proof.
  struct Obstacle {
    TaskId task{};
    bool certain = false;  // it is run whatever else happens, and needs the artifacts or what is made of them
  };

  // Borrows `foreseeing`, in which it foresees what it has to know.
  explicit Unneeded(Foreseeing& foreseeing) : foreseeing_(foreseeing) {}

  // Nothing: proven. `maker` was foreseen or assumed to have a result without artifacts. Costs as much as foreseeing
  // what the proof rests on; an obstacle that was met once stands until it has ended, and costs nothing.
  std::optional<Obstacle> obstacle_to(TaskId maker);

  // Does an earlier proof rest on this one, too?
  bool is_proven(TaskId maker) const { return sure_.contains(maker); }

  // One that is known already, and certain.
  std::optional<Obstacle> certain_obstacle_to(TaskId maker) const {
    const auto known = obstacles_.find(maker);
    if (known == obstacles_.end() || !known->second.obstacle.certain) return std::nullopt;
    return known->second.obstacle;
  }

  // Proofs go with what was foreseen; obstacles stay.
  void forget() { sure_.clear(); }

 private:
  // A task that has to be sure. For that, all it needs has to be, and when its artifacts are gone, whoever reads them.
  struct Step {
    TaskId task{};
    std::size_t wanted_by = 0;  // the step
    bool is_reader = false;     // of the artifacts of that; else that needs it
    bool begun = false;
    std::size_t needs = 0;  // how many of them were looked at
  };
  // One proof. The first step is the maker.
  struct Walk {
    std::vector<Step> steps;
    std::vector<std::size_t> readers;  // steps still to be taken
    std::unordered_set<TaskId> seen;
    bool is_ahead = false;              // something counts as ended that only will have
    std::optional<TaskId> other_maker;  // whose artifacts are gone, too, and that a reader needs
    TaskId maker() const { return steps[0].task; }
  };
  // `way`: the obstacle counts only until this task has ended. What is read by one after the other cannot end before.
  struct Known {
    Obstacle obstacle;
    TaskId way{};
  };

  void add_readers(Walk& walk, std::size_t step) const;
  std::optional<Obstacle> take(Walk& walk, std::size_t reader);
  std::optional<TaskId> next_need(Walk& walk, Step& step) const;
  std::optional<Known> known_obstacle(TaskId task, const Walk& walk) const;
  std::optional<Known> look_at(TaskId task);
  bool ends_before(TaskId task, TaskId maker) const;
  void blame(const Walk& walk, std::size_t step, Known known);

  Foreseeing& foreseeing_;
  std::unordered_set<TaskId> sure_;
  std::unordered_map<TaskId, Known> obstacles_;  // by the task whose proof they stood in the way of
};

// "<taken_away>, and 'train' needs them".
std::string why_needed(const plan::Plan& plan, TaskId maker, Unneeded::Obstacle obstacle,
                       const std::string& taken_away);

}  // namespace mlpipe::engine
