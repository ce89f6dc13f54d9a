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
  // does for a process that was killed. Where there is none yet, wait() returns when something comes into being on the
  // way to it: then add it again.
  void add(const std::filesystem::path& path);
  // Returns soon after something changed, at most `limit` later; whether something did.
  bool wait(std::chrono::milliseconds limit);

 private:
  sys::Fd events_;
  std::set<std::filesystem::path> watched_;
  std::set<std::filesystem::path> folders_;  // watched for what is not there yet
};

}  // namespace mlpipe::app
