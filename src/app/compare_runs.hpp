#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// How two runs, a and b, differ; what is the same is left out. Where one has nothing, its side is empty.
struct Difference {
  std::string name;
  std::optional<Value> a;
  std::optional<Value> b;
  std::optional<Value> by = std::nullopt;  // b less a, of numbers
};

struct RunDifferences {
  std::vector<Difference> made_with;  // pipeline, spec, commit, engine, version
  std::vector<Difference> parameters;
  std::vector<Difference> images;     // by reference as written: the ids
  std::vector<Difference> tasks;      // by path: the states; a task that only one has is empty on the other side
  std::vector<Difference> inputs;     // input parameters, by task.name, where the default of a component counted
  std::vector<Difference> metrics;    // by task.output.name; of tasks both have, as all below
  std::vector<Difference> outputs;    // output parameters, by task.name
  std::vector<Difference> artifacts;  // by task.output: structs of digest and bytes
  std::vector<Difference> durations;  // by task, in milliseconds

  // Nothing differs but how long it took.
  bool is_same() const;
};

struct RecordedRun {
  metadata::RunRow run;
  std::vector<metadata::TaskRow> tasks;
};

// The run that `reference` means (Queries::find_run) with its tasks.
Result<RecordedRun> read_run(metadata::Queries& queries, const std::string& reference);

RunDifferences compare_runs(const RecordedRun& a, const RecordedRun& b, WallTime now);

}  // namespace mlpipe::app
