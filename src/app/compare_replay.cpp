#include "app/compare_replay.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/payload_difference.hpp"
#include "app/recorded_run.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using metadata::TaskRow;

const TaskRow* find(const RecordedRun& recorded, const std::string& path) {
  const auto found = std::ranges::find(recorded.tasks, path, &TaskRow::path);
  return found == recorded.tasks.end() ? nullptr : &*found;
}

std::string reason_of(const TaskRow& task) {
  if (!task.reason.empty()) return task.reason;
  if (!task.attempts.empty()) return task.attempts.back().message;
  return "";
}

std::filesystem::path payload_of(const RecordedRun& recorded, const TaskRow& task, const std::string& output,
                                 const std::filesystem::path& root) {
  const auto artifact = task.outputs.artifacts.find(output);
  if (artifact == task.outputs.artifacts.end()) return {};
  return payload_path(artifact->second.uri, recorded.run.root, root);
}

std::vector<std::string> other_inputs(const TaskRow& before, const TaskRow& now) {
  std::vector<std::string> other;
  for (const auto& [name, artifact] : now.inputs.artifacts) {
    const auto old = before.inputs.artifacts.find(name);
    if (old == before.inputs.artifacts.end() || old->second.digest != artifact.digest) other.push_back(name);
  }
  return other;
}

// The outputs of two rows of one task.
class OutputComparison final {
 public:
  OutputComparison(const RecordedRun& original, const TaskRow& before, const RecordedRun& replay, const TaskRow& now,
                   const std::filesystem::path& root)
      : original_(original), before_(before), replay_(replay), now_(now), root_(root) {}

  std::vector<OutputDifference> differences(WallTime at) {
    RunDifferences found = compare_runs({original_.run, {before_}}, {replay_.run, {now_}}, at);
    add(OutputDifference::Kind::artifact, std::move(found.artifacts));
    add(OutputDifference::Kind::parameter, std::move(found.outputs));
    add(OutputDifference::Kind::metric, std::move(found.metrics));
    return std::move(differences_);
  }

 private:
  void add(OutputDifference::Kind kind, std::vector<Difference> found) {
    for (Difference& one : found) {
      one.name.erase(0, now_.path.size() + 1);  // "<task>."
      OutputDifference& added = differences_.emplace_back(OutputDifference{.kind = kind, .values = std::move(one)});
      if (kind != OutputDifference::Kind::artifact) continue;
      const std::string& output = added.values.name;
      added.first_difference =
          first_difference(payload_of(original_, before_, output, root_), payload_of(replay_, now_, output, root_));
    }
  }

  const RecordedRun& original_;
  const TaskRow& before_;
  const RecordedRun& replay_;
  const TaskRow& now_;
  const std::filesystem::path& root_;
  std::vector<OutputDifference> differences_;
};

}  // namespace

std::string_view to_string(ReplayResult result) {
  switch (result) {
    case ReplayResult::equal: return "equal";
    case ReplayResult::differs: return "differs";
    case ReplayResult::failed: return "failed";
  }
  return "";
}

std::string_view to_string(OutputDifference::Kind kind) {
  switch (kind) {
    case OutputDifference::Kind::artifact: return "artifact";
    case OutputDifference::Kind::parameter: return "parameter";
    case OutputDifference::Kind::metric: return "metric";
  }
  return "";
}

std::vector<ReplayedTask> compare_replay(const RecordedRun& original, const RecordedRun& replay,
                                         const std::vector<std::string>& tasks, const std::filesystem::path& root,
                                         WallTime now) {
  std::vector<ReplayedTask> compared;
  for (const std::string& path : tasks) {
    const TaskRow* before = find(original, path);
    const TaskRow* again = find(replay, path);
    if (before == nullptr || again == nullptr) continue;
    ReplayedTask& task = compared.emplace_back(ReplayedTask{.task = path});
    task.took_before = duration_of(original.run, *before, now);
    task.took = duration_of(replay.run, *again, now);
    task.other_inputs = other_inputs(*before, *again);
    if (again->state != before->state) {
      const bool succeeded = again->state == TaskState::succeeded;
      task.result = again->state == TaskState::skipped || succeeded ? ReplayResult::differs : ReplayResult::failed;
      task.message =
          fmt::format("{} now, {} before", engine::to_string(again->state), engine::to_string(before->state));
      const std::string why = reason_of(succeeded ? *before : *again);
      if (!why.empty()) task.message += ": " + why;
    } else if (again->state == TaskState::succeeded) {
      task.outputs = OutputComparison(original, *before, replay, *again, root).differences(now);
      if (!task.outputs.empty()) task.result = ReplayResult::differs;
    } else if (again->state != TaskState::skipped) {
      task.result = ReplayResult::failed;
      task.message = fmt::format("{}, as before", reason_of(*again));
    } else {
      task.message = "skipped, as before";
    }
  }
  return compared;
}

}  // namespace mlpipe::app
