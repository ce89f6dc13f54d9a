#include <algorithm>
#include <utility>

#include "removals.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {

bool Run::Impl::is_cached(TaskId id) {
  if (cache == nullptr) return false;
  Result<TaskData> inputs = inputs_of(id);
  if (!inputs) return false;  // told when it would start
  CacheAnswer answer = cache->look_up(id, *inputs);
  const bool does =
      answer.kind == CacheAnswer::Kind::hit || (answer.kind == CacheAnswer::Kind::removed && !need_of(id, answer));
  if (!does) return false;
  succeed_by(id, std::move(answer), std::move(*inputs));
  return true;
}

Run::Impl::Claim Run::Impl::claim(TaskId id, const TaskData& inputs, Change& change) {
  if (cache == nullptr) return Claim::granted;
  CacheAnswer answer = cache->claim(id, inputs);
  if (answer.kind == CacheAnswer::Kind::hit) {
    succeed_by(id, std::move(answer), inputs);
    return Claim::settled;
  }
  const bool is_removed = answer.kind == CacheAnswer::Kind::removed;
  if (is_removed || answer.kind == CacheAnswer::Kind::miss) {
    // Tried again in the turn in which its attempt failed: what it holds, it keeps.
    std::erase_if(effects, [id](const Effect& effect) {
      const auto* release = std::get_if<Release>(&effect);
      return release != nullptr && release->task == id;
    });
  }
  if (is_removed) {
    std::optional<Need> need = need_of(id, answer);
    if (!need) {
      effects.emplace_back(Release{id});
      succeed_by(id, std::move(answer), inputs);
      return Claim::settled;
    }
    answer.kind = CacheAnswer::Kind::miss;
    answer.why = std::move(need->why);
    answer.outputs = {};
    if (need->hangs_on && is_import_under_way(*need->hangs_on)) {
      effects.emplace_back(Release{id});
      deferred_until.emplace(*need->hangs_on, id);
      answer.kind = CacheAnswer::Kind::busy;
    }
  }
  change.cache = &turn.answers.emplace_back(std::move(answer));
  if (change.cache->kind == CacheAnswer::Kind::miss) return Claim::granted;
  change.reason = add_reason(change.cache->why);
  set(id, TaskState::deferred, change);
  return Claim::settled;
}

std::optional<Need> Run::Impl::need_of(TaskId id, const CacheAnswer& answer) {
  if (!may_be_discarded(plan, id)) return Need{answer.why, std::nullopt};
  if (!removals) removals = std::make_unique<Removals>(values_of(self), *cache);
  return removals->need_of(id, answer, first_failure);
}

bool Run::Impl::is_import_under_way(TaskId id) const {
  const TaskState state = at(id).state;
  return plan.component(id).is_importer() &&
         (state == TaskState::ready || state == TaskState::retry_wait || is_active(state));
}

void Run::Impl::wake_deferred(TaskId ended) {
  const auto [begin, end] = deferred_until.equal_range(ended);
  for (auto each = begin; each != end; ++each) {
    if (at(each->second).state == TaskState::deferred) set(each->second, TaskState::ready);
  }
  deferred_until.erase(begin, end);
}

// Its result was foreseen when that of a task which it reads from was taken, but was not there when it was to be used.
bool Run::Impl::reads_what_is_gone(TaskId id) const {
  if (gone.empty()) return false;
  const std::span<const TaskId> needs = plan.needs(id);
  return std::ranges::any_of(needs, [&](TaskId need) { return gone.contains(need) && reads_artifact(plan, id, need); });
}

void Run::Impl::succeed_by(TaskId id, CacheAnswer answer, TaskData inputs) {
  Change change;
  if (answer.kind == CacheAnswer::Kind::removed) {
    answer.kind = CacheAnswer::Kind::hit;
    answer.removed = true;
    answer.why.clear();
    gone.insert(id);
  }
  change.inputs = as_recorded(id, std::move(inputs));
  if (!is_empty(answer.outputs)) at(id).outputs = std::make_unique<const TaskData>(std::move(answer.outputs));
  answer.outputs = {};
  if (answer.from_run != reasons[last_source].text) last_source = add_reason(answer.from_run);
  at(id).reason = last_source;
  change.cache = &turn.answers.emplace_back(std::move(answer));
  ++cached;
  set(id, TaskState::succeeded, change);
}

}  // namespace mlpipe::engine
