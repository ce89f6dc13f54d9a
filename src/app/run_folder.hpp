#pragma once

#include <filesystem>
#include <string>

#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {

// A run's id: `said`, checked, or <pipeline>-<YYYYMMDD-HHMMSS>-<4 hex>.
Result<std::string> choose_run_id(const std::string& said, const std::string& pipeline, WallTime now);

// Takes the lock of the run and makes its folder, anew when an mlpipe was killed before the run was on record. The run exists, or another process has it: conflict that says which.
Result<sys::FileLock> claim_run(const artifact::Root& root, const std::string& run_id);

struct GitState {
  std::string commit;  // empty: the folder is in no repository, or there is no git
  bool dirty = false;
};
GitState git_state(const std::filesystem::path& folder);

}  // namespace mlpipe::app
