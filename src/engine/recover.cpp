#include <utility>

#include "mlpipe/base/assert.hpp"
#include "run_impl.hpp"

namespace mlpipe::engine {

void Run::Impl::recover(std::vector<Recovered> recovered) {
  const auto stays = [this](TaskId id, TaskState state) {
    --counts[static_cast<std::size_t>(at(id).state)];
    ++counts[static_cast<std::size_t>(state)];
    at(id).state = state;
    const bool is_in_list = at(id).unmet == 0 || !plan.selected(id);
    if (!is_in_list) to_settle.push_back(id);
  };
  for (Recovered& known : recovered) {
    Task& task = at(known.task);
    task.attempt = known.attempt;
    task.faults_of_the_world = known.faults_of_the_world;
    const spec::TaskSettings& settings = *spec_of(known.task).settings;
    if (known.memory != 0 && known.memory != settings.resources.memory) set_memory(known.task, known.memory);
    if (known.state == TaskState::succeeded) {
      if (!is_empty(known.outputs)) task.outputs = std::make_unique<const TaskData>(std::move(known.outputs));
      if (!known.cached_from.empty()) {
        task.reason = add_reason(std::move(known.cached_from));
        ++cached;
      }
      stays(known.task, TaskState::succeeded);
    } else if (known.state == TaskState::failed) {
      task.reason = add_reason(std::move(known.reason));
      stays(known.task, TaskState::failed);
      if (!first_failure) first_failure = known.task;
    } else if (is_active(known.state)) {
      to_take_up.emplace_back(known.task, known.take_up);
    }
  }
}

// First of all, for they are under way: whatever the limits are now, they hold what they hold.
void Run::Impl::take_up_attempts() {
  if (to_take_up.empty()) return;
  // What they need succeeded before they were started, so they do not wait for it now.
  for (const auto& [id, take_up] : std::exchange(to_take_up, {})) {
    set(id, TaskState::ready);
    Result<TaskData> inputs = inputs_of(id);
    if (!inputs) {
      set(id, TaskState::failed, {.reason = add_reason(inputs.error().message)});
      continue;
    }
    const std::uint64_t memory = memory_of(id);
    set(id, TaskState::starting,
        {.inputs = as_recorded(id, *inputs),
         .memory = memory != 0 ? memory : spec_of(id).settings->resources.memory,
         .taken_up = true});
    effects.emplace_back(Start{AttemptRequest{
        .id = {id, at(id).attempt}, .inputs = std::move(*inputs), .memory = memory, .take_up = take_up}});
  }
}

}  // namespace mlpipe::engine
