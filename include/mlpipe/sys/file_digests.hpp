#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace mlpipe::sys {

// Nanoseconds since 1970, as the kernel gives the times of files.
using FileTime = std::chrono::nanoseconds;

// What tells one state of a file's content from another without reading it. A hard link, a rename and a change of mode
// leave all but the change time as it was.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& info);

// The clock that file times are compared with.
FileTime file_time_now();

// File systems count time in steps: a few ms on most, two seconds on FAT. A file written twice within one step has one
// identity for two contents.
constexpr std::chrono::seconds k_file_time_step{2};

// Does every write that comes after `now` give the file another identity? Not so right after a change: within the same
// step of time it could be written again unseen.
bool is_settled(const FileIdentity& identity, FileTime now);

// SHA-256 digests of regular files that were read once, so that an unchanged file need not be read again. Any thread.
// It only saves time: what cannot be remembered or looked up is hashed again, and no call fails outward.
//
// It is believed without reading the file, so what is remembered must stay true: the caller of remember() vouches that
// no later write can leave `identity` as it is. That is so
// - of any file that is_settled() when its reading begins, or
// - of an output of an attempt whose processes have all ended: nobody is left who could write to it. It becomes
//   read-only next; whoever breaks that seal and writes in the same step of time as the sealing, bytes alike in number,
//   is not noticed.
// Programs that set the change time back (by setting the machine's clock) are not noticed either.
class FileDigests {
 public:
  virtual ~FileDigests() = default;
  // The hex digest of the content the file with exactly this identity had.
  virtual std::optional<std::string> find(const FileIdentity& identity) = 0;
  // `hex` is the digest of the file's content in the state `identity`. Replaces what was known of that inode.
  virtual void remember(const FileIdentity& identity, const std::string& hex) = 0;
};

}  // namespace mlpipe::sys
