#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/compare_runs.hpp"
#include "app/console.hpp"

namespace mlpipe::app {

enum class ReplayResult { equal, differs, failed };
std::string_view to_string(ReplayResult result);

// An output of a task that is not as it was.
struct OutputDifference {
  enum class Kind { artifact, parameter, metric };
  Kind kind = Kind::artifact;
  Difference values;             // a: before, b: now; of an artifact structs of digest and bytes
  std::string first_difference;  // of an artifact, while both payloads are on the disk (payload_difference.hpp)
};
std::string_view to_string(OutputDifference::Kind kind);

// A task that was run again, against what it was.
struct ReplayedTask {
  std::string task;
  ReplayResult result = ReplayResult::equal;
  std::string message;                    // why it failed, or what differs beside its outputs
  std::vector<std::string> other_inputs;  // artifact inputs that were not what they had been
  std::vector<OutputDifference> outputs;  // those that differ
  std::optional<std::chrono::milliseconds> took_before;
  std::optional<std::chrono::milliseconds> took;
};

// Compares `tasks` of `replay` with the same tasks of `original`; both runs have `root` as the place of their root now. A
// task is equal when it ended as it had, and each output has the same bytes and each output parameter and metric the same
// value.
std::vector<ReplayedTask> compare_replay(const RecordedRun& original, const RecordedRun& replay,
                                         const std::vector<std::string>& tasks, const std::filesystem::path& root,
                                         WallTime now);

// What `mlpipe replay` says of it.
std::string replay_text(const RecordedRun& original, const RecordedRun& replay, const std::vector<ReplayedTask>& tasks,
                        const Console& console);
Value replay_value(const RecordedRun& original, const RecordedRun& replay, const std::vector<ReplayedTask>& tasks,
                   const std::filesystem::path& root);

}  // namespace mlpipe::app
