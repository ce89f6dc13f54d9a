#pragma once

#include <filesystem>

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

// Removes the folders for secrets in `parent` that are this user's and that no living mlpipe holds. A container that was
// given a file of one keeps it: a mount outlives the name. One that cannot be removed is tried again the next time.
void remove_abandoned_secrets(const std::filesystem::path& parent);

}  // namespace mlpipe::runner
