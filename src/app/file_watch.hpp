#pragma once

#include <chrono>
#include <filesystem>
#include <set>

#include "mlpipe/sys/fd.hpp"

namespace mlpipe::app {

// Waits for files to change, by inotify. Where there is none (no descriptors left, a network file system), wait() is just a
// pause.
class FileWatch final {
 public:
  FileWatch();

  // Watches writes to the file, or to the files in the folder, at `path`; also when a writer closes one, as the system
  // does for a process that was killed. Nothing happens when there is none yet: ask again later.
  void add(const std::filesystem::path& path);
  // Returns soon after something changed, at most `limit` later.
  void wait(std::chrono::milliseconds limit);

 private:
  sys::Fd events_;
  std::set<std::filesystem::path> watched_;
};

}  // namespace mlpipe::app
