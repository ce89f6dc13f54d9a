#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/console.hpp"
#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/metadata/rebuild.hpp"

// Making the record of a root anew from the folders of its runs.
namespace mlpipe::app {

// Why the old record goes; the name it is kept under says so.
enum class RebuildReason { damaged, replaced };

// A run folder that is not in the new record, and why.
struct LeftOut {
  std::string run;
  std::string why;
  bool is_lost = false;  // it was a run; else nothing is missed
};

struct Rebuilt {
  std::size_t runs = 0;
  std::size_t interrupted = 0;  // of those
  std::vector<LeftOut> left_out;
  std::filesystem::path kept;  // the old record; empty: there was none
};

// Makes the record anew and puts it in place. A run that is being run now: conflict, nothing is changed.
Result<Rebuilt> rebuild_record(const artifact::Root& root, RebuildReason reason, WallTime now,
                               const engine::Failpoint& failpoint = {});

// `mlpipe doctor --rebuild`.
ExitCode doctor_rebuild(const DoctorCommand& command, const Console& console);

// For those who are about to write: a record that is damaged, or gone while its runs are there, is moved aside and made anew,
// said on `console`. A record that is not ours to judge is an Error, and is not touched. One that a run is using now is left
// to it: unavailable.
Result<> mend_record(const artifact::Root& root, const Console& console);

// Run folders that hold a run.json; at most `most` are looked for.
std::vector<std::string> runs_with_manifest(const artifact::Root& root, std::size_t most);

}  // namespace mlpipe::app
