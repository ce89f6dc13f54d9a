#include "runner/hand_back.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runner/helper_image.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

class NoLog final : public LogSink {
 public:
  void write(Stream, std::span<const std::byte>) override {}
};

Result<> own(const fs::path& path, const RunContext& run) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno("handing back " + path.string(), errno);
  if (::lchown(path.c_str(), run.uid, run.gid) != 0) return fail_errno("handing back " + path.string(), errno);
  mode_t mode = S_ISDIR(status.st_mode) ? (status.st_mode & 07777U) | 0700U : (status.st_mode & 0777U) | 0600U;
  if ((S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) && ::chmod(path.c_str(), mode) != 0) {
    return fail_errno("handing back " + path.string(), errno);
  }
  return {};
}

Result<> own_tree(const fs::path& work, const RunContext& run) {
  if (Result<> owned = own(work, run); !owned) return owned;
  std::error_code error;
  fs::recursive_directory_iterator walk(work, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (Result<> owned = own(walk->path(), run); !owned) return owned;
  }
  if (error) return fail_errno("handing back " + work.string(), error.value());
  return {};
}

}  // namespace

Result<> hand_back(const fs::path& work, const RunContext& run, ContainerEngine& engine) {
  if (::geteuid() == 0) return own_tree(work, run);
  Result<std::string> image = helper_image(engine);
  if (!image) return Failure(image.error());
  ContainerConfig config;
  config.labels = {{"mlpipe.root", run.root.string()}, {"mlpipe.run", run.run_id}, {"mlpipe.helper", "chown"}};
  config.image = *image;
  // In a rootless engine uid 0 inside is the caller outside.
  bool rootless = engine.info().rootless;
  config.command = {"chown", rootless ? "0" : std::to_string(run.uid), rootless ? "0" : std::to_string(run.gid),
                    "/work"};
  config.user = "0:0";
  config.network = "none";
  config.mounts.push_back({.source = work, .target = "/work", .read_only = false});
  Result<std::string> container = engine.create(config);
  if (!container) return within("handing the outputs back to the caller", container.error());
  NoLog log;
  sys::StopSignal never;
  Result<> ran = engine.run(
      *container, log, [] {}, never);
  Result<ContainerState> state = engine.inspect(*container);
  Result<> removed = engine.remove(*container);
  if (!ran) return within("handing the outputs back to the caller", ran.error());
  if (!state) return within("handing the outputs back to the caller", state.error());
  if (state->exit_code != 0) {
    return fail(ErrorCode::io, "handing the outputs back to the caller: the helper ended with exit code {}",
                state->exit_code);
  }
  return removed;
}

}  // namespace mlpipe::runner
