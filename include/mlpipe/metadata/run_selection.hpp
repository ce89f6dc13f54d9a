#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/metadata/queries.hpp"

// Which of the recorded runs are wanted, and in which order.
namespace mlpipe::metadata {

enum class RunStatus { running, interrupted, succeeded, failed, cancelled };

// The words of the enum, as people write them.
std::string_view to_string(RunStatus status);

enum class Comparison { less, at_most, equal, at_least, greater };

// A metric is named by its own name, or by more in front of it: "rmse", "evaluate.rmse" (task or output), or
// "evaluate.test.rmse" (task and output). A short name may mean several metrics of one run.
struct MetricCondition {
  std::string metric;
  Comparison comparison = Comparison::less;
  double value = 0;
};

// All that is said must hold; what is empty says nothing.
struct RunFilter {
  std::vector<RunStatus> statuses;  // one of them
  std::string pipeline;
  std::string experiment;
  std::optional<WallTime> since;                                // begun then or later
  std::vector<std::pair<std::string, std::string>> parameters;  // name and value in text form (base/value.hpp)
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<MetricCondition> metrics;  // one of those the name means must fit
};

enum class RunKey { created, duration, metric };
enum class Direction { ascending, descending };

// Runs of which the key is not known come last in both directions, runs of equal keys newest first. Of several metrics of one
// name the least counts when ascending, the greatest when descending.
struct RunSort {
  RunKey key = RunKey::created;
  std::string metric;  // of RunKey::metric
  Direction direction = Direction::descending;
};

struct RunSelection {
  RunFilter filter;
  std::optional<RunSort> sort;  // none: newest first, by the order in which they were recorded
  std::size_t limit = 0;        // 0: all
  WallTime now{};               // until when a running run's duration counts
};

struct MetricRow {
  std::string task;
  std::string output;
  std::string name;
  double value = 0;
};

struct SelectedRun {
  RunRow run;
  std::vector<std::vector<MetricRow>> metrics;  // for each of asked_metrics(), all that the name means
};

// The names of metrics in the conditions and the sort, each once, in that order.
std::vector<std::string> asked_metrics(const RunSelection& selection);

}  // namespace mlpipe::metadata
