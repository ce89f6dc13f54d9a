#include "app/verify_artifacts.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/machine.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_threads = 16;
constexpr std::uint64_t k_bytes_between_asks = 1024UL * 1024;  // digest_path() asks before each MiB

WallTime time_of(const struct timespec& time) {
  return WallTime(std::chrono::milliseconds(std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000));
}

// The files below `folder` whose state changed after `since`, and the folders in which names came or went. Nothing when that
// is all of them: then they were copied or restored, which says nothing of their content.
std::vector<std::string> changed_since(const fs::path& folder, WallTime since) {
  std::vector<std::string> changed;
  std::size_t all = 0;
  const auto look_at = [&](const fs::path& path, const std::string& name) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return;
    ++all;
    if (std::max(time_of(info.st_ctim), time_of(info.st_mtim)) <= since) return;
    changed.push_back(S_ISDIR(info.st_mode) ? name + "/" : name);
  };
  look_at(folder, ".");
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    look_at(entries->path(), entries->path().lexically_relative(folder).string());
  }
  if (changed.size() == all) return {};
  std::sort(changed.begin(), changed.end());
  // A folder in which a changed file is named needs no naming itself.
  std::erase_if(changed, [&](const std::string& name) {
    if (!name.ends_with('/')) return false;
    const std::string before = name == "./" ? "" : name;
    return std::any_of(changed.begin(), changed.end(), [&](const std::string& other) {
      return other.size() > before.size() && other != "./" && other.starts_with(before) &&
             other.find('/', before.size()) == std::string::npos;
    });
  });
  return changed;
}

void compare(VerifiedArtifact& artifact, const Result<artifact::PathDigest>& found) {
  if (!found) {
    const Error& error = found.error();
    const bool differs = error.code == ErrorCode::invalid_input || error.code == ErrorCode::conflict;
    artifact.finding = differs ? Finding::changed : Finding::unreadable;
    artifact.message = error.message;
    return;
  }
  artifact.digest = found->digest;
  artifact.bytes = found->bytes;
  if (artifact.recorded.digest.empty()) {
    artifact.finding = Finding::unreadable;
    artifact.message = "no digest of it was recorded";
    return;
  }
  artifact.finding = found->digest == artifact.recorded.digest ? Finding::ok : Finding::changed;
  if (artifact.finding == Finding::ok) return;
  if (found->is_folder != artifact.recorded.is_folder) {
    artifact.message = found->is_folder ? "it is a folder now" : "it is no folder any more";
  } else if (found->is_folder && artifact.since) {
    artifact.files = changed_since(artifact.path, *artifact.since);
  }
}

// The work of several threads, and what they say of it.
class Verifying final {
 public:
  Verifying(std::vector<VerifiedArtifact>& artifacts, const sys::StopSignal& stop)
      : artifacts_(artifacts), stop_(stop) {}

  void work() {
    while (!stop_.requested()) {
      const std::size_t at = next_.fetch_add(1);
      if (at >= artifacts_.size()) return;
      if (artifacts_[at].finding != Finding::removed) verify(artifacts_[at]);
      if (stop_.requested()) return;
      std::lock_guard lock(mutex_);
      ++done_;
      changed_.notify_one();
    }
    std::lock_guard lock(mutex_);
    changed_.notify_one();
  }

  void wait(const VerifyProgress& progress) {
    constexpr auto k_between_looks = std::chrono::milliseconds(200);
    const auto ended = [&] { return done_ == artifacts_.size() || stop_.requested(); };
    std::unique_lock lock(mutex_);
    while (!ended()) {
      changed_.wait_for(lock, k_between_looks, ended);
      if (!progress || ended()) continue;
      const std::size_t done = done_;
      lock.unlock();
      progress(bytes_.load(), done);
      lock.lock();
    }
  }

 private:
  void verify(VerifiedArtifact& artifact) {
    if (artifact.path.empty()) {
      artifact.finding = Finding::unreadable;
      artifact.message = "it is not on this machine";
      return;
    }
    std::error_code error;
    const fs::file_type type = fs::symlink_status(artifact.path, error).type();
    if (type == fs::file_type::not_found) {
      artifact.finding = Finding::missing;
      return;
    }
    std::uint64_t counted = 0;
    const std::uint64_t expected = artifact.recorded.bytes;
    const auto count = [&](std::uint64_t bytes) {
      const std::uint64_t more = std::min(bytes, expected - counted);
      counted += more;
      bytes_.fetch_add(more);
    };
    compare(artifact, artifact::digest_path(artifact.path, [&] {
              count(k_bytes_between_asks);
              return stop_.requested();
            }));
    count(expected);
  }

  std::vector<VerifiedArtifact>& artifacts_;  // each is touched by the thread that took its number only
  const sys::StopSignal& stop_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::mutex mutex_;  // of done_
  std::condition_variable changed_;
  std::size_t done_ = 0;
};

}  // namespace

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::ok: return "ok";
    case Finding::changed: return "changed";
    case Finding::missing: return "missing";
    case Finding::removed: return "removed";
    case Finding::unreadable: return "unreadable";
  }
  return "";
}

bool verify_artifacts(std::vector<VerifiedArtifact>& artifacts, const sys::StopSignal& stop,
                      const VerifyProgress& progress) {
  Verifying verifying(artifacts, stop);
  {
    const auto cores = static_cast<std::size_t>(std::max(1.0, sys::machine_info().cpus));
    // Two at least: one may wait for the disk while the other hashes.
    const std::size_t count = std::min({std::max<std::size_t>(2, cores), k_most_threads, artifacts.size()});
    std::vector<std::jthread> threads;
    for (std::size_t number = 0; number < count; ++number) threads.emplace_back([&] { verifying.work(); });
    verifying.wait(progress);
  }
  return !stop.requested();
}

}  // namespace mlpipe::app
