#include "runner/docker/context_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <span>
#include <system_error>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/runner/build_context.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/docker/dockerignore.hpp"

namespace mlpipe::runner {
namespace docker {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_ignore_limit = 16 * 1024 * 1024;
constexpr std::size_t k_piece = 256 * 1024;

bool always_sent(std::string_view path) { return path == "Dockerfile" || path == ".dockerignore"; }

Result<DockerIgnore> load_ignore(const fs::path& context) {
  const Result<std::string> text = sys::read_file(context / ".dockerignore", k_ignore_limit);
  if (!text && text.error().code != ErrorCode::not_found) return Failure(text.error());
  return DockerIgnore::parse(text ? std::string_view(*text) : std::string_view());
}

// The permissions that git keeps: a checkout under whatever umask gives the same image, which any user can read.
std::uint32_t sent_mode(mode_t mode) {
  if (S_ISLNK(mode)) return 0777;
  return S_ISDIR(mode) || (mode & S_IXUSR) != 0 ? 0755 : 0644;
}

// What lies at `source`; nothing for what cannot be sent.
Result<std::optional<ContextFile>> describe(const fs::path& source, std::string path) {
  struct stat status {};
  if (::lstat(source.c_str(), &status) != 0) return fail_errno(fmt::format("reading {}", source.string()), errno);
  ContextFile file{
      .path = std::move(path), .source = source, .mode = sent_mode(status.st_mode), .size = 0, .target = {}};
  if (S_ISDIR(status.st_mode)) {
    file.kind = ContextFile::Kind::folder;
  } else if (S_ISREG(status.st_mode)) {
    file.size = static_cast<std::uint64_t>(status.st_size);
  } else if (S_ISLNK(status.st_mode)) {
    file.kind = ContextFile::Kind::symlink;
    std::error_code error;
    file.target = fs::read_symlink(source, error).string();
    if (error) return fail_errno(fmt::format("reading the link {}", source.string()), error.value());
  } else {
    return std::optional<ContextFile>();
  }
  return std::optional(std::move(file));
}

// Adds what is in `folder`, whose path within the context is `prefix` ("" or ending in '/').
Result<> collect(const fs::path& folder, const std::string& prefix, const DockerIgnore& ignore,
                 std::vector<ContextFile>& files) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (const fs::directory_iterator end; !error && entries != end; entries.increment(error)) {
    const std::string path = prefix + entries->path().filename().string();
    Result<std::optional<ContextFile>> file = describe(entries->path(), path);
    if (!file) return Failure(std::move(file).error());
    if (!*file) continue;
    const bool is_folder = (*file)->kind == ContextFile::Kind::folder;
    const bool excluded = !always_sent(path) && ignore.excludes(path);
    if (!excluded) files.push_back(std::move(**file));
    if (!is_folder || (excluded && !ignore.may_include_below(path))) continue;
    if (Result<> below = collect(entries->path(), path + "/", ignore, files); !below) return below;
  }
  if (error) return fail_errno(fmt::format("reading the folder {}", folder.string()), error.value());
  return {};
}

}  // namespace

Result<std::vector<ContextFile>> list_context(const fs::path& context) {
  const std::string doing = fmt::format("reading the build folder {}", context.string());
  std::error_code error;
  if (!fs::is_directory(context, error)) {
    return error && error.value() != ENOENT ? fail_errno(doing, error.value())
                                            : fail(ErrorCode::not_found, "{}: there is no such folder", doing);
  }
  if (!fs::exists(context / "Dockerfile", error)) {
    return fail_with_hint(ErrorCode::not_found, fmt::format("{}: it has no Dockerfile", doing),
                          "put the Dockerfile in the folder that `build:` names");
  }
  Result<DockerIgnore> ignore = load_ignore(context);
  if (!ignore) return within(doing, std::move(ignore).error());
  std::vector<ContextFile> files;
  if (Result<> collected = collect(context, "", *ignore, files); !collected)
    return within(doing, std::move(collected).error());
  std::sort(files.begin(), files.end(), [](const ContextFile& a, const ContextFile& b) { return a.path < b.path; });
  return files;
}

Result<ContextReader> ContextReader::open(const ContextFile& file) {
  sys::Fd fd(::open(file.source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(fmt::format("reading {}", file.source.string()), errno);
  return ContextReader(std::move(fd), file.source.string(), file.size);
}

Result<std::string> ContextReader::next() {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, left_ + 1)), '\0');
  std::size_t filled = 0;
  while (filled < piece.size()) {
    const ssize_t count = ::read(fd_.get(), piece.data() + filled, piece.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("reading {}", path_), errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  // One byte more than is left was asked for, so growth shows as well as shrinking.
  if (filled > left_ || (filled < piece.size() && filled < left_)) {
    return fail(ErrorCode::conflict, "reading {}: it changed while it was being read", path_);
  }
  piece.resize(filled);
  left_ -= filled;
  return piece;
}

}  // namespace docker

Result<BuildContext> read_build_context(const std::filesystem::path& context) {
  using docker::ContextFile;
  const Result<std::vector<ContextFile>> files = docker::list_context(context);
  if (!files) return Failure(files.error());
  BuildContext read;
  Sha256 whole;
  for (const ContextFile& file : *files) {
    Sha256 own;
    const auto add = [&](std::string_view bytes) {
      whole.update(bytes);
      own.update(bytes);
    };
    // Lengths go before what they measure, so that no two contexts give the same bytes.
    add(fmt::format("{} {:o} {} {} {}\n{}\n{}\n", static_cast<int>(file.kind), file.mode, file.size, file.path.size(),
                    file.target.size(), file.path, file.target));
    if (file.kind == ContextFile::Kind::file) {
      Result<docker::ContextReader> reader = docker::ContextReader::open(file);
      if (!reader) return Failure(std::move(reader).error());
      while (true) {
        const Result<std::string> piece = reader->next();
        if (!piece) return Failure(piece.error());
        if (piece->empty()) break;
        add(*piece);
      }
    }
    read.files += fmt::format("{} {}\n", own.finish_hex(), printable(file.path));
  }
  read.digest = whole.finish_hex();
  return read;
}

namespace {

constexpr std::size_t k_most_named = 3;

// What stands behind the first word of each line, and that word.
std::map<std::string_view, std::string_view> parts_of(std::string_view made_of) {
  std::map<std::string_view, std::string_view> parts;
  for (std::string_view line : split(made_of, '\n')) {
    constexpr std::string_view k_from = "from ";
    const std::size_t space = line.starts_with(k_from) ? line.rfind(' ') : line.find(' ');
    if (space == std::string_view::npos) continue;
    if (line.starts_with(k_from)) {
      parts.emplace(line.substr(0, space), line.substr(space + 1));
    } else {
      parts.emplace(line.substr(space + 1), line.substr(0, space));
    }
  }
  return parts;
}

std::string named(std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const std::size_t shown = std::min(names.size(), k_most_named);
  std::string text = fmt::format("{}: {}", what, join(std::span(names).first(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace

std::string build_changes(std::string_view before, std::string_view after) {
  const auto old_parts = parts_of(before);
  const auto new_parts = parts_of(after);
  std::vector<std::string> changed, added, gone;
  for (const auto& [name, digest] : new_parts) {
    const auto old = old_parts.find(name);
    if (old == old_parts.end()) {
      added.emplace_back(name);
    } else if (old->second != digest) {
      changed.emplace_back(name);
    }
  }
  for (const auto& [name, digest] : old_parts) {
    if (!new_parts.contains(name)) gone.emplace_back(name);
  }
  std::vector<std::string> texts{named("changed", changed), named("new", added), named("gone", gone)};
  std::erase(texts, "");
  return join(texts, "; ");
}

}  // namespace mlpipe::runner
