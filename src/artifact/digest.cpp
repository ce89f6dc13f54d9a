#include "mlpipe/artifact/digest.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;
using sys::Fd;

namespace {

constexpr int k_max_depth = 256;
constexpr std::size_t k_buffer_bytes = 256UL * 1024;  // stays in the processor's cache between read and hash
constexpr std::uint64_t k_bytes_between_stops = 1024UL * 1024;

Failure refuse(const fs::path& path, std::string_view why) {
  return fail(ErrorCode::invalid_input, "hashing {}: {}", printable(path.string()), why);
}

Failure changed(const fs::path& path) {
  return fail_with_hint(ErrorCode::conflict,
                        fmt::format("hashing {}: it changed while it was read", printable(path.string())),
                        "a process that outlived its task may still be writing to it");
}

const char* special_kind(mode_t mode) {
  if (S_ISFIFO(mode)) return "it is a FIFO; an artifact is made of files, folders and links";
  if (S_ISSOCK(mode)) return "it is a socket; an artifact is made of files, folders and links";
  return "it is a device; an artifact is made of files, folders and links";
}

bool is_same_state(const struct stat& before, const struct stat& after) {
  return before.st_ino == after.st_ino && before.st_size == after.st_size &&
         before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
}

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<std::vector<std::string>> sorted_names(int folder, const fs::path& path) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return sys::fail_file("hashing", path, errno);
  const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(copy));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return sys::fail_file("hashing", path, errno);
  std::ranges::sort(names);  // by bytes: no locale
  return names;
}

Result<std::string> read_link(int folder, const std::string& name, const fs::path& path) {
  std::array<char, PATH_MAX + 1> target;
  const ssize_t length = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  if (length < 0) return sys::fail_file("hashing", path, errno);
  return std::string(target.data(), static_cast<std::size_t>(length));
}

// Control bytes, backslashes and all of what is no UTF-8 as \xHH, so that a listing is text with one line an entry.
void append_escaped(std::string& to, std::string_view name) {
  const bool utf8 = is_valid_utf8(name);
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\' || (byte >= 0x80 && !utf8)) {
      fmt::format_to(std::back_inserter(to), "\\x{:02x}", byte);
    } else {
      to += c;
    }
  }
}

enum class Writers { possible, gone };

// One walk over a file or folder.
class Walk final {
 public:
  Walk(const std::function<bool()>& stop, sys::FileDigests* digests, Writers writers)
      : stop_(stop), digests_(digests), writers_(writers) {}

  Result<PathDigest> run(int parent, const std::string& name, const fs::path& path) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return sys::fail_file("hashing", path, errno);
    if (S_ISLNK(info.st_mode)) return refuse(path, "it is a symbolic link; write the file itself");
    std::string hex;
    if (S_ISDIR(info.st_mode)) {
      result_.is_folder = true;
      listing_.update(std::string_view("mlpipe-tree 1\n"));
      if (Result<> hashed = hash_folder(parent, name, path, "", 0); !hashed) return Failure(std::move(hashed).error());
      hex = listing_.finish_hex();
    } else if (S_ISREG(info.st_mode)) {
      Result<std::string> hashed = digest_file(parent, name, path, info);
      if (!hashed) return Failure(std::move(hashed).error());
      hex = *std::move(hashed);
    } else {
      return refuse(path, special_kind(info.st_mode));
    }
    result_.digest = "sha256:" + hex;
    return result_;
  }

 private:
  Result<> check_stop() const {
    if (stop_ && stop_()) return fail(ErrorCode::cancelled, "hashing was cancelled");
    return {};
  }

  // The digest of the file that `info` was just read of: known, or hashed.
  Result<std::string> digest_file(int folder, const std::string& name, const fs::path& path, const struct stat& info) {
    if (digests_ == nullptr) return hash_file(folder, name, path);
    std::optional<std::string> known = digests_->find(sys::identity_of(info));
    if (!known) return hash_file(folder, name, path);
    result_.bytes += static_cast<std::uint64_t>(info.st_size);
    result_.files += 1;
    return *std::move(known);
  }

  Result<std::string> hash_file(int folder, const std::string& name, const fs::path& path) {
    const sys::FileTime began = sys::file_time_now();
    const Fd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return sys::fail_file("hashing", path, errno);
    if (buffer_.empty()) buffer_.resize(k_buffer_bytes);
    struct stat before {};
    if (::fstat(file.get(), &before) != 0) return sys::fail_file("hashing", path, errno);
    if (!S_ISREG(before.st_mode)) return changed(path);
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);

    Sha256 hash;
    std::uint64_t bytes = 0;
    std::uint64_t next_stop = 0;
    for (;;) {
      if (bytes >= next_stop) {
        if (Result<> going = check_stop(); !going) return Failure(std::move(going).error());
        next_stop = bytes + k_bytes_between_stops;
      }
      const ssize_t got = ::read(file.get(), buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return sys::fail_file("hashing", path, errno);
      if (got == 0) break;
      hash.update(std::span<const std::byte>(buffer_.data(), static_cast<std::size_t>(got)));
      bytes += static_cast<std::uint64_t>(got);
    }
    struct stat after {};
    if (::fstat(file.get(), &after) != 0) return sys::fail_file("hashing", path, errno);
    if (!is_same_state(before, after) || bytes != static_cast<std::uint64_t>(after.st_size)) return changed(path);
    result_.bytes += bytes;
    result_.files += 1;
    std::string hex = hash.finish_hex();
    const sys::FileIdentity identity = sys::identity_of(before);
    const bool final = writers_ == Writers::gone || sys::is_settled(identity, began);
    if (digests_ != nullptr && final && identity == sys::identity_of(after)) digests_->remember(identity, hex);
    return hex;
  }

  // Everything in a folder, names in byte order, each folder right before what it holds.
  Result<> hash_folder(int parent, const std::string& name, const fs::path& path, const std::string& relative,
                       int depth) {
    if (depth > k_max_depth) return refuse(path, fmt::format("more than {} folders deep", k_max_depth));
    const Fd folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return sys::fail_file("hashing", path, errno);
    if (depth == 0) top_ = folder.get();
    struct stat before {};
    if (::fstat(folder.get(), &before) != 0) return sys::fail_file("hashing", path, errno);
    Result<std::vector<std::string>> names = sorted_names(folder.get(), path);
    if (!names) return Failure(std::move(names).error());
    for (const std::string& entry : *names) {
      const std::string below = relative.empty() ? entry : fmt::format("{}/{}", relative, entry);
      Result<> hashed = hash_entry(folder.get(), entry, path / entry, below, depth);
      if (!hashed) return hashed;
    }
    struct stat after {};
    if (::fstat(folder.get(), &after) != 0) return sys::fail_file("hashing", path, errno);
    if (!is_same_state(before, after)) return changed(path);
    return {};
  }

  Result<> hash_entry(int folder, const std::string& name, const fs::path& path, const std::string& relative,
                      int depth) {
    if (Result<> going = check_stop(); !going) return going;
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return sys::fail_file("hashing", path, errno);
    if (S_ISDIR(info.st_mode)) {
      add_line('d', 0, "-", relative);
      return hash_folder(folder, name, path, relative, depth + 1);
    }
    if (S_ISREG(info.st_mode)) {
      const std::uint64_t bytes_before = result_.bytes;
      Result<std::string> hex = digest_file(folder, name, path, info);
      if (!hex) return Failure(std::move(hex).error());
      add_line((info.st_mode & S_IXUSR) != 0 ? 'x' : 'f', result_.bytes - bytes_before, *hex, relative);
      return {};
    }
    if (S_ISLNK(info.st_mode)) {
      Result<std::string> target = read_link(folder, name, path);
      if (!target) return Failure(std::move(target).error());
      if (Result<> inside = check_link(relative, *target, path); !inside) return inside;
      add_line('l', target->size(), sha256_hex(*target), relative);
      return {};
    }
    return refuse(path, special_kind(info.st_mode));
  }

  // Follows a link as the kernel would, but never past the top. Counting ".." in its text would not do: a step through
  // another link changes what ".." means.
  Result<> check_link(const std::string& relative, const std::string& target, const fs::path& path) const {
    constexpr int k_most_links = 40;  // the kernel's own limit
    std::vector<std::string> at;      // real folders from the top
    for (const std::string_view part : split(relative, '/')) at.emplace_back(part);
    at.pop_back();
    std::deque<std::string> to_go;
    if (target.starts_with('/')) return leads_out(path, target);
    for (const std::string_view part : split(target, '/')) to_go.emplace_back(part);
    for (int links = 1; !to_go.empty();) {
      const std::string part = std::move(to_go.front());
      to_go.pop_front();
      if (part.empty() || part == ".") continue;
      if (part == "..") {
        if (at.empty()) return leads_out(path, target);
        at.pop_back();
        continue;
      }
      at.push_back(part);
      const std::string here = join(at, "/");
      struct stat info {};
      if (::fstatat(top_, here.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(info.st_mode)) continue;
      if (++links > k_most_links) return refuse(path, "the link leads round in a circle");
      Result<std::string> next = read_link(top_, here, path);
      if (!next) return Failure(std::move(next).error());
      if (next->starts_with('/')) return leads_out(path, target);
      at.pop_back();
      const std::vector<std::string_view> parts = split(*next, '/');
      to_go.insert(to_go.begin(), parts.begin(), parts.end());
    }
    return {};
  }

  static Failure leads_out(const fs::path& path, const std::string& target) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("hashing {}: the link leads out of its artifact, to {}", printable(path.string()),
                                      printable(target)),
                          "write the file itself, or a relative link to another file of the artifact");
  }

  void add_line(char kind, std::uint64_t bytes, std::string_view hex, std::string_view relative) {
    listing_.update(listing_line(kind, bytes, hex, relative) + "\n");
  }

  const std::function<bool()>& stop_;
  sys::FileDigests* digests_;
  Writers writers_;
  std::vector<std::byte> buffer_;  // made when the first file is read
  Sha256 listing_;
  PathDigest result_;
  int top_ = -1;
};

}  // namespace

std::string listing_line(char kind, std::uint64_t bytes, std::string_view hex, std::string_view relative_path) {
  std::string line = fmt::format("{} {} {} ", kind, bytes, hex);
  bool first = true;
  for (const std::string_view name : split(relative_path, '/')) {
    if (!std::exchange(first, false)) line += '/';
    append_escaped(line, name);
  }
  return line;
}

Result<PathDigest> digest_path(const fs::path& path, const std::function<bool()>& stop, sys::FileDigests* digests) {
  fs::path plain = path.lexically_normal();
  if (!plain.has_filename()) plain = plain.parent_path();  // "folder/"
  if (!plain.has_filename()) return refuse(path, "it is the root of the file system");
  return Walk(stop, digests, Writers::possible).run(AT_FDCWD, plain.string(), plain);
}

Result<PathDigest> digest_beneath(const fs::path& folder, const fs::path& relative, const std::function<bool()>& stop,
                                  sys::FileDigests* digests) {
  const fs::path whole = folder / relative;
  if (relative.empty() || relative.is_absolute() || !relative.has_filename())
    return refuse(whole, "it is no path below");
  Fd at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return sys::fail_file("hashing", folder, errno);
  for (const fs::path& part : relative.parent_path()) {
    if (part == "..") return refuse(whole, "it leads out of its folder");
    Fd next(::openat(at.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) {
      const int why = errno;
      struct stat info {};
      if (::fstatat(at.get(), part.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
        return refuse(whole, fmt::format("{} on the way is a symbolic link", printable(part.string())));
      }
      return sys::fail_file("hashing", whole, why);
    }
    at = std::move(next);
  }
  if (relative.filename() == "..") return refuse(whole, "it leads out of its folder");
  return Walk(stop, digests, Writers::gone).run(at.get(), relative.filename().string(), whole);
}

}  // namespace mlpipe::artifact
