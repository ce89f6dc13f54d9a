#include "mlpipe/engine/foresight.hpp"

#include <algorithm>
#include <utility>

#include "inputs.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/references.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::size_t k_most_named = 3;

class Foreseeing final {
 public:
  Foreseeing(const plan::Plan& plan, const RunOptions& options, Foreseer& foreseer)
      : plan_(plan),
        options_(options),
        foreseer_(foreseer),
        all_(plan.size()),
        known_(plan.size()),
        values_{.plan = plan,
                .options = options,
                .outputs = [this](TaskId task) { return outputs_of(task); },
                .state = [this](TaskId task) { return known_[index(task)].state; }} {}
  Foreseeing(const Foreseeing&) = delete;
  Foreseeing& operator=(const Foreseeing&) = delete;

  void recover(const std::vector<Recovered>& recovered) {
    for (const Recovered& task : recovered) {
      Known& known = known_[index(task.task)];
      known.settled = is_active(task.state) || task.state == TaskState::succeeded || task.state == TaskState::failed;
      if (is_active(task.state)) {
        end(task.task, Outlook::go_on, fmt::format("attempt {} was under way", task.attempt));
      } else if (task.state == TaskState::succeeded) {
        succeed(task.task, Outlook::done, task.outputs, "succeeded");
      } else if (task.state == TaskState::failed) {
        end(task.task, Outlook::done, "failed: " + task.reason);
        known.state = TaskState::failed;
        if (!first_failure_) first_failure_ = task.task;
      }
    }
  }

  std::vector<Foresight> foresee() && {
    for (TaskId task : plan_.order()) {
      if (!known_[index(task)].settled) foresee(task);
    }
    return std::move(all_);
  }

 private:
  // waiting: what the task gives is known only when it has run.
  struct Known {
    TaskState state = TaskState::waiting;
    bool settled = false;       // by what an earlier mlpipe did
    bool may_be_skipped = false;
  };

  const spec::TaskSpec& spec_of(TaskId task) const { return *plan_.task(task).spec; }
  std::string name(TaskId task) const { return fmt::format("'{}'", plan_.task(task).path()); }
  bool is_open(TaskId task) const { return plan_.selected(task) && known_[index(task)].state == TaskState::waiting; }

  const TaskData* outputs_of(TaskId task) const {
    return known_[index(task)].state == TaskState::succeeded ? &all_[index(task)].outputs : nullptr;
  }

  std::string names(const std::vector<TaskId>& tasks) const {
    std::vector<std::string> some;
    for (TaskId task : tasks) {
      if (some.size() == k_most_named) break;
      some.push_back(name(task));
    }
    const std::size_t left = tasks.size() - some.size();
    return join(some, ", ") + (left == 0 ? "" : fmt::format(" and {} more", left));
  }

  void end(TaskId task, Outlook outlook, std::string reason) {
    all_[index(task)].outlook = outlook;
    all_[index(task)].reason = std::move(reason);
    if (outlook == Outlook::skip) known_[index(task)].state = TaskState::skipped;
    if (outlook == Outlook::fail) known_[index(task)].state = TaskState::failed;
  }

  void hang_on(TaskId task, std::vector<TaskId> others, std::string reason) {
    end(task, Outlook::depends, std::move(reason));
    all_[index(task)].depends_on = std::move(others);
  }

  void succeed(TaskId task, Outlook outlook, TaskData outputs, std::string reason) {
    end(task, outlook, std::move(reason));
    all_[index(task)].outputs = std::move(outputs);
    known_[index(task)].state = TaskState::succeeded;
  }

  // In the order in which Run decides: selection, what it needs, condition, inputs, cache.
  void foresee(TaskId task) {
    if (!plan_.selected(task)) return end(task, Outlook::skip, "not selected");
    const bool is_always_tried = spec_of(task).trigger == spec::TriggerStrategy::all_completed;
    if (!is_always_tried && skips_with_need(task)) return;
    if (!is_always_tried && first_failure_ && options_.on_failure == FailurePolicy::fail_fast) {
      return end(task, Outlook::skip, fmt::format("not started because {} failed", name(*first_failure_)));
    }
    if (spec_of(task).when && !condition_is_true(task)) return;
    if (!is_always_tried && hangs_on_skipping(task)) return;
    if (plan_.component(task).is_importer()) return foresee_import(task);
    if (std::string why = foreseer_.runs_anyway(task); !why.empty()) return end(task, Outlook::run, std::move(why));
    if (std::vector<TaskId> givers = open_givers(task); !givers.empty()) {
      std::string reason =
          fmt::format("on {}: cached if {} the same", names(givers), givers.size() == 1 ? "it gives" : "they give");
      return hang_on(task, std::move(givers), std::move(reason));
    }
    Result<TaskData> inputs = resolve_inputs(values_, task);
    if (!inputs) return end(task, Outlook::fail, inputs.error().message);
    ask_cache(task, *inputs);
  }

  bool skips_with_need(TaskId task) {
    for (TaskId need : plan_.needs(task)) {
      const TaskState state = known_[index(need)].state;
      if (!plan_.selected(need) || (state != TaskState::skipped && state != TaskState::failed)) continue;
      const Foresight& cause = all_[index(need)];
      const char* end_of_need = state == TaskState::skipped          ? "is skipped"
                                : cause.outlook == Outlook::done ? "failed"
                                                                 : "would fail";
      end(task, Outlook::skip, fmt::format("{} {}", name(need), end_of_need));
      return true;
    }
    return false;
  }

  bool condition_is_true(TaskId task) {
    std::vector<TaskId> givers;
    for (const spec::Reference& reference : spec_of(task).when->references()) {
      if (reference.path.size() < 2 || reference.path[0] != "tasks") continue;
      const std::optional<TaskId> giver = plan_.find(reference.path[1]);
      if (giver && is_open(*giver) && std::ranges::find(givers, *giver) == givers.end()) givers.push_back(*giver);
    }
    if (!givers.empty()) {
      known_[index(task)].may_be_skipped = true;
      std::string reason = fmt::format("on {}: it is run if {}", names(givers), spec_of(task).when->text());
      hang_on(task, std::move(givers), std::move(reason));
      return false;
    }
    const Result<bool> holds = condition_holds(values_, task);
    if (!holds) {
      end(task, Outlook::fail, holds.error().message);
    } else if (!*holds) {
      end(task, Outlook::skip, fmt::format("its condition is false: {}", spec_of(task).when->text()));
    }
    return holds && *holds;
  }

  bool hangs_on_skipping(TaskId task) {
    std::vector<TaskId> others;
    for (TaskId need : plan_.needs(task)) {
      if (plan_.selected(need) && known_[index(need)].may_be_skipped) others.push_back(need);
    }
    if (others.empty()) return false;
    known_[index(task)].may_be_skipped = true;
    std::string reason = fmt::format("on {}: skipped with {}", names(others), others.size() == 1 ? "it" : "any of them");
    hang_on(task, std::move(others), std::move(reason));
    return true;
  }

  // Tasks whose outputs it reads and that are still to give them.
  std::vector<TaskId> open_givers(TaskId task) const {
    std::vector<TaskId> givers;
    plan::for_each_reference(spec_of(task), [&](std::string_view giver, std::string_view output) {
      const std::optional<TaskId> id = output.empty() ? std::nullopt : plan_.find(giver);
      if (id && is_open(*id) && std::ranges::find(givers, *id) == givers.end()) givers.push_back(*id);
    });
    return givers;
  }

  void foresee_import(TaskId task) {
    const std::span<const TaskId> needs = plan_.needs(task);
    const auto open = std::ranges::find_if(needs, [this](TaskId need) { return is_open(need); });
    if (open != needs.end()) return end(task, Outlook::import, fmt::format("looked at when {} has ended", name(*open)));
    Result<TaskData> inputs = resolve_inputs(values_, task);
    if (!inputs) return end(task, Outlook::fail, inputs.error().message);
    Result<TaskData> found = foreseer_.import(task, *inputs);
    if (!found) return end(task, Outlook::fail, found.error().message);
    succeed(task, Outlook::import, std::move(*found), "");
  }

  void ask_cache(TaskId task, const TaskData& inputs) {
    CacheAnswer answer = foreseer_.look(task, inputs);
    TaskData outputs = std::exchange(answer.outputs, {});
    if (answer.kind == CacheAnswer::Kind::hit) {
      succeed(task, Outlook::cached, std::move(outputs), "from run " + answer.from_run);
    } else if (answer.kind == CacheAnswer::Kind::busy) {
      hang_on(task, {}, answer.why);
    } else {
      end(task, Outlook::run, answer.why);
    }
    all_[index(task)].answer = std::move(answer);
  }

  const plan::Plan& plan_;
  const RunOptions& options_;
  Foreseer& foreseer_;
  std::vector<Foresight> all_;
  std::vector<Known> known_;
  std::optional<TaskId> first_failure_;
  const ValueSource values_;
};

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
  Foreseeing foreseeing(plan, options, foreseer);
  foreseeing.recover(recovered);
  return std::move(foreseeing).foresee();
}

}  // namespace mlpipe::engine
