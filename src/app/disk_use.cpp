#include "app/disk_use.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace mlpipe::app {
namespace {

constexpr std::uint64_t k_block = 512;  // what st_blocks counts, whatever the file system's own are

}  // namespace

DiskUse::Folder DiskUse::measure(const std::filesystem::path& path) {
  Folder folder;
  const auto add = [&](const std::filesystem::path& entry) {
    struct stat info {};
    if (::lstat(entry.c_str(), &info) != 0) return;
    const std::uint64_t bytes = static_cast<std::uint64_t>(info.st_blocks) * k_block;
    if (S_ISDIR(info.st_mode) || info.st_nlink < 2) {
      folder.bytes += bytes;
      folder.own += bytes;
      total_ += bytes;
      return;
    }
    const auto [known, is_new] = numbers_.try_emplace({info.st_dev, info.st_ino}, shared_.size());
    if (is_new) {
      shared_.push_back({.names = info.st_nlink, .bytes = bytes});
      total_ += bytes;
    }
    if (++folder.names[known->second] == 1) folder.bytes += bytes;
  };
  add(path);
  std::error_code error;
  using Iterator = std::filesystem::recursive_directory_iterator;
  for (Iterator at(path, std::filesystem::directory_options::skip_permission_denied, error), end; !error && at != end;
       at.increment(error)) {
    add(at->path());
  }
  return folder;
}

std::uint64_t DiskUse::take(const Folder& folder) {
  std::uint64_t freed = folder.own;
  for (const auto& [number, names] : folder.names) {
    Shared& file = shared_[number];
    if (file.names == 0) continue;
    file.names -= std::min(file.names, names);
    if (file.names == 0) freed += file.bytes;
  }
  total_ -= std::min(total_, freed);
  return freed;
}

}  // namespace mlpipe::app
