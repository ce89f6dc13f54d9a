#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace mlpipe::sys {

// What tells one state of a file's content from another without reading it. A hard link or a rename leaves all but the
// change time as it was.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& info);

// SHA-256 digests of regular files that were read once, so that an unchanged file need not be read again. Any thread.
// It only saves time: what cannot be remembered or looked up is hashed again, and no call fails outward.
class FileDigests {
 public:
  virtual ~FileDigests() = default;
  // The hex digest of the content the file with exactly this identity had.
  virtual std::optional<std::string> find(const FileIdentity& identity) = 0;
  // `hex` is the digest of the file's content in the state `identity`. Replaces what was known of that inode.
  virtual void remember(const FileIdentity& identity, const std::string& hex) = 0;
};

}  // namespace mlpipe::sys
