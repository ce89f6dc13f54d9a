#include "seal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;
using sys::Fd;

namespace {

// One fsync a file is cheapest for few; past that one syncfs for all of them.
constexpr int k_most_fsyncs = 16;
constexpr int k_max_depth = 256;  // as in digest_path, which has refused deeper ones

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

class Sealer final {
 public:
  Sealer(const std::function<bool()>& stop, sys::FileDigests* digests) : stop_(stop), digests_(digests) {}

  Result<> seal_folder(int parent, const std::string& name, const fs::path& path, int depth) {
    if (depth > k_max_depth)
      return fail(ErrorCode::invalid_input, "{}: more than {} folders deep", path.string(), k_max_depth);
    const Fd folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return sys::fail_file("opening", path, errno);
    {
      const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (copy < 0) return sys::fail_file("reading", path, errno);
      const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(copy));
      for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(dir.get());
        if (entry == nullptr && errno != 0) return sys::fail_file("reading", path, errno);
        if (entry == nullptr) break;
        const std::string child = entry->d_name;
        if (child == "." || child == "..") continue;
        if (Result<> sealed = seal_entry(folder.get(), child, path / child, depth); !sealed) return sealed;
      }
    }
    if (Result<> changed = change_mode(folder.get(), path, S_ISUID | S_ISGID | S_ISVTX | S_IWGRP | S_IWOTH); !changed) {
      return changed;
    }
    return sync(folder.get(), path);
  }

  // After the walk: what was not synced one by one.
  Result<> sync_rest(const fs::path& path) const {
    if (seen_ <= k_most_fsyncs) return {};
    return sys::sync_file_system(path);
  }

 private:
  Result<> seal_entry(int folder, const std::string& name, const fs::path& path, int depth) {
    if (stop_ && stop_()) return fail(ErrorCode::cancelled, "publishing was cancelled");
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return sys::fail_file("reading", path, errno);
    if (S_ISDIR(info.st_mode)) return seal_folder(folder, name, path, depth + 1);
    if (!S_ISREG(info.st_mode)) return {};  // links have no mode; others were refused when the payload was hashed
    const Fd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return sys::fail_file("opening", path, errno);
    constexpr mode_t k_unwanted = S_ISUID | S_ISGID | S_ISVTX | S_IWUSR | S_IWGRP | S_IWOTH;
    const std::optional<std::string> hex = digests_ == nullptr ? std::nullopt : digests_->find(sys::identity_of(info));
    if (Result<> changed = change_mode(file.get(), path, k_unwanted); !changed) return changed;
    if (hex) remember(file.get(), sys::identity_of(info), *hex);
    return sync(file.get(), path);
  }

  // Its content is as it was when it was hashed, but the change of mode was one of its change time.
  void remember(int file, const sys::FileIdentity& before, const std::string& hex) {
    struct stat info {};
    if (::fstat(file, &info) != 0) return;
    const sys::FileIdentity now = sys::identity_of(info);
    if (now.inode != before.inode || now.bytes != before.bytes || now.modified_ns != before.modified_ns) return;
    if (now != before) digests_->remember(now, hex);
  }

  static Result<> change_mode(int file, const fs::path& path, mode_t unwanted) {
    struct stat info {};
    if (::fstat(file, &info) != 0) return sys::fail_file("reading", path, errno);
    const mode_t mode = info.st_mode & 07777U;
    if ((mode & unwanted) == 0 || ::fchmod(file, mode & ~unwanted) == 0) return {};
    return sys::fail_file("making read-only", path, errno);
  }

  Result<> sync(int file, const fs::path& path) {
    if (++seen_ > k_most_fsyncs) return {};
    if (::fsync(file) != 0 && errno != EINVAL) return sys::fail_file("writing to disk", path, errno);
    return {};
  }

  const std::function<bool()>& stop_;
  sys::FileDigests* digests_;
  int seen_ = 0;
};

}  // namespace

Result<> seal_output(const fs::path& folder, sys::FileDigests* digests, const std::function<bool()>& stop) {
  Sealer sealer(stop, digests);
  if (Result<> sealed = sealer.seal_folder(AT_FDCWD, folder.string(), folder, 0); !sealed) return sealed;
  return sealer.sync_rest(folder);
}

}  // namespace mlpipe::artifact
