#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/random.hpp"

namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

constexpr int k_max_depth = 64;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Removes what is below one folder. Descriptors and stack stay bounded however deep the tree: folders too deep are
// first moved up to the top.
class Remover final {
 public:
  explicit Remover(int top) : top_(top) {}

  Result<> remove_entries(int folder, const fs::path& path, int depth) {
    Result<std::vector<std::string>> names = list(folder, path);
    if (!names) return Failure(std::move(names).error());
    for (const std::string& name : *names) {
      if (Result<> removed = remove_entry(folder, name, path / name, depth); !removed) return removed;
    }
    return {};
  }

  bool moved_some() const { return moved_; }
  void forget_moved() { moved_ = false; }

 private:
  // Listed as a whole first: removing while reading may skip entries on some file systems.
  static Result<std::vector<std::string>> list(int folder, const fs::path& path) {
    const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return fail_file("removing", path, errno);
    std::unique_ptr<DIR, DirCloser> dir(::fdopendir(copy));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) return fail_file("removing", path, errno);
    return names;
  }

  static bool is_refusal(int number) { return number == EACCES || number == EPERM; }

  static bool unlink_at(int folder, const std::string& name, int flags) {
    if (::unlinkat(folder, name.c_str(), flags) == 0 || errno == ENOENT) return true;
    if (!is_refusal(errno)) return false;
    ::fchmod(folder, S_IRWXU);  // a read-only folder of ours
    return ::unlinkat(folder, name.c_str(), flags) == 0 || errno == ENOENT;
  }

  Result<> remove_entry(int folder, const std::string& name, const fs::path& path, int depth) {
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};
      return fail_file("removing", path, errno);
    }
    if (!S_ISDIR(info.st_mode)) {
      if (!unlink_at(folder, name, 0)) return fail_file("removing", path, errno);
      return {};
    }
    if (depth >= k_max_depth) return move_up(folder, name, path);
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Fd child(::openat(folder, name.c_str(), flags));
    if (!child && is_refusal(errno) && ::fchmodat(folder, name.c_str(), S_IRWXU, 0) == 0) {
      child.reset(::openat(folder, name.c_str(), flags));
    }
    if (!child) return fail_file("removing", path, errno);
    if (Result<> emptied = remove_entries(child.get(), path, depth + 1); !emptied) return emptied;
    if (!unlink_at(folder, name, AT_REMOVEDIR)) return fail_file("removing", path, errno);
    return {};
  }

  Result<> move_up(int folder, const std::string& name, const fs::path& path) {
    const std::string at_top = ".mlpipe-rm-" + random_hex(16);
    if (::renameat(folder, name.c_str(), top_, at_top.c_str()) != 0) return fail_file("removing", path, errno);
    moved_ = true;
    return {};
  }

  int top_;
  bool moved_ = false;
};

}  // namespace

Result<> remove_tree(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_file("removing", path, errno);
  }
  if (!S_ISDIR(info.st_mode)) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_file("removing", path, errno);
    return {};
  }
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd top(::open(path.c_str(), flags));
  if (!top && errno == EACCES && ::chmod(path.c_str(), S_IRWXU) == 0) top.reset(::open(path.c_str(), flags));
  if (!top) return fail_file("removing", path, errno);
  Remover remover(top.get());
  do {
    remover.forget_moved();
    if (Result<> emptied = remover.remove_entries(top.get(), path, 0); !emptied) return emptied;
  } while (remover.moved_some());
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_file("removing", path, errno);
  return {};
}

}  // namespace mlpipe::sys
