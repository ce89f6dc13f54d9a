#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/random.hpp"
#include "restore.hpp"
#include "seal.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// The path that a URI of this store is. Relative ones are refused: relative to what, nobody could tell later.
Result<fs::path> path_of(const std::string& uri) {
  std::string_view text = uri;
  if (text.starts_with("file://")) text.remove_prefix(7);
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos && text.find('/') == scheme + 1) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("artifact {}: \"{}\" is not on this machine's disk", printable(uri),
                                      printable(text.substr(0, scheme))),
                          "give a path, or a root that can read such URIs");
  }
  if (!text.starts_with('/')) {
    return fail(ErrorCode::invalid_input, "artifact \"{}\": not an absolute path", printable(uri));
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_input, "artifact {}: a zero byte in its path", printable(uri));
  }
  fs::path path = fs::path(text).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// Is it a path that path_of() would leave as it is?
bool is_plain(std::string_view path) {
  if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) return false;
  const std::vector<std::string_view> parts = split(path.substr(1), '/');
  return std::ranges::none_of(parts, [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

Failure missing(const fs::path& path, int number) {
  if (number == ENOENT || number == ENOTDIR) {
    return fail(ErrorCode::not_found, "artifact {}: nothing is there", printable(path.string()));
  }
  return sys::fail_file("reading the artifact", path, number);
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && rest != path.end();
}

class LocalStore final : public ArtifactStore {
 public:
  LocalStore(fs::path run_folder, sys::FileDigests* digests) : run_folder_(std::move(run_folder)), digests_(digests) {
    run_folder_ = run_folder_.lexically_normal();
    if (!run_folder_.has_filename()) run_folder_ = run_folder_.parent_path();
  }

  std::string uri_of(std::string_view task_path, std::string_view output, std::string_view file_name) const override {
    return fmt::format("{}/{}/{}/{}", run_folder_.native(), task_path, output, file_name);
  }

  Result<fs::path> fetch(const std::string& uri, const std::function<bool()>& /*stop*/) override {
    Result<fs::path> path = path_of(uri);
    if (!path) return path;
    if (::access(path->c_str(), F_OK) != 0) return missing(*path, errno);
    return path;
  }

  Result<> commit(const fs::path& staged, const std::string& uri, const std::function<bool()>& stop) override {
    Result<fs::path> target = path_of(uri);
    if (!target) return Failure(std::move(target).error());
    if (!is_below(*target, run_folder_) || staged.filename() != target->filename()) {
      return fail(ErrorCode::internal, "publishing {} as {}: not an output of a task of {}", staged.string(),
                  target->string(), run_folder_.string());
    }
    const fs::path from = staged.parent_path();
    const fs::path to = target->parent_path();
    if (!is_there(staged)) {
      // A crash came after the rename and before the record knew: then it is where it should be.
      if (is_there(*target)) return sync_folders_above(to);
      return fail(ErrorCode::not_found, "publishing {}: nothing is there", staged.string());
    }
    if (Result<> sealed = seal_output(from, digests_, stop); !sealed) {
      return within(fmt::format("publishing {}", target->string()), std::move(sealed).error());
    }
    if (Result<> made = sys::make_directories(to.parent_path()); !made) return made;
    if (Result<> moved = move_into_place(from, to); !moved) return moved;
    return sync_folders_above(to);
  }

  Result<engine::Artifact> describe(const std::string& uri, const std::function<bool()>& stop) override {
    Result<fs::path> path = path_of(uri);
    if (!path) return Failure(std::move(path).error());
    std::error_code error;
    const fs::path real = fs::canonical(*path, error);  // the user's own links are followed, unlike a task's
    if (error) return missing(*path, error.value());
    Result<PathDigest> digest = digest_path(real, stop, digests_);
    if (!digest) return within(fmt::format("importing {}", printable(uri)), std::move(digest).error());
    engine::Artifact artifact;
    artifact.uri = path->string();
    artifact.digest = digest->digest;
    artifact.bytes = digest->bytes;
    artifact.is_folder = digest->is_folder;
    return artifact;
  }

  Result<bool> restore(const engine::Artifact& stored, const std::string& uri,
                       const std::function<bool()>& stop) override {
    if (is_linked(stored, uri)) return true;
    Result<fs::path> from = path_of(stored.uri);
    if (!from) return Failure(std::move(from).error());
    Result<fs::path> to = path_of(uri);
    if (!to) return Failure(std::move(to).error());
    if (!is_below(*to, run_folder_)) {
      return fail(ErrorCode::internal, "restoring {} as {}: not an output of a task of {}", from->string(),
                  to->string(), run_folder_.string());
    }
    Result<bool> whole = is_whole(stored, stop);
    if (!whole || !*whole) return whole;
    Result<> restored = restore_payload(*from, *to, restore_state_, digests_, stop);
    if (!restored) return Failure(std::move(restored).error());
    return true;
  }

  Result<bool> is_whole(const engine::Artifact& stored, const std::function<bool()>& stop) override {
    if (is_known_whole(stored)) return true;
    Result<fs::path> path = path_of(stored.uri);
    if (!path) return Failure(std::move(path).error());
    const Result<PathDigest> digest = digest_path(*path, stop, digests_);
    if (digest) return digest->digest == stored.digest && digest->is_folder == stored.is_folder;
    switch (digest.error().code) {
      case ErrorCode::not_found:
      case ErrorCode::invalid_input:           // holds what no artifact may hold
      case ErrorCode::conflict: return false;  // somebody is writing to it
      default: return Failure(digest.error());
    }
  }

 private:
  // The digest of a file whose path is as path_of() would give it, when digests of files may be known; else empty.
  std::string_view digest_to_know(const engine::Artifact& stored) const {
    constexpr std::string_view k_algorithm = "sha256:";
    if (digests_ == nullptr || stored.is_folder || !stored.digest.starts_with(k_algorithm)) return {};
    return is_plain(stored.uri) ? std::string_view(stored.digest).substr(k_algorithm.size()) : std::string_view();
  }

  // The usual case of is_whole(), of which there may be very many: a file that was read before.
  bool is_known_whole(const engine::Artifact& stored) const {
    const std::string_view hex = digest_to_know(stored);
    struct stat info {};
    if (hex.empty() || ::lstat(stored.uri.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    const std::optional<std::string> known = digests_->find(sys::identity_of(info));
    return known && *known == hex;
  }

  bool is_linked(const engine::Artifact& stored, const std::string& uri) {
    const std::string_view hex = digest_to_know(stored);
    const std::string folder = run_folder_.native() + "/";
    if (hex.empty() || !uri.starts_with(folder) || !is_plain(uri)) return false;
    return link_known(stored.uri, run_folder_, uri.substr(folder.size()), hex, restore_state_, *digests_);
  }

  // What lies at `to` was left by an attempt that crashed before the record knew of it, so nobody has read it: it swaps
  // places with the new output and stays in that attempt's folder.
  static Result<> move_into_place(const fs::path& from, const fs::path& to) {
    Result<> moved = sys::rename_into_place(from, to, sys::Durable::no);
    if (moved || moved.error().code != ErrorCode::conflict) return moved;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS)
      return sys::fail_file(fmt::format("moving {} to", from.string()), to, errno);
    fs::path aside = from;
    aside += ".replaced-" + sys::random_hex(8);
    if (Result<> put_aside = sys::rename_into_place(to, aside, sys::Durable::no); !put_aside) return put_aside;
    return sys::rename_into_place(from, to, sys::Durable::no);
  }

  // The rename, and the folders that were made for it, up to the run's.
  Result<> sync_folders_above(const fs::path& output) const {
    for (fs::path folder = output.parent_path();; folder = folder.parent_path()) {
      if (Result<> synced = sys::fsync_path(folder); !synced) return synced;
      if (!is_below(folder, run_folder_)) return {};
    }
  }

  fs::path run_folder_;
  sys::FileDigests* digests_;
  RestoreState restore_state_;
};

}  // namespace

std::unique_ptr<ArtifactStore> make_local_store(fs::path run_folder, sys::FileDigests* digests) {
  return std::make_unique<LocalStore>(std::move(run_folder), digests);
}

}  // namespace mlpipe::artifact
