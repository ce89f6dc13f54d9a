#include <utility>

#include "run_impl.hpp"

namespace mlpipe::engine {

bool Run::Impl::is_cached(TaskId id) {
  if (cache == nullptr) return false;
  Result<TaskData> inputs = inputs_of(id);
  if (!inputs) return false;  // told when it would start
  CacheAnswer answer = cache->look_up(id, *inputs);
  if (answer.kind != CacheAnswer::Kind::hit) return false;
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
  change.cache = &turn.answers.emplace_back(std::move(answer));
  if (change.cache->kind == CacheAnswer::Kind::miss) {
    // Tried again in the turn in which its attempt failed: what it holds, it keeps.
    std::erase_if(effects, [id](const Effect& effect) {
      const auto* release = std::get_if<Release>(&effect);
      return release != nullptr && release->task == id;
    });
    return Claim::granted;
  }
  change.reason = add_reason(change.cache->why);
  set(id, TaskState::deferred, change);
  return Claim::settled;
}

void Run::Impl::succeed_by(TaskId id, CacheAnswer answer, TaskData inputs) {
  Change change;
  change.inputs = is_empty(inputs) ? &k_no_data : &turn.inputs.emplace_back(std::move(inputs));
  if (!is_empty(answer.outputs)) at(id).outputs = std::make_unique<const TaskData>(std::move(answer.outputs));
  answer.outputs = {};
  if (answer.from_run != reasons[last_source].text) last_source = add_reason(answer.from_run);
  at(id).reason = last_source;
  change.cache = &turn.answers.emplace_back(std::move(answer));
  ++cached;
  set(id, TaskState::succeeded, change);
}

}  // namespace mlpipe::engine
