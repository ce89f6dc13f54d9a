#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/console.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/metadata/queries.hpp"

// What the listing commands share about recorded runs.
namespace mlpipe::app {

// May reading leave files in the root, and bring an older record up to date? (metadata::open_queries_without_trace)
enum class Trace { may_stay, none };

// The record of the root at `root`, an absolute path.
Result<std::unique_ptr<metadata::Queries>> open_record_of(const std::filesystem::path& root,
                                                          Trace trace = Trace::may_stay);

// Of `tasks`, those of run `from`: the one whose result `task` of run `run` has, one that really ran before one that was
// cached itself; null: it is not on record.
const metadata::TaskRow* maker_of(const metadata::TaskRow& task, const std::string& run,
                                  const std::vector<metadata::TaskRow>& tasks, const std::string& from);

// The task at `path`; not_found with the nearest name.
Result<const metadata::TaskRow*> find_task(const metadata::RunRow& run, const std::vector<metadata::TaskRow>& tasks,
                                           const std::string& path);

// Where the payload at `uri`, recorded when the root was at `recorded_root`, is now that it is at `root`; empty when it is not
// on this machine.
std::filesystem::path payload_path(const std::string& uri, const std::string& recorded_root,
                                   const std::filesystem::path& root);

// "interrupted", or the run's state.
std::string_view state_text(const metadata::RunRow& run);
Style style_of(const metadata::RunRow& run);
Style style_of(engine::TaskState state);

// From its beginning to its end, or to now while it runs; nothing when nobody knows (interrupted).
std::optional<std::chrono::milliseconds> duration_of(const metadata::RunRow& run, WallTime now);
// From its first start to its last end, retries included.
std::optional<std::chrono::milliseconds> duration_of(const metadata::RunRow& run, const metadata::TaskRow& task,
                                                     WallTime now);
// Of an attempt: from when its container ran (or it was started) to its end.
std::optional<std::chrono::milliseconds> duration_of(const metadata::RunRow& run, const metadata::AttemptRow& attempt,
                                                     WallTime now);

// Did the attempt end with an exit code worth telling? An importer has none.
bool has_exit_code(const metadata::TaskRow& task, const metadata::AttemptRow& attempt);

// JSON forms; docs/json.md.
Value::Struct value_of(const metadata::RunRow& run, WallTime now);
Value::Struct value_of(const metadata::RunRow& run, const metadata::TaskRow& task, WallTime now);
Value::Struct value_of(const metadata::EventRow& event);
Value value_of(const engine::Artifact& artifact);
Value value_of(const engine::TaskData& data);
// The numbers among the metadata of a task's Metrics artifacts, by output; empty when there are none.
Value::Struct metrics_of(const metadata::TaskRow& task);

}  // namespace mlpipe::app
