#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace mlpipe::app {

// What folders take up on disk, in blocks: a file with several names (hard links) is counted once, and given back only when
// the last of its names is gone. Links are not followed; what cannot be read is not counted.
class DiskUse final {
 public:
  struct Folder {
    std::uint64_t bytes = 0;                     // of all in it, each file once
    std::map<std::size_t, std::uint64_t> names;  // of files with several: how many are in here
    std::uint64_t own = 0;                       // of all that has no name elsewhere
  };

  // Adds what is in `path` to what is known.
  Folder measure(const std::filesystem::path& path);
  // Takes `folder` away and gives what that frees, after all that was taken away before.
  std::uint64_t take(const Folder& folder);
  // Of all that was measured and not taken away.
  std::uint64_t total() const { return total_; }

 private:
  struct Shared {
    std::uint64_t names = 0;  // left
    std::uint64_t bytes = 0;
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> numbers_;  // of (device, inode), in shared_
  std::vector<Shared> shared_;
  std::uint64_t total_ = 0;
};

}  // namespace mlpipe::app
