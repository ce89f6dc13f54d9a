#pragma once

#include <optional>
#include <string>
#include <utility>

#include "unneeded.hpp"

namespace mlpipe::engine {

// Why artifacts that were taken away are needed, or may be.
struct Need {
  std::string why;
  std::optional<TaskId> hangs_on;  // perhaps they are not: that shows when this task has ended
};

// Which results do although their artifacts were taken away, in a run under way. Borrows the cache.
class Removals final {
 public:
  Removals(ValueSource run, ResultCache& cache)
      : cache_(cache), foreseeing_(std::move(run), cache_), unneeded_(foreseeing_) {}

  // Why the result of `task`, of which all it needs has ended, does not do; nothing: nobody will need its artifacts.
  // `first_failure` as Run has it.
  std::optional<Need> need_of(TaskId task, const CacheAnswer& answer, std::optional<TaskId> first_failure) {
    if (unneeded_.is_proven(task)) return std::nullopt;
    foreseeing_.first_failure_is(first_failure);
    foreseeing_.assume(task, answer);
    if (const std::optional<Unneeded::Obstacle> obstacle = unneeded_.obstacle_to(task)) {
      foreseeing_.give_up(task, Outlook::run, "", {});
      return Need{.why = why_needed(foreseeing_.plan(), task, *obstacle, answer.why),
                  .hangs_on = obstacle->certain ? std::nullopt : std::optional(obstacle->task)};
    }
    return std::nullopt;
  }

  // What was foreseen holds for one turn.
  void end_turn() {
    unneeded_.forget();
    foreseeing_.forget();
  }

 private:
  // What the cache of the run knows. What imports give is known when they have run.
  class Cache final : public Foreseer {
   public:
    explicit Cache(ResultCache& cache) : cache_(cache) {}
    std::string runs_anyway(TaskId) override { return {}; }  // the cache says so, too
    CacheAnswer look(TaskId task, const TaskData& inputs) override { return cache_.foresee(task, inputs); }
    Result<std::optional<TaskData>> import(TaskId, const TaskData&) override { return std::optional<TaskData>(); }

   private:
    ResultCache& cache_;
  };

  Cache cache_;
  Foreseeing foreseeing_;
  Unneeded unneeded_;
};

}  // namespace mlpipe::engine
