#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::sys {

// Who holds a lock, as they wrote it down for people. What it says is never what decides: the kernel's lock is.
struct LockHolder {
  int pid = 0;  // 0: not known
  WallTime since{};
  std::string host;
  std::string boot_id;
};
// "process 4711 since 2026-02-03 04:05:06", with the host when it is another one.
std::string to_string(const LockHolder& holder);

// A held lock. The kernel lets it go when the object or the process ends, however it ends: it is never stale, neither
// after kill -9 nor after a reboot. Children do not inherit it.
class FileLock final {
 public:
  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&&) noexcept = default;

 private:
  friend Result<std::variant<FileLock, LockHolder>> try_lock(const std::filesystem::path&);
  explicit FileLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// Takes the lock of the file at `path` (made, with its folders, when absent; it stays afterwards), or says who holds it, for
// whose name it waits 100 ms at most when it has only just taken it. Two locks of one path exclude each other within one
// process as well. A file system without locks: io.
Result<std::variant<FileLock, LockHolder>> try_lock(const std::filesystem::path& path);

// Whether somebody holds the lock of `path` now. Asking does not disturb those who take it. No file: not locked.
bool is_locked(const std::filesystem::path& path);
// Who holds it, as is_locked() asks; nobody: absent. Does not wait for the name of one that has only just taken it: then it is
// that of the one before, or nothing but a holder without a name.
std::optional<LockHolder> holder_of(const std::filesystem::path& path);

}  // namespace mlpipe::sys
