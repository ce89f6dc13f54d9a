#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "mlpipe/engine/ports.hpp"
#include "mlpipe/metadata/annotations.hpp"
#include "mlpipe/metadata/rebuild.hpp"

// The journal of a run, `.mlpipe/journal.jsonl` in its folder: what happened to it since its run.json was written, and what
// fingerprints were made of. One JSON object a line (docs/json.md, "The journal of a run"); only ever appended to, so that a
// line that was cut off is the last. With run.json it is all that its record can be made of again.
namespace mlpipe::app {

std::filesystem::path journal_path(const std::filesystem::path& run_folder);

// Records in `record`, and then in the journal of the run, which begins after event `events`. What cannot be written to the
// journal is left out: it is the second copy.
class JournalledRecord final : public engine::Record {
 public:
  JournalledRecord(engine::Record& record, const plan::Plan& plan, const std::filesystem::path& run_folder,
                   std::int64_t events);
  Result<> commit(std::span<const engine::Transition> transitions) override;
  Result<> discard(engine::TaskId task) override;
  Result<> finish(engine::RunState state, WallTime at) override;
  // The last event that was recorded.
  std::int64_t events() const { return events_; }

 private:
  engine::Record& record_;
  const plan::Plan& plan_;
  std::ofstream file_;
  std::int64_t events_;
};

// Writes the journal anew with these events, and with what `queries` knows of the fingerprints of these tasks.
Result<> renew_journal(metadata::Queries& queries, const std::vector<metadata::EventRow>& events,
                       const std::vector<metadata::TaskRow>& tasks, const std::filesystem::path& run_folder);

// Notes what was said of a run after it was recorded. A run without a folder has no journal: nothing to do.
Result<> journal_annotations(const std::filesystem::path& run_folder, const metadata::Annotations& change);

// Adds to what run.json says what the journal of that folder has after event `events`. Lines it cannot read are left out.
void apply_journal(const std::filesystem::path& run_folder, std::int64_t events, metadata::RecordedRun& recorded);

}  // namespace mlpipe::app
