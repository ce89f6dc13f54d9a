#include "mlpipe/sys/file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/random.hpp"

namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// A name that no other writer picks, short enough beside names of the longest length.
fs::path temporary_beside(const fs::path& path) { return folder_of(path) / (".mlpipe-tmp-" + random_hex(16)); }

const char* kind_text(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "of an unknown kind";
}

Failure too_long(const fs::path& path, std::uint64_t bytes, std::uint64_t max_bytes) {
  return fail(ErrorCode::invalid_input, "reading {}: it has {}, more than the {} allowed here", path.string(),
              bytes_text(bytes), bytes_text(max_bytes));
}

Result<std::string> read_regular(int file, const fs::path& path, std::uint64_t max_bytes) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return fail_file("reading", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::invalid_input, "reading {}: it is {}, not a file", path.string(), kind_text(info.st_mode));
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > max_bytes) return too_long(path, size, max_bytes);

  std::string text;
  std::size_t used = 0;
  for (;;) {  // to the end and not to st_size: files under /proc say 0, and others may grow
    if (used == text.size()) text.resize(std::max<std::size_t>(used == 0 ? size + 1 : used * 2, 4096));
    const ssize_t got = ::read(file, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_file("reading", path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > max_bytes) return too_long(path, used, max_bytes);
  }
  text.resize(used);
  return text;
}

Result<> write_and_close(Fd file, const fs::path& path, std::string_view text, Durable durable) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_file("writing", path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (durable == Durable::yes && ::fsync(file.get()) != 0) return fail_file("writing to disk", path, errno);
  if (::close(file.release()) != 0) return fail_file("writing", path, errno);  // NFS tells of a full disk only here
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: the open of a FIFO that nobody writes to would wait for ever. It does nothing to a file.
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && errno == ENXIO) {
    return fail(ErrorCode::invalid_input, "reading {}: it is a socket or a device, not a file", path.string());
  }
  if (!file) return fail_file("reading", path, errno);
  return read_regular(file.get(), path, max_bytes);
}

Result<std::string> read_file_beneath(const fs::path& folder, const fs::path& relative, std::uint64_t max_bytes) {
  const fs::path whole = folder / relative;
  if (relative.empty() || relative.is_absolute() || std::ranges::find(relative, fs::path("..")) != relative.end()) {
    return fail(ErrorCode::invalid_input, "reading {}: {} leads out of {}", whole.string(), relative.string(),
                folder.string());
  }
  Fd at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return fail_file("reading", whole, errno);
  for (auto part = relative.begin(); part != relative.end(); ++part) {
    const bool last = std::next(part) == relative.end();
    const int flags = last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY;
    Fd next(::openat(at.get(), part->c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    if (!next) {
      const int why = errno;
      struct stat info {};
      const bool known = ::fstatat(at.get(), part->c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
      if (known && (S_ISLNK(info.st_mode) || (last && !S_ISREG(info.st_mode)))) {
        return fail(ErrorCode::invalid_input, "reading {}: {} is {}, which is not followed here", whole.string(),
                    part->string(), kind_text(info.st_mode));
      }
      return fail_file("reading", whole, why);
    }
    at = std::move(next);
  }
  return read_regular(at.get(), whole, max_bytes);
}

Result<> write_file_atomically(const fs::path& path, std::string_view text, Durable durable) {
  const fs::path temporary = temporary_beside(path);
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return fail_file("writing", path, errno);
  if (Result<> written = write_and_close(std::move(file), path, text, durable); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int why = errno;
    ::unlink(temporary.c_str());
    return fail_file("writing", path, why);
  }
  if (durable == Durable::yes) return fsync_path(folder_of(path));
  return {};
}

Result<> make_directories(const fs::path& path, Durable durable) {
  if (path.empty()) return {};  // the current folder
  std::error_code error;
  std::vector<fs::path> missing;  // the deepest first
  if (durable == Durable::yes) {
    for (fs::path part = path; !part.empty() && !fs::exists(part, error); part = part.parent_path())
      missing.push_back(part);
  }
  fs::create_directories(path, error);
  if (!error) {
    for (const fs::path& made : missing) {
      const Result<> synced = fsync_path(folder_of(made));
      // A folder may be written to by those who may not open it.
      if (!synced && synced.error().code != ErrorCode::permission) return synced;
    }
    return {};
  }
  for (fs::path part = path; part.has_relative_path(); part = part.parent_path()) {  // what stands in the way?
    std::error_code ignored;
    const fs::file_status status = fs::status(part, ignored);
    if (!fs::exists(status)) continue;
    if (fs::is_directory(status)) break;
    return fail(ErrorCode::conflict, "making the folder {}: {} is there and is no folder", path.string(),
                part.string());
  }
  return fail_file("making the folder", path, error.value());
}

Result<> rename_into_place(const fs::path& from, const fs::path& to, Durable durable) {
  const auto failed = [&](int number) -> Failure {
    const std::string doing = fmt::format("moving {} to", from.string());
    if (number == EEXIST || number == ENOTEMPTY) {
      return fail(ErrorCode::conflict, "{} {}: something is there already", doing, to.string());
    }
    return fail_file(doing, to, number);
  };
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno != EINVAL && errno != ENOSYS) return failed(errno);
    // File systems that cannot refuse to replace (some network and FUSE ones): look first.
    struct stat info {};
    if (::lstat(to.c_str(), &info) == 0) return failed(EEXIST);
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(errno);
  }
  if (durable == Durable::yes) return fsync_path(folder_of(to));
  return {};
}

Result<> fsync_path(const fs::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_file("writing to disk", path, errno);
  // EINVAL: the file system does not know fsync for this (folders on some network ones); there is no more to do.
  if (::fsync(file.get()) != 0 && errno != EINVAL) return fail_file("writing to disk", path, errno);
  return {};
}

Result<> sync_file_system(const fs::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file || ::syncfs(file.get()) != 0) return fail_file("writing to disk", path, errno);
  return {};
}

// Under one name for all: what somebody left who was killed in between is gone with the next one.
Result<> replace_symlink(const fs::path& target, const fs::path& link) {
  const fs::path temporary = folder_of(link) / (".mlpipe-tmp-" + link.filename().string());
  while (::symlink(target.c_str(), temporary.c_str()) != 0) {
    const bool may_try_again = errno == EEXIST && (::unlink(temporary.c_str()) == 0 || errno == ENOENT);
    if (!may_try_again) return fail_file("making the link", link, errno);
  }
  // Not there any more: somebody else who replaces the link has taken it for his, and has put one or the other in place.
  if (::rename(temporary.c_str(), link.c_str()) == 0 || errno == ENOENT) return {};
  const int why = errno;
  ::unlink(temporary.c_str());
  return fail_file("making the link", link, why);
}

}  // namespace mlpipe::sys
