#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/stop_signal.hpp"

namespace mlpipe::runner {

// ---- Images -----------------------------------------------------------------------------------------------------

struct Image {
  std::string id;      // "sha256:..." of the image's configuration: containers are created from it
  std::string digest;  // "repo@sha256:..." when it came from a registry, else empty
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::string architecture;
  std::optional<WallTime> last_named = {};  // given one of its names; nothing: the engine does not tell
};

struct ImageSummary {
  std::string id;
  std::string reference;    // "mlpipe/train:0123456789ab"; an image of several names is listed once for each
  std::uint64_t bytes = 0;  // what the engine says of it; layers may be shared
};

struct BuildRequest {
  std::filesystem::path context;  // folder with a Dockerfile; .dockerignore honoured
  std::string tag;
  std::string network =
      {};  // of its RUN lines: "host", ...; empty: what MLPIPE_BUILD_NETWORK says, else the engine's default
};

// Lines about pulling or building, for people; called on the calling thread.
using ProgressSink = std::function<void(std::string_view)>;

// ---- Containers -------------------------------------------------------------------------------------------------

struct Mount {
  std::filesystem::path source;  // must exist: a missing source is an error, never a new folder
  std::filesystem::path target;
  bool read_only = true;
};

struct ContainerConfig {
  std::string name;                                    // deterministic: mlpipe-<run>-<task>-<attempt>
  std::map<std::string, std::string> labels;           // mlpipe.root, mlpipe.run, mlpipe.task, mlpipe.attempt
  std::string image;                                   // Image::id
  std::optional<std::vector<std::string>> entrypoint;  // nothing: the image's own
  std::vector<std::string> command;                    // empty and no entrypoint: the image's own
  std::vector<std::string> env;                        // "NAME=value"
  std::vector<Mount> mounts;
  std::vector<std::string> tmpfs;  // container paths, writable by all
  std::string working_directory;   // empty: the image's
  std::string user;                // "uid:gid"; empty: the image's
  std::string network = "bridge";  // "bridge", "none", "host" or "container:<id>"
  double cpus = 0;                 // 0: no limit
  std::uint64_t memory = 0;        // bytes, 0: no limit
  std::uint64_t shm = 0;           // bytes, 0: the engine's default
  std::vector<std::string> gpus;   // device UUIDs
  std::chrono::seconds grace{10};  // between SIGTERM and SIGKILL
};

struct ContainerState {
  enum class Status { created, running, exited, dead, other };
  Status status = Status::other;
  bool started = false;  // StartedAt is set
  std::optional<WallTime> started_at = {};
  std::optional<WallTime> finished_at = {};  // by the engine's clock, as started_at
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // the engine's own word on why it would not start
};

struct ContainerSummary {
  std::string id;
  std::string name;
  std::map<std::string, std::string> labels;
  bool running = false;
};

enum class Stream : std::uint8_t { out = 1, err = 2 };

// Where a container's output goes. Never blocks for long and never fails outward: a full disk drops and counts bytes.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(Stream stream, std::span<const std::byte> bytes) = 0;
};

struct EngineInfo {
  std::string name;         // "Docker 20.10.24", "Podman 4.3.1", "process"
  std::string address;      // "unix:///var/run/docker.sock"
  std::string api_version;  // negotiated
  bool rootless = false;    // uid 0 inside is the caller outside
  bool mounts = true;       // false: no file system of its own (process engine): paths are the host's
  int cpus = 0;             // what the engine can give: 0 when unknown
  std::uint64_t memory = 0;
  bool gpu_runtime = false;
  std::string storage;  // folder of its images, as the engine names it; empty when unknown
};

// A container engine as one attempt needs it. Every call may come from any thread, several at once; each blocks no longer
// than its own deadline, or until `stop` asks. `unavailable`: the engine cannot be asked (gone, restarting): worth trying again.
class ContainerEngine {
 public:
  virtual ~ContainerEngine() = default;

  virtual const EngineInfo& info() const = 0;

  // The image as the engine has it now; not_found when it does not.
  virtual Result<Image> inspect_image(const std::string& reference) = 0;
  virtual Result<Image> pull_image(const std::string& reference, const ProgressSink& progress,
                                   const sys::StopSignal& stop) = 0;
  virtual Result<Image> build_image(const BuildRequest& request, const ProgressSink& progress,
                                    const sys::StopSignal& stop) = 0;
  // The images whose repository is below `prefix`, "mlpipe/" for example.
  virtual Result<std::vector<ImageSummary>> list_images(const std::string& prefix) = 0;
  // Gives the image `reference` another name, "repository:tag"; one that it has already is given once more.
  virtual Result<> name_image(const std::string& reference, const std::string& name) = 0;
  // Takes the name away, and the image with its last name. A container uses it: conflict. One that is not there is fine.
  virtual Result<> remove_image(const std::string& reference) = 0;

  // The id of a new container. A container of that name exists: conflict.
  virtual Result<std::string> create(const ContainerConfig& config) = 0;
  // Attaches, registers the wait, starts the container, calls `started` once it runs, and copies its output to `log` until
  // it has ended. `stop` rising to graceful sends the stop (SIGTERM, SIGKILL after the grace), to kill SIGKILL; output is
  // drained all the while. Returns when the engine says that it has ended; only inspect() tells how. `not_found`,
  // `invalid_input`: it could not be started. `unavailable`: the connection was lost, and the container may live on.
  virtual Result<> run(const std::string& id, LogSink& log, const std::function<void()>& started,
                       sys::StopSignal& stop) = 0;
  // The same for a container that runs already: its whole log first (mlpipe resume), then as run().
  virtual Result<> follow(const std::string& id, LogSink& log, sys::StopSignal& stop) = 0;
  virtual Result<ContainerState> inspect(const std::string& id) = 0;
  virtual Result<> stop(const std::string& id, std::chrono::seconds grace) = 0;
  virtual Result<> kill(const std::string& id) = 0;
  // Removes it, running or not. One that is not there is fine.
  virtual Result<> remove(const std::string& id) = 0;
  // Starts a container and returns at once (sandboxes).
  virtual Result<> start(const std::string& id) = 0;
  // All containers, running or not, that carry every one of `labels`.
  virtual Result<std::vector<ContainerSummary>> list(const std::map<std::string, std::string>& labels) = 0;
};

}  // namespace mlpipe::runner
