#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/rebuild.hpp"
#include "mlpipe/runner/images.hpp"

// run.json (docs/json.md, "run.json"): what a run was made of and what it gave, enough to make its record anew.
namespace mlpipe::app {

// What run.json tells beside the rows of the record.
struct ManifestExtras {
  Value images = Value::Struct{};   // by reference as written: id, digest, the reference it was resolved to
  Value needs = Value::Struct{};    // by task: the tasks it needs
  Value outputs = Value::Struct{};  // of the pipeline
  std::int64_t events = 0;          // the last event that it takes part of; later ones are in the journal
};
ManifestExtras extras_of(const engine::Run& run, const runner::PreparedImages& images);

// Durable, or not there at all.
Result<> write_manifest(const std::filesystem::path& run_folder, const metadata::RunRow& run,
                        const std::vector<metadata::TaskRow>& tasks, const ManifestExtras& extras);

// The run.json in that folder, of any version this mlpipe can read; not_found when there is none.
Result<Value> load_manifest(const std::filesystem::path& run_folder);

// The rows it holds: no events. Of version 1 little is known: one attempt of each task, without its inputs.
Result<metadata::RecordedRun> rows_of_manifest(const Value& manifest);

// What value_of(TaskData) was made of.
engine::TaskData data_of(const Value& value);

// The tasks that `task` needs, by path.
std::vector<std::string> needs_of(const Value& manifest, const std::string& task);

// The manifest of a run that is cancelled after its mlpipe has ended; `run` and `tasks` as the record has them.
Result<> cancel_manifest(const std::filesystem::path& run_folder, metadata::RunRow run,
                         std::vector<metadata::TaskRow> tasks, WallTime at);

}  // namespace mlpipe::app
