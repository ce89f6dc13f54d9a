#include "restore.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <optional>
#include <string>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;
using sys::Fd;

namespace {

constexpr int k_max_depth = 256;  // as in digest_path, which has refused deeper ones
constexpr std::size_t k_bytes_between_stops = 16UL << 20U;
constexpr mode_t k_file_modes = S_IRUSR | S_IRGRP | S_IROTH | S_IXUSR | S_IXGRP | S_IXOTH;
constexpr mode_t k_folder_modes = k_file_modes | S_IWUSR;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// A place in an open folder, and its whole path for messages.
struct Place {
  int folder;
  const std::string& name;
  const fs::path& path;
};

enum class Made { yes, not_this_way };

// The reasons for which another way may do.
bool is_no_way(int number) {
  switch (number) {
    case EXDEV:
    case EMLINK:  // 65000 links on ext4
    case EPERM:   // fs.protected_hardlinks, or a file system without links
    case EACCES:
    case EOPNOTSUPP:
    case ENOTTY:
    case ENOSYS:
    case EINVAL: return true;
    default: return false;
  }
}

// Else a later write to one link would change the other.
bool is_sealed(const struct stat& info) { return (info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0; }

// Is `now` the state of a file after something that leaves its content alone, a new link, a new name?
bool is_same_content(const sys::FileIdentity& before, const sys::FileIdentity& now) {
  return now.inode == before.inode && now.device == before.device && now.bytes == before.bytes &&
         now.modified_ns == before.modified_ns;
}

class Restorer final {
 public:
  Restorer(RestoreState& state, sys::FileDigests* digests, const std::function<bool()>& stop)
      : state_(state), digests_(digests), stop_(stop) {}

  Result<> restore_entry(const Place& from, const Place& to, const struct stat& info, int depth) {
    if (stop_ && stop_()) return fail(ErrorCode::cancelled, "restoring was cancelled");
    if (S_ISREG(info.st_mode)) return restore_file(from, to, info);
    if (S_ISDIR(info.st_mode)) return restore_folder(from, to, depth);
    if (S_ISLNK(info.st_mode) && depth > 0) return restore_link(from, to);
    return fail(ErrorCode::invalid_input, "restoring {}: it is no file or folder", printable(from.path.string()));
  }

  Result<Made> link(const Place& from, const Place& to) {
    Result<Made> made = Made::yes;
    const Result<> done = keeping_digest(from.path, to.path, [&]() -> Result<> {
      made = link_only(from, to);
      return {};
    });
    return done ? made : Failure(done.error());
  }

  // Does what gives the file at `before` the name `after`, which changes its change time and not its content.
  Result<> keeping_digest(const fs::path& before, const fs::path& after, const std::function<Result<>()>& act) {
    if (digests_ == nullptr) return act();
    const std::lock_guard lock(state_.linking);
    struct stat info {};
    std::optional<std::string> hex;
    const bool known = ::lstat(before.c_str(), &info) == 0 && S_ISREG(info.st_mode);
    if (known) hex = digests_->find(sys::identity_of(info));
    const sys::FileIdentity old = sys::identity_of(info);
    if (Result<> done = act(); !done) return done;
    if (!hex || ::lstat(after.c_str(), &info) != 0) return {};
    if (is_same_content(old, sys::identity_of(info))) digests_->remember(sys::identity_of(info), *hex);
    return {};
  }

 private:
  Result<> restore_folder(const Place& from, const Place& to, int depth) {
    if (depth > k_max_depth) {
      return fail(ErrorCode::invalid_input, "restoring {}: more than {} folders deep", from.path.string(), k_max_depth);
    }
    const Fd source(::openat(from.folder, from.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!source || ::fstat(source.get(), &info) != 0) return sys::fail_file("restoring", from.path, errno);
    if (::mkdirat(to.folder, to.name.c_str(), 0700) != 0) return sys::fail_file("making the folder", to.path, errno);
    const Fd target(::openat(to.folder, to.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return sys::fail_file("opening", to.path, errno);
    const int copy = ::openat(source.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return sys::fail_file("restoring", from.path, errno);
    const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(copy));
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr && errno != 0) return sys::fail_file("restoring", from.path, errno);
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const fs::path below_source = from.path / name;
      const fs::path below_target = to.path / name;
      const Place child{source.get(), name, below_source};
      struct stat child_info {};
      if (Result<> known = look(child, child_info); !known) return known;
      Result<> restored = restore_entry(child, {target.get(), name, below_target}, child_info, depth + 1);
      if (!restored) return restored;
    }
    if (::fchmod(target.get(), info.st_mode & k_folder_modes) != 0) {
      return sys::fail_file("making read-only", to.path, errno);
    }
    return {};
  }

  static Result<> restore_link(const Place& from, const Place& to) {
    std::array<char, PATH_MAX + 1> target{};
    const ssize_t length = ::readlinkat(from.folder, from.name.c_str(), target.data(), target.size() - 1);
    if (length < 0) return sys::fail_file("restoring", from.path, errno);
    if (::symlinkat(target.data(), to.folder, to.name.c_str()) == 0) return {};
    return sys::fail_file("making the link", to.path, errno);
  }

  // Shared blocks are best: whoever breaks the seal of one run's file does not change another's.
  Result<> restore_file(const Place& from, const Place& to, const struct stat& info) {
    if (state_.may_clone) {
      const Result<Made> cloned = write_anew(from, to, How::clone);
      if (!cloned) return Failure(cloned.error());
      if (*cloned == Made::yes) return {};
      state_.may_clone = false;
    }
    if (is_sealed(info)) {
      const Result<Made> linked = link(from, to);
      if (!linked) return Failure(linked.error());
      if (*linked == Made::yes) return {};
    }
    const Result<Made> copied = write_anew(from, to, How::copy);
    if (!copied) return Failure(copied.error());
    return {};
  }

  static Result<Made> link_only(const Place& from, const Place& to) {
    if (::linkat(from.folder, from.name.c_str(), to.folder, to.name.c_str(), 0) == 0) return Made::yes;
    if (is_no_way(errno)) return Made::not_this_way;
    return sys::fail_file(fmt::format("linking {} to", from.path.string()), to.path, errno);
  }

  enum class How { clone, copy };

  // A file of its own with the same content.
  Result<Made> write_anew(const Place& from, const Place& to, How how) {
    const Fd source(
        ::openat(from.folder, from.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat before {};
    if (!source || ::fstat(source.get(), &before) != 0) return sys::fail_file("restoring", from.path, errno);
    constexpr int k_flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const Fd target(::openat(to.folder, to.name.c_str(), k_flags, 0600));
    if (!target) return sys::fail_file("writing", to.path, errno);
    if (how == How::clone && ::ioctl(target.get(), FICLONE, source.get()) != 0) {
      const int why = errno;
      ::unlinkat(to.folder, to.name.c_str(), 0);
      if (is_no_way(why)) return Made::not_this_way;
      return sys::fail_file(fmt::format("copying {} to", from.path.string()), to.path, why);
    }
    if (how == How::copy) {
      if (Result<> copied = copy(source.get(), target.get(), from, to); !copied) return Failure(copied.error());
    }
    if (::fchmod(target.get(), before.st_mode & k_file_modes) != 0) {
      return sys::fail_file("making read-only", to.path, errno);
    }
    remember_new(source.get(), before, target.get());
    return Made::yes;
  }

  // Nobody else can write to the new file: no one had it open, and it is read-only.
  void remember_new(int source, const struct stat& before, int target) {
    if (digests_ == nullptr) return;
    const std::optional<std::string> hex = digests_->find(sys::identity_of(before));
    struct stat after {};
    struct stat made {};
    if (!hex || ::fstat(source, &after) != 0 || ::fstat(target, &made) != 0) return;
    if (sys::identity_of(after) == sys::identity_of(before) && made.st_size == before.st_size) {
      digests_->remember(sys::identity_of(made), *hex);
    }
  }

  Result<> copy(int source, int target, const Place& from, const Place& to) {
    const auto failed = [&] {
      return sys::fail_file(fmt::format("copying {} to", from.path.string()), to.path, errno);
    };
    for (bool by_kernel = true;;) {
      if (stop_ && stop_()) return fail(ErrorCode::cancelled, "restoring was cancelled");
      const ssize_t got = by_kernel ? ::copy_file_range(source, nullptr, target, nullptr, k_bytes_between_stops, 0)
                                    : copy_piece(source, target);
      if (got == 0) return {};
      if (got > 0 || errno == EINTR) continue;
      if (!by_kernel || !is_no_way(errno)) return failed();
      by_kernel = false;
    }
  }

  // One read and what it takes to write it; as copy_file_range() answers.
  static ssize_t copy_piece(int source, int target) {
    std::array<char, 64UL * 1024> buffer;
    const ssize_t got = ::read(source, buffer.data(), buffer.size());
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(target, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return -1;
      done += written;
    }
    return got;
  }

  static Result<> look(const Place& place, struct stat& info) {
    if (::fstatat(place.folder, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return {};
    return sys::fail_file("restoring", place.path, errno);
  }

  RestoreState& state_;
  sys::FileDigests* digests_;
  const std::function<bool()>& stop_;
};

// mkdir -p for a task's output, which usually has to be made together with its task's folder.
Result<> make_output_folder(const fs::path& folder) {
  for (const fs::path& path : {folder.parent_path(), folder}) {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) continue;
    return sys::make_directories(folder);
  }
  return {};
}

// The folders that `path` names below `folder`, of which most often the last two are to be made.
bool make_folders_above(int folder, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (::mkdirat(folder, path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  return true;
}

// What lies at `to` was left by a crash, so nobody has read it: it goes.
Result<> put_in_place(const fs::path& made, const fs::path& to) {
  Result<> moved = sys::rename_into_place(made, to, sys::Durable::no);
  if (moved || moved.error().code != ErrorCode::conflict) return moved;
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return sys::remove_tree(made);
  if (Result<> removed = sys::remove_tree(to); !removed) return removed;
  return sys::rename_into_place(made, to, sys::Durable::no);
}

// Built under another name, then renamed.
Result<> restore_beside(Restorer& restorer, const Place& from, const fs::path& to, const struct stat& info) {
  const fs::path beside = to.parent_path() / ".mlpipe-restore";
  if (Result<> removed = sys::remove_tree(beside); !removed) return removed;  // of a crash
  const std::string target = beside.string();
  Result<> restored = restorer.restore_entry(from, {AT_FDCWD, target, beside}, info, 0);
  if (restored) restored = restorer.keeping_digest(beside, to, [&] { return put_in_place(beside, to); });
  if (!restored) (void)sys::remove_tree(beside);
  return restored;
}

bool is_same_file(const struct stat& left, const struct stat& right) {
  return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

}  // namespace

bool link_known(const std::string& from, const fs::path& run_folder, const std::string& relative, std::string_view hex,
                RestoreState& state, sys::FileDigests& digests) {
  if (state.may_clone) return false;
  const std::lock_guard lock(state.linking);
  struct stat info {};
  if (::lstat(from.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || !is_sealed(info)) return false;
  const sys::FileIdentity before = sys::identity_of(info);
  const std::optional<std::string> known = digests.find(before);
  if (!known || *known != hex) return false;
  if (!state.run_folder) state.run_folder = Fd(::open(run_folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const int to = state.run_folder.get();
  if (!state.run_folder || !make_folders_above(to, relative)) return false;
  if (::linkat(AT_FDCWD, from.c_str(), to, relative.c_str(), 0) != 0) return false;
  if (::fstatat(to, relative.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      is_same_content(before, sys::identity_of(info))) {
    digests.remember(sys::identity_of(info), *known);
    return true;
  }
  ::unlinkat(to, relative.c_str(), 0);  // another file came to `from` in between
  return false;
}

Result<> restore_payload(const fs::path& from, const fs::path& to, RestoreState& state, sys::FileDigests* digests,
                         const std::function<bool()>& stop) {
  struct stat info {};
  if (::lstat(from.c_str(), &info) != 0) return sys::fail_file("restoring", from, errno);
  if (from == to) return {};
  if (Result<> made = make_output_folder(to.parent_path()); !made) return made;
  Restorer restorer(state, digests, stop);
  const std::string source_name = from.string();
  const std::string target_name = to.string();
  const Place source{AT_FDCWD, source_name, from};
  // A link appears whole or not at all: the usual case needs no other name.
  if (S_ISREG(info.st_mode) && !state.may_clone && is_sealed(info)) {
    const Result<Made> linked = restorer.link(source, {AT_FDCWD, target_name, to});
    if (linked && *linked == Made::yes) return {};
    if (!linked && linked.error().code != ErrorCode::conflict) return Failure(linked.error());
    struct stat there {};
    if (::lstat(to.c_str(), &there) == 0 && is_same_file(there, info)) return {};  // before a crash
  }
  return restore_beside(restorer, source, to, info);
}

}  // namespace mlpipe::artifact
