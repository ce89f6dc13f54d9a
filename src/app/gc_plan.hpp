#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/disk_use.hpp"
#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/run_selection.hpp"
#include "mlpipe/runner/container_engine.hpp"

// What gc would remove.
namespace mlpipe::app {

// Which runs are to go: all that is said must fit; max_size then takes the oldest of those.
struct GcCriteria {
  std::optional<WallTime> before;
  std::optional<std::size_t> keep;
  std::optional<std::uint64_t> max_size;
  std::vector<metadata::RunStatus> statuses;
  std::string pipeline;
  bool keep_labelled = false;

  // Without any, no run goes.
  bool any() const { return before || keep || max_size || !statuses.empty() || !pipeline.empty(); }
};
Result<GcCriteria> criteria_of(const GcCommand& command, WallTime now);

struct RunToGo {
  metadata::RunRow run;
  std::uint64_t bytes = 0;  // that it takes up
  std::uint64_t frees = 0;  // less what other runs hold by hard links
};

enum class LeftoverKind { container, folder, payload, lock, trash, image, secrets };
std::string_view to_string(LeftoverKind kind);

struct Leftover {
  LeftoverKind kind = LeftoverKind::folder;
  std::string name;  // a path, or the name of the container or image
  std::string id;    // of a container
  std::string run;   // whose it is, when that is known
  std::uint64_t bytes = 0;
};

struct GcPlan {
  std::vector<RunToGo> runs;        // oldest first
  std::vector<Leftover> leftovers;  // in the order in which they are to be removed
  std::vector<std::string> remarks;
  std::uint64_t frees = 0;
};

// The record of a root, as gc needs it. A root without a record has no runs.
struct RecordedRuns {
  std::vector<metadata::RunRow> runs;  // newest first
  std::set<std::string, std::less<>> ids;
  std::set<std::string, std::less<>> locked;  // somebody runs them
};

// The runs that fit, oldest first. `runs` and `use` have all runs of the root when max_size is said.
std::vector<RunToGo> runs_to_go(const GcCriteria& criteria, const RecordedRuns& recorded, const artifact::Root& root,
                                DiskUse& use);

// What crashes and removed runs left, given the runs that go. `engine` may be null. `containers` were listed before the record
// was read, so that those of a run which has begun since are not among them.
struct LeftoverSearch {
  const artifact::Root& root;
  const RecordedRuns& recorded;
  const std::vector<RunToGo>& going;
  const std::vector<runner::ContainerSummary>& containers;
  runner::ContainerEngine* engine = nullptr;
  bool images = false;
  std::vector<std::string> folders;  // of runs/, listed before the record was read
  WallTime now{};
  std::filesystem::path secrets;  // where folders for secrets are made; the machine's, whatever the root
};
Result<> find_leftovers(const LeftoverSearch& search, DiskUse& use, GcPlan& plan);

// In the folder of a run whose record is being removed: what is without a record then is not to be taken up again.
std::filesystem::path removal_mark(const std::filesystem::path& run_folder);
// gc was killed after it had marked the folder: the next one ends its work.
bool is_half_removed(const std::filesystem::path& run_folder);

std::string gc_text(const GcPlan& plan, bool removes_runs);
Value gc_value(const GcPlan& plan, const artifact::Root& root);

}  // namespace mlpipe::app
