#include "app/replay_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/recorded_run.hpp"
#include "app/run_options.hpp"
#include "app/verify_artifacts.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::TaskRow;

Result<> check_ended(const metadata::RunRow& run) {
  if (run.state != engine::RunState::running) return {};
  return fail_with_hint(ErrorCode::conflict,
                        fmt::format("run {} is {}: only a run that has ended can be replayed", run.id,
                                    run.interrupted ? "interrupted" : "still running"),
                        run.interrupted ? fmt::format("`mlpipe resume {}` first", run.id) : "wait for its end");
}

bool ran(const TaskRow& task) { return !task.attempts.empty() || !task.cached_from.empty(); }

// `task` and those it was given something by: what it needs, near and far, as far as it succeeded.
Result<std::vector<std::string>> with_givers(const spec::PipelineSpec& spec, const RecordedRun& original,
                                             const std::string& task) {
  Result<plan::Plan> plan = plan::make_plan(spec, original.run.arguments.as_struct());
  if (!plan) return Failure(plan.error());
  std::set<std::string> succeeded;
  for (const TaskRow& row : original.tasks) {
    if (row.state == TaskState::succeeded) succeeded.insert(row.path);
  }
  std::vector<std::string> names;
  std::vector<plan::TaskId> next{plan->find(task).value()};
  std::set<plan::TaskId> seen(next.begin(), next.end());
  while (!next.empty()) {
    const plan::TaskId id = next.back();
    next.pop_back();
    names.emplace_back(plan->task(id).path());
    for (plan::TaskId need : plan->needs(id)) {
      if (succeeded.contains(std::string(plan->task(need).path())) && seen.insert(need).second) next.push_back(need);
    }
  }
  return names;
}

// What a VerifiedArtifact is to the replay: "import raw", "input dataset of task train".
std::string name_of(const VerifiedArtifact& artifact, const RunCommand& command) {
  if (command.replay_task.empty()) return fmt::format("import {}", artifact.task);
  return fmt::format("input {} of task {}", artifact.output, artifact.task);
}

std::string objection_to(const VerifiedArtifact& artifact) {
  const std::string path = artifact.path.string();
  switch (artifact.finding) {
    case Finding::missing:
    case Finding::removed: return fmt::format("nothing is at {} any more", path);
    case Finding::unreadable: return fmt::format("{}: {}", artifact.recorded.uri, artifact.message);
    default: break;
  }
  if (!artifact.message.empty()) return fmt::format("{} has changed: {}", path, artifact.message);
  return fmt::format("{} has changed: {} then, {} now", path, bytes_text(artifact.recorded.bytes),
                     bytes_text(artifact.bytes));
}

std::vector<VerifiedArtifact> data_of(const plan::Plan& plan, const RunCommand& command, const RecordedRun& original,
                                      const std::filesystem::path& root) {
  std::vector<VerifiedArtifact> data;
  const auto add = [&](const TaskRow& task, const std::string& name, const engine::Artifact& artifact) {
    VerifiedArtifact& added = data.emplace_back();
    added.task = task.path;
    added.output = name;
    added.recorded = artifact;
    added.path = payload_path(artifact.uri, original.run.root, root);
  };
  for (const TaskRow& task : original.tasks) {
    if (task.path == command.replay_task) {
      for (const auto& [name, artifact] : task.inputs.artifacts) add(task, name, artifact);
    }
    const std::optional<plan::TaskId> id = plan.find(task.path);
    if (!command.replay_task.empty() || !id || !plan.selected(*id) || !plan.component(*id).is_importer()) continue;
    for (const auto& [name, artifact] : task.outputs.artifacts) add(task, name, artifact);
  }
  return data;
}

// What to do about `data` that is not as it was. Never what would only say the same again.
std::string way_out(const plan::Plan& plan, const RunCommand& command, const RecordedRun& original,
                    const std::vector<VerifiedArtifact>& data) {
  const std::string new_run =
      fmt::format("`mlpipe run {}` makes a new run of what there is now", original.run.spec_file);
  if (command.replay_task.empty()) {
    return fmt::format("bring the data back; or replay a task that does not read it: mlpipe replay {} TASK; or {}",
                       original.run.id, new_run);
  }
  // The whole run makes what its tasks put out, but what it imported it needs as well.
  const auto is_imported = [&](const VerifiedArtifact& artifact) {
    return std::ranges::any_of(original.tasks, [&](const TaskRow& task) {
      const std::optional<plan::TaskId> id = plan.find(task.path);
      if (!id || !plan.component(*id).is_importer()) return false;
      return std::ranges::any_of(task.outputs.artifacts,
                                 [&](const auto& output) { return output.second.uri == artifact.recorded.uri; });
    });
  };
  if (std::ranges::any_of(data, is_imported)) return "bring it back; or " + new_run;
  return fmt::format("bring it back; or replay the whole run, which makes it again: mlpipe replay {}", original.run.id);
}

}  // namespace

Result<RunCommand> command_of_replay(const RecordedRun& original, const spec::PipelineSpec& spec,
                                     const ReplayCommand& said) {
  const metadata::RunRow& run = original.run;
  if (Result<> ended = check_ended(run); !ended) return Failure(ended.error());
  RunCommand command = said.options;
  apply_options(run.options, command);
  command.keep_going = command.keep_going || said.options.keep_going;
  if (said.options.grace != RunCommand().grace) command.grace = said.options.grace;
  if (!run.parent.empty() && command.replay_of.empty()) {
    // Of a run that went on from another, they said what was to run again: all of it does (execution.cpp, prepare()).
    command.until.insert(command.until.end(), command.only.begin(), command.only.end());
    command.only.clear();
    command.from.clear();
  }
  command.replay_of = run.id;
  command.replay_task = said.task.empty() ? command.replay_task : said.task;
  command.cache = false;
  if (command.replay_task.empty()) return command;

  Result<const TaskRow*> task = find_task(run, original.tasks, command.replay_task);
  if (!task) return Failure(task.error());
  if (!ran(**task)) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("task {} of run {} did not run: {}", (*task)->path, run.id, (*task)->reason),
                          "nobody knows what it would have been given; replay another task, or the whole run");
  }
  Result<std::vector<std::string>> names = with_givers(spec, original, (*task)->path);
  if (!names) return Failure(names.error());
  command.from.clear();
  command.until.clear();
  command.only = std::move(*names);
  return command;
}

Result<runner::GivenResults> given_results(const plan::Plan& plan, const RunCommand& command,
                                           const artifact::Root& root) {
  runner::GivenResults given;
  if (command.replay_task.empty()) return given;
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  Result<RecordedRun> original = read_run(**queries, command.replay_of);
  if (!original) return within("finding the run that is replayed", original.error());
  for (TaskRow& task : original->tasks) {
    const std::optional<plan::TaskId> id = plan.find(task.path);
    if (!id || !plan.selected(*id) || task.path == command.replay_task) continue;
    for (auto& [name, artifact] : task.outputs.artifacts) {
      const std::filesystem::path path = payload_path(artifact.uri, original->run.root, root.path());
      if (!path.empty()) artifact.uri = path.string();
    }
    engine::CacheAnswer& answer = given[*id];
    answer.kind = engine::CacheAnswer::Kind::hit;
    answer.from_run = original->run.id;
    answer.made = original->run.created;
    if (!task.attempts.empty() && task.attempts.back().finished) answer.made = *task.attempts.back().finished;
    answer.removed = task.removed;
    answer.outputs = std::move(task.outputs);
  }
  return given;
}

Result<std::map<std::string, runner::PinnedImage>> pinned_images(const plan::Plan& plan,
                                                                 const runner::GivenResults& given,
                                                                 const RecordedRun& original) {
  std::map<std::string, runner::PinnedImage> pins;
  for (const TaskRow& task : original.tasks) {
    const std::optional<plan::TaskId> id = plan.find(task.path);
    if (!id || !plan.selected(*id) || given.contains(*id) || task.image.empty()) continue;
    if (task.image_id.empty()) {
      return fail(ErrorCode::unavailable, "task {} of run {}: no id of its image {} is on record", task.path,
                  original.run.id, task.image);
    }
    pins.insert_or_assign(task.image, runner::PinnedImage{.id = task.image_id, .digest = task.image_digest});
  }
  return pins;
}

Result<> check_data(const plan::Plan& plan, const RunCommand& command, const RecordedRun& original,
                    const artifact::Root& root, const sys::StopSignal& stop) {
  std::vector<VerifiedArtifact> data = data_of(plan, command, original, root.path());
  if (!verify_artifacts(data, stop, {})) {
    return fail(ErrorCode::cancelled, "checking the data of run {}: interrupted", original.run.id);
  }
  std::erase_if(data, [](const VerifiedArtifact& artifact) { return artifact.finding == Finding::ok; });
  if (data.empty()) return {};
  std::vector<std::string> lines;
  for (const VerifiedArtifact& artifact : data) {
    lines.push_back(printable(fmt::format("{} is not what run {} had: {}", name_of(artifact, command), original.run.id,
                                          objection_to(artifact))));
  }
  const bool readable = std::ranges::all_of(data, [](const auto& one) { return one.finding != Finding::unreadable; });
  return fail_with_hint(readable ? ErrorCode::conflict : ErrorCode::io, join(lines, "\n"),
                        way_out(plan, command, original, data));
}

}  // namespace mlpipe::app
