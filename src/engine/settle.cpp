#include <algorithm>
#include <utility>

#include "foreseeing.hpp"
#include "inputs.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {

// By a list, not by recursion, for chains are long.
void Run::Impl::settle() {
  while (true) {
    for (std::size_t next = 0; next < to_settle.size(); ++next) settle_one(to_settle[next]);
    to_settle.clear();
    // Only now: what depends on the failed task is skipped, the rest is cancelled.
    if (rest_cancelled || !failing_fast()) return;
    rest_cancelled = true;
    const std::string_view failed = plan.task(*first_failure).path();
    cancel_unstarted(fmt::format("not started because '{}' failed", failed),
                     fmt::format("not retried because '{}' failed", failed));
  }
}

void Run::Impl::settle_one(TaskId id) {
  if (is_final(at(id).state)) {
    release_dependants(id);
    discard_unneeded(id);
    wake_deferred(id);
  } else if (at(id).state != TaskState::waiting) {
    return;  // taken up from an earlier mlpipe
  } else if (!plan.selected(id)) {
    set(id, TaskState::skipped, {.reason = not_selected});
  } else {
    become_ready_or_not(id);
  }
}

void Run::Impl::release_dependants(TaskId id) {
  // A task left out of the run counts as done: its dependants only wanted the order (plan/selection.hpp).
  const bool met = at(id).state == TaskState::succeeded || !plan.selected(id);
  for (TaskId dependant : plan.dependants(id)) {
    Task& task = at(dependant);
    if (task.state != TaskState::waiting || !plan.selected(dependant)) continue;
    --task.unmet;
    if (!met && spec_of(dependant).trigger == spec::TriggerStrategy::all_succeeded) {
      set(dependant, TaskState::skipped, {.reason = reason_for_dependants(id)});
    } else if (task.unmet == 0) {
      become_ready_or_not(dependant);
    }
  }
}

void Run::Impl::become_ready_or_not(TaskId id) {
  if (!may_start(id)) return;  // about to be cancelled with the rest
  if (spec_of(id).when) {
    const Result<bool> holds = condition_holds(values_of(self), id);
    if (!holds) return set(id, TaskState::failed, {.reason = add_reason(holds.error().message)});
    if (!*holds) {
      const std::uint32_t reason = add_reason(fmt::format("its condition is false: {}", spec_of(id).when->text()));
      return set(id, TaskState::skipped, {.reason = reason});
    }
  }
  if (!is_cached(id)) set(id, TaskState::ready);
}

// Of the tasks that `ended` read from: those whose artifacts nobody needs any more. A dependant that failed might be
// tried again, so what it reads is kept.
void Run::Impl::discard_unneeded(TaskId ended) {
  if (!is_done(ended)) return;
  for (TaskId need : plan.needs(ended)) {
    if (spec_of(need).settings->keep || at(need).state != TaskState::succeeded) continue;
    const std::span<const TaskId> readers = plan.dependants(need);
    if (!std::ranges::all_of(readers, [this](TaskId reader) { return is_done(reader); })) continue;
    if (!may_be_discarded(plan, need) || self.outputs(need)->artifacts.empty()) continue;
    if (gone.insert(need).second) effects.emplace_back(Discard{need});
  }
}

bool Run::Impl::is_done(TaskId id) const {
  return plan.selected(id) && (at(id).state == TaskState::succeeded || at(id).state == TaskState::skipped);
}

std::uint32_t Run::Impl::add_reason(std::string text) {
  reasons.push_back(Reason{.text = std::move(text)});
  return static_cast<std::uint32_t>(reasons.size() - 1);
}

std::uint32_t Run::Impl::reason_for_dependants(TaskId id) {
  Reason& own = reasons[at(id).reason];
  if (own.for_dependants == 0) {
    const std::string_view name = plan.task(id).path();
    const std::uint32_t theirs =
        add_reason(at(id).state == TaskState::failed      ? fmt::format("'{}' failed", name)
                   : at(id).state == TaskState::cancelled ? fmt::format("'{}' was cancelled", name)
                                                          : fmt::format("'{}' was skipped: {}", name, own.text));
    own.for_dependants = theirs;
    reasons[theirs].for_dependants = theirs;  // the first cause is named all the way down
  }
  return own.for_dependants;
}

void Run::Impl::cancel_unstarted(std::string why, std::string_view retry) {
  const std::uint32_t reason = add_reason(std::move(why));
  for (std::uint32_t task = 0; task < tasks.size(); ++task) {
    const TaskId id{task};
    const bool unstarted = !is_final(at(id).state) && !is_active(at(id).state);
    if (!unstarted || may_start(id)) continue;
    const bool retries = at(id).state == TaskState::retry_wait;
    set(id, TaskState::cancelled,
        {.reason = !retries ? reason
                            : add_reason(fmt::format("{}; attempt {} had failed: {}", retry, at(id).attempt,
                                                     reasons[at(id).reason].text))});
  }
}

}  // namespace mlpipe::engine
