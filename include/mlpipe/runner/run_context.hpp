#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/engine/failpoint.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::runner {

// What every attempt of one run has in common. Immutable while the run goes on.
struct RunContext {
  std::string run_id;
  std::filesystem::path root;        // pipeline root, absolute
  std::filesystem::path run_folder;  // <root>/runs/<run-id>
  unsigned uid = 0;                  // the caller's
  unsigned gid = 0;
  std::chrono::seconds grace{10};  // between SIGTERM and SIGKILL
  std::uint64_t default_shm = 0;   // /dev/shm of a task that asked for neither shm nor memory
  int concurrent_starts = 2;
  int concurrent_tasks = 2;  // --jobs: how many sandboxes can be in use at once
  engine::Failpoint failpoint = {};
  // GPUs that containers of an earlier mlpipe hold, by container name.
  std::map<std::string, std::vector<std::string>> gpus_held = {};
  sys::FileDigests* digests = nullptr;  // what is known of files without reading them; borrowed, may be null
  DebugLog* debug_log = nullptr;        // borrowed, may be null
  std::map<std::string, Image> images;  // by image_key(): every image of the run, resolved once
};

}  // namespace mlpipe::runner
