#pragma once

#include <filesystem>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::runner {

// Where such folders are made: in memory where the system has /dev/shm.
std::filesystem::path place_of_secrets();

// A folder for secrets that are given as files: open to this user alone, and gone with this object. It is locked while
// the object lives and the kernel lets the lock go however the process ends: what a killed mlpipe left is told from what
// is in use by that, and by nothing that could be stale.
class SecretFolder final {
 public:
  static Result<SecretFolder> make(const std::filesystem::path& parent);
  ~SecretFolder();
  SecretFolder(SecretFolder&&) noexcept = default;
  SecretFolder& operator=(SecretFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  SecretFolder(std::filesystem::path path, sys::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  sys::Fd lock_;  // none: it was moved from
};

// The folders for secrets in `parent` that are this user's and that no living mlpipe holds.
std::vector<std::filesystem::path> abandoned_secrets(const std::filesystem::path& parent);

// Removes `folder` when it is such a one, still. A container that was given a file of it keeps that: a mount outlives the name.
Result<> remove_if_abandoned(const std::filesystem::path& folder);

// Removes all of them in `parent`. One that cannot be removed is tried again the next time.
void remove_abandoned_secrets(const std::filesystem::path& parent);

}  // namespace mlpipe::runner
