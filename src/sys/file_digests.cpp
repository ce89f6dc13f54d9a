#include "mlpipe/sys/file_digests.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace mlpipe::sys {
namespace {

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

FileIdentity identity_of(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .bytes = static_cast<std::uint64_t>(info.st_size),
          .modified_ns = nanoseconds(info.st_mtim),
          .changed_ns = nanoseconds(info.st_ctim)};
}

FileTime file_time_now() { return std::chrono::system_clock::now().time_since_epoch(); }

bool is_settled(const FileIdentity& identity, FileTime now) {
  const FileTime last(std::max(identity.modified_ns, identity.changed_ns));
  return last < now - k_file_time_step;
}

}  // namespace mlpipe::sys
