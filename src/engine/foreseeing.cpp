#include "foreseeing.hpp"

#include <algorithm>
#include <utility>

#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/references.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::size_t k_most_named = 3;

}  // namespace

bool may_be_discarded(const plan::Plan& plan, TaskId task) {
  const spec::TaskSpec& spec = *plan.task(task).spec;
  if (spec.settings->keep) return false;
  const auto gives = [&spec](const spec::PipelineOutput& output) { return output.source.task == spec.name; };
  if (std::ranges::any_of(plan.spec().root_dag().outputs, gives)) return false;
  const std::span<const TaskId> dependants = plan.dependants(task);
  return !dependants.empty() && std::ranges::all_of(dependants, [&plan](TaskId each) { return plan.selected(each); });
}

bool reads_artifact(const plan::Plan& plan, TaskId reader, TaskId maker) {
  const spec::Interface& gives = plan.component(maker).interface;
  bool reads = false;
  plan::for_each_reference(*plan.task(reader).spec, [&](std::string_view giver, std::string_view output) {
    if (giver != plan.task(maker).path()) return;
    reads = reads || std::ranges::find(gives.output_artifacts, output, &spec::ArtifactSpec::name) !=
                         gives.output_artifacts.end();
  });
  return reads;
}

Foreseeing::Foreseeing(ValueSource past, Foreseer& foreseer)
    : past_(std::move(past)),
      plan_(past_.plan),
      options_(past_.options),
      foreseer_(foreseer),
      values_{.plan = plan_,
              .options = options_,
              .outputs = [this](TaskId task) { return outputs_of(task); },
              .state = [this](TaskId task) { return state_of(task); }} {}

void Foreseeing::recover(const std::vector<Recovered>& recovered) {
  for (const Recovered& task : recovered) {
    if (is_active(task.state)) {
      end(task.task, Outlook::go_on, fmt::format("attempt {} was under way", task.attempt));
    } else if (task.state == TaskState::succeeded) {
      succeed(task.task, Outlook::done, task.outputs, "succeeded");
    } else if (task.state == TaskState::failed) {
      end(task.task, Outlook::done, "failed: " + task.reason);
      entries_[task.task].state = TaskState::failed;
      if (!first_failure_) first_failure_ = task.task;
    } else {
      continue;
    }
    entries_[task.task].settled = true;
  }
}

// ---- What is known ----------------------------------------------------------------------------------------------

const Foreseeing::Entry* Foreseeing::foreseen(TaskId task) const {
  const auto entry = entries_.find(task);
  if (entry == entries_.end()) return nullptr;
  return entry->second.assumed || past_.state(task) == TaskState::waiting ? &entry->second : nullptr;
}

TaskState Foreseeing::state_of(TaskId task) const {
  const Entry* entry = foreseen(task);
  return entry == nullptr ? past_.state(task) : entry->state;
}

const TaskData* Foreseeing::outputs_of(TaskId task) const {
  const Entry* entry = foreseen(task);
  if (entry == nullptr) return past_.outputs(task);
  return entry->state == TaskState::succeeded ? &entry->foresight.outputs : nullptr;
}

bool Foreseeing::may_be_skipped(TaskId task) const {
  const Entry* entry = foreseen(task);
  return entry != nullptr && entry->may_be_skipped;
}

bool Foreseeing::has_ended(TaskId task) const {
  const auto entry = entries_.find(task);
  return is_final(entry != entries_.end() && entry->second.settled ? entry->second.state : past_.state(task));
}

bool Foreseeing::is_blank(TaskId task) const {
  return past_.state(task) == TaskState::waiting && !entries_.contains(task);
}

std::string Foreseeing::names(const std::vector<TaskId>& tasks) const {
  std::vector<std::string> some;
  for (TaskId task : tasks) {
    if (some.size() == k_most_named) break;
    some.push_back(name(task));
  }
  const std::size_t left = tasks.size() - some.size();
  return join(some, ", ") + (left == 0 ? "" : fmt::format(" and {} more", left));
}

void Foreseeing::end(TaskId task, Outlook outlook, std::string reason) {
  Entry& entry = entries_[task];
  entry.foresight.outlook = outlook;
  entry.foresight.reason = std::move(reason);
  if (outlook == Outlook::skip) entry.state = TaskState::skipped;
  if (outlook == Outlook::fail) entry.state = TaskState::failed;
}

void Foreseeing::hang_on(TaskId task, std::vector<TaskId> others, std::string reason) {
  end(task, Outlook::depends, std::move(reason));
  entries_[task].foresight.depends_on = std::move(others);
}

void Foreseeing::succeed(TaskId task, Outlook outlook, TaskData outputs, std::string reason) {
  end(task, outlook, std::move(reason));
  entries_[task].foresight.outputs = std::move(outputs);
  entries_[task].state = TaskState::succeeded;
}

std::vector<Foresight> Foreseeing::all() && {
  std::vector<Foresight> all(plan_.size());
  for (auto& [task, entry] : entries_) all[plan::index(task)] = std::move(entry.foresight);
  return all;
}

// ---- One task ---------------------------------------------------------------------------------------------------

// In the order in which Run decides: selection, what it needs, condition, inputs, cache.
void Foreseeing::foresee(TaskId task) {
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

bool Foreseeing::skips_with_need(TaskId task) {
  for (TaskId need : plan_.needs(task)) {
    const TaskState state = state_of(need);
    if (!plan_.selected(need) || !is_final(state) || state == TaskState::succeeded) continue;
    const Entry* cause = foreseen(need);
    const bool is_yet_to_fail = cause != nullptr && cause->foresight.outlook != Outlook::done;
    const char* end_of_need = state == TaskState::skipped ? "is skipped" : is_yet_to_fail ? "would fail" : "failed";
    end(task, Outlook::skip, fmt::format("{} {}", name(need), end_of_need));
    return true;
  }
  return false;
}

bool Foreseeing::condition_is_true(TaskId task) {
  std::vector<TaskId> givers;
  for (const spec::Reference& reference : spec_of(task).when->references()) {
    if (reference.path.size() < 2 || reference.path[0] != "tasks") continue;
    const std::optional<TaskId> giver = plan_.find(reference.path[1]);
    if (giver && is_open(*giver) && std::ranges::find(givers, *giver) == givers.end()) givers.push_back(*giver);
  }
  if (!givers.empty()) {
    std::string reason = fmt::format("on {}: it is run if {}", names(givers), spec_of(task).when->text());
    hang_on(task, std::move(givers), std::move(reason));
    entries_[task].may_be_skipped = true;
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

bool Foreseeing::hangs_on_skipping(TaskId task) {
  std::vector<TaskId> others;
  for (TaskId need : plan_.needs(task)) {
    if (plan_.selected(need) && may_be_skipped(need)) others.push_back(need);
  }
  if (others.empty()) return false;
  std::string reason = fmt::format("on {}: skipped with {}", names(others), others.size() == 1 ? "it" : "any of them");
  hang_on(task, std::move(others), std::move(reason));
  entries_[task].may_be_skipped = true;
  return true;
}

// Tasks whose outputs it reads and that are still to give them.
std::vector<TaskId> Foreseeing::open_givers(TaskId task) const {
  std::vector<TaskId> givers;
  plan::for_each_reference(spec_of(task), [&](std::string_view giver, std::string_view output) {
    const std::optional<TaskId> id = output.empty() ? std::nullopt : plan_.find(giver);
    if (id && is_open(*id) && std::ranges::find(givers, *id) == givers.end()) givers.push_back(*id);
  });
  return givers;
}

void Foreseeing::foresee_import(TaskId task) {
  const std::span<const TaskId> needs = plan_.needs(task);
  const auto open = std::ranges::find_if(needs, [this](TaskId need) { return is_open(need); });
  if (open != needs.end()) return end(task, Outlook::import, fmt::format("looked at when {} has ended", name(*open)));
  Result<TaskData> inputs = resolve_inputs(values_, task);
  if (!inputs) return end(task, Outlook::fail, inputs.error().message);
  Result<std::optional<TaskData>> found = foreseer_.import(task, *inputs);
  if (!found) return end(task, Outlook::fail, found.error().message);
  if (!*found) return end(task, Outlook::import, "");
  succeed(task, Outlook::import, std::move(**found), "");
}

void Foreseeing::ask_cache(TaskId task, const TaskData& inputs) {
  CacheAnswer answer = foreseer_.look(task, inputs);
  if (answer.kind == CacheAnswer::Kind::removed && may_be_discarded(plan_, task)) return assume(task, answer);
  TaskData outputs = std::exchange(answer.outputs, {});
  if (answer.kind == CacheAnswer::Kind::hit) {
    succeed(task, Outlook::cached, std::move(outputs), "from run " + answer.from_run);
  } else if (answer.kind == CacheAnswer::Kind::busy) {
    hang_on(task, {}, answer.why);
  } else {
    answer.kind = CacheAnswer::Kind::miss;
    end(task, Outlook::run, answer.why);
  }
  entries_[task].foresight.answer = std::move(answer);
}

// ---- Results whose artifacts are gone ---------------------------------------------------------------------------

void Foreseeing::assume(TaskId task, const CacheAnswer& answer) {
  forget_what_hangs_on(task);
  succeed(task, Outlook::cached, answer.outputs, "from run " + answer.from_run);
  Entry& entry = entries_[task];
  entry.assumed = true;
  entry.foresight.answer = answer;
  entry.foresight.answer.outputs = {};
}

void Foreseeing::accept(TaskId task) {
  Foresight& foresight = entries_[task].foresight;
  foresight.answer.kind = CacheAnswer::Kind::hit;
  foresight.answer.removed = true;
  foresight.reason += "; its artifacts were taken away, and nothing needs them";
}

void Foreseeing::give_up(TaskId task, Outlook outlook, std::string reason, std::vector<TaskId> depends_on) {
  forget_what_hangs_on(task);
  CacheAnswer answer = std::move(entries_[task].foresight.answer);
  answer.kind = CacheAnswer::Kind::miss;
  answer.why = reason;
  entries_[task] = {};
  end(task, outlook, std::move(reason));
  entries_[task].foresight.depends_on = std::move(depends_on);
  if (!answer.fingerprint.empty()) {
    const TaskId maker = given_up_.try_emplace(answer.fingerprint, task).first->second;
    if (maker != task) hang_on(task, {maker}, fmt::format("{} makes the very same result", name(maker)));
  }
  entries_[task].foresight.answer = std::move(answer);
}

// What is run whatever it is given, or was a miss, is so still: the task is taken to give the same once more.
void Foreseeing::forget_what_hangs_on(TaskId task) {
  std::vector<TaskId> changed{task};
  while (!changed.empty()) {
    const TaskId giver = changed.back();
    changed.pop_back();
    for (TaskId dependant : plan_.dependants(giver)) {
      const auto entry = entries_.find(dependant);
      if (entry == entries_.end() || entry->second.settled || entry->second.foresight.outlook == Outlook::run) continue;
      entries_.erase(entry);
      changed.push_back(dependant);
    }
  }
}

}  // namespace mlpipe::engine
