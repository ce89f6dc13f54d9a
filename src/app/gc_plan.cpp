#include "app/gc_plan.hpp"

#include <algorithm>
#include <map>

#include "app/recorded_run.hpp"
#include "app/run_filter.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

bool is_of(const metadata::RunRow& run, const std::vector<metadata::RunStatus>& statuses) {
  return statuses.empty() || std::ranges::any_of(statuses, [&](metadata::RunStatus status) {
           return metadata::to_string(status) == state_text(run);
         });
}

}  // namespace

Result<GcCriteria> criteria_of(const GcCommand& command, WallTime now) {
  GcCriteria criteria{.before = {},
                      .keep = {},
                      .max_size = {},
                      .statuses = {},
                      .pipeline = command.pipeline,
                      .keep_labelled = command.keep_labelled};
  RunsCommand words;
  words.status = command.status;
  Result<metadata::RunSelection> read = selection_of(words, now);
  if (!read) return Failure(std::move(read).error());
  criteria.statuses = std::move(read->filter.statuses);
  if (command.keep >= 0) criteria.keep = static_cast<std::size_t>(command.keep);
  if (!command.older_than.empty()) {
    criteria.before = parse_since(command.older_than, now);
    if (!criteria.before || *criteria.before > now) {
      return fail_with_hint(
          ErrorCode::invalid_input,
          fmt::format("--older-than \"{}\": {}", printable(command.older_than),
                      criteria.before ? "that is still to come" : "that is neither an age nor a date"),
          "write an age (30d, 12h) or a date of the past (2025-11-01): runs that began before it go");
    }
  }
  if (!command.max_size.empty()) {
    criteria.max_size = parse_bytes(command.max_size);
    if (!criteria.max_size) {
      return fail_with_hint(ErrorCode::invalid_input, fmt::format("--max-size \"{}\"", printable(command.max_size)),
                            "write a size: 50Gi, 500M");
    }
  }
  return criteria;
}

std::vector<RunToGo> runs_to_go(const GcCriteria& criteria, const RecordedRuns& recorded, const artifact::Root& root,
                                DiskUse& use) {
  std::vector<RunToGo> going;
  // A gc that was killed had begun to take them away, and without them the record would be made anew.
  for (const metadata::RunRow& run : recorded.runs) {
    if (recorded.locked.contains(run.id) || !is_half_removed(root.run(run.id))) continue;
    const DiskUse::Folder size = use.measure(root.run(run.id));
    going.push_back({.run = run, .bytes = size.bytes, .frees = use.take(size)});
  }
  if (!criteria.any()) return going;
  std::map<std::string, std::size_t> newer;  // of each pipeline
  std::vector<const metadata::RunRow*> fitting;
  for (const metadata::RunRow& run : recorded.runs) {
    const std::size_t place = newer[run.pipeline]++;
    if (recorded.locked.contains(run.id) || is_half_removed(root.run(run.id))) continue;
    if (criteria.keep && place < *criteria.keep) continue;
    if (criteria.before && run.created >= *criteria.before) continue;
    if (!criteria.pipeline.empty() && run.pipeline != criteria.pipeline) continue;
    if (!is_of(run, criteria.statuses) || (criteria.keep_labelled && !run.labels.empty())) continue;
    fitting.push_back(&run);
  }
  std::ranges::reverse(fitting);
  std::map<std::string, DiskUse::Folder> sizes;
  for (const metadata::RunRow* run : fitting) sizes.emplace(run->id, use.measure(root.run(run->id)));
  if (criteria.max_size) {
    for (const metadata::RunRow& run : recorded.runs) {
      if (!sizes.contains(run.id)) (void)use.measure(root.run(run.id));
    }
    (void)use.measure(root.state());
  }
  for (const metadata::RunRow* run : fitting) {
    if (criteria.max_size && use.total() < *criteria.max_size) break;
    const DiskUse::Folder& size = sizes.at(run->id);
    going.push_back({.run = *run, .bytes = size.bytes, .frees = use.take(size)});
  }
  return going;
}

}  // namespace mlpipe::app
