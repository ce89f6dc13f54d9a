#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "mlpipe/sys/file.hpp"

namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

// The nearest of `path` and its parents that exists.
fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  if (path.is_relative()) path = fs::current_path(ignored) / path;
  while (path.has_relative_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

bool is_out_of_inodes(const fs::path& path) {
  struct statvfs info {};
  return ::statvfs(nearest_existing(path).c_str(), &info) == 0 && info.f_files > 0 && info.f_favail == 0;
}

std::string hint_for(const fs::path& path, int number) {
  switch (number) {
    case ENOSPC:
      return is_out_of_inodes(path) ? "its file system has no inodes left: remove files there, or choose another folder"
                                    : "its file system is full: free space there, or choose another folder";
    case EDQUOT: return "your disk quota there is used up: free space, or choose another folder";
    case EROFS: return "its file system is mounted read-only: choose another folder";
    case EACCES:
    case EPERM:
      return fmt::format("check who owns it and its folder (chown, chmod); mlpipe runs with user id {}", ::geteuid());
    case EFBIG: return "the file is larger than this process may write (ulimit -f), or than the file system allows";
    case EIO: return "the disk or network share reports a fault: see the kernel log";
    case EMFILE:
    case ENFILE: return "too many files are open: raise the limit (ulimit -n)";
    default: return {};
  }
}

}  // namespace

Failure fail_file(std::string_view doing, const fs::path& path, int number) {
  Failure failure = fail_errno(fmt::format("{} {}", doing, path.string()), number);
  failure.value().hint = hint_for(path, number);
  return failure;
}

Result<std::uint64_t> free_space(const fs::path& path) {
  struct statvfs info {};
  fs::path existing = nearest_existing(path);
  if (::statvfs(existing.c_str(), &info) != 0) return fail_file("asking for free space at", existing, errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace mlpipe::sys
