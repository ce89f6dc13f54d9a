#include "app/doctor_container.hpp"

#include <sys/stat.h>

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/random.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using runner::ContainerEngine;

constexpr std::string_view k_tiny_image = "busybox:stable";
// Images with a shell that are often there already; tried when nothing can be pulled.
constexpr const char* k_likely_images[] = {"busybox:latest",       "alpine:latest",    "debian:bookworm-slim",
                                           "mlpipe/base:bookworm", "python:3.11-slim", "mlpipe/python-ml:bookworm",
                                           "ubuntu:24.04",         "debian:bookworm"};
constexpr std::string_view k_greeting = "hello from mlpipe doctor";
constexpr std::uint64_t k_memory = std::uint64_t{64} << 20;
constexpr std::chrono::seconds k_most_drift{5};
constexpr std::chrono::seconds k_slow{5};

// What the container tells about itself, one "name value" a line.
constexpr std::string_view k_script = R"sh(set -e
cd "$1"
{
  echo "uid $(id -u)"
  echo "time $(date +%s)"
  if [ -r /sys/fs/cgroup/memory.max ]; then echo "memory $(cat /sys/fs/cgroup/memory.max)"
  elif [ -r /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
    echo "memory $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes)"
  fi
  if grep -v ' lo:\|^ *lo:' /proc/net/dev | grep -q ':'; then echo "network yes"; else echo "network no"; fi
} > report.part
mv report.part report
echo "hello from mlpipe doctor"
)sh";

class Hearing final : public runner::LogSink {
 public:
  void write(runner::Stream, std::span<const std::byte> bytes) override {
    constexpr std::size_t k_most = 64 * 1024;
    const std::size_t count = std::min(bytes.size(), k_most - std::min(text.size(), k_most));
    text.append(reinterpret_cast<const char*>(bytes.data()), count);
  }
  std::string text;
};

// Raises `stop` when its time is up, unless it goes away before.
class Watchdog final {
 public:
  Watchdog(sys::StopSignal& stop, std::chrono::milliseconds patience)
      : thread_([this, &stop, patience](const std::stop_token& done) {
          std::unique_lock lock(mutex_);
          if (!wake_.wait_for(lock, done, patience, [&] { return done.stop_requested(); })) {
            expired_ = true;
            stop.request(sys::StopSignal::Level::kill);
          }
        }) {}
  bool expired() {
    const std::lock_guard lock(mutex_);
    return expired_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool expired_ = false;
  std::jthread thread_;  // last: it uses the others
};

struct Trial {
  std::string said;    // the container's output
  std::string report;  // what it wrote into the mounted folder; empty: nothing
  int exit_code = 0;
  bool timed_out = false;
  std::string could_not_start;
  std::chrono::milliseconds took{0};
  WallTime begin{}, end{};  // around it, by our clock
};

// The value of `name` in a report.
std::optional<std::uint64_t> reported(const std::string& report, std::string_view name) {
  for (std::string_view line : split(report, '\n')) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    const std::string_view digits = line.substr(name.size() + 1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{} && end == digits.data() + digits.size()) return value;
  }
  return std::nullopt;
}

std::optional<runner::Image> find_image(const DoctorWorld& world, ContainerEngine& engine,
                                        const runner::ProgressSink& progress, std::vector<Check>& checks) {
  const std::string wanted = world.image.empty() ? std::string(k_tiny_image) : world.image;
  if (Result<runner::Image> local = engine.inspect_image(wanted)) {
    checks.push_back({"image", Health::ok, wanted + " is there already", {}});
    return std::move(*local);
  }
  const sys::StopSignal never;
  Result<runner::Image> pulled = engine.pull_image(wanted, progress, never);
  if (pulled) {
    checks.push_back({"image", Health::ok, fmt::format("pulled {}", wanted), {}});
    return std::move(*pulled);
  }
  const std::string trouble = fmt::format("{} cannot be pulled: {}", wanted, pulled.error().message);
  const std::string hint = pulled.error().hint.empty()
                               ? "check the network, the proxy of the engine and the registry's login"
                               : pulled.error().hint;
  if (world.image.empty()) {
    for (const char* likely : k_likely_images) {
      Result<runner::Image> local = engine.inspect_image(likely);
      if (!local) continue;
      checks.push_back(
          {"image", Health::warn, fmt::format("{}; went on with {}, which is there", trouble, likely), hint});
      return std::move(*local);
    }
  }
  checks.push_back({"image", Health::fail, trouble, hint + "; or try with an image that is there: --image NAME"});
  return std::nullopt;
}

Result<Trial> try_container(const DoctorWorld& world, ContainerEngine& engine, const runner::Image& image,
                            const fs::path& scratch) {
  const runner::EngineInfo& info = engine.info();
  const fs::path inside = info.mounts ? fs::path("/mlpipe-doctor") : scratch;
  const unsigned uid = info.rootless ? 0 : world.uid;
  const unsigned gid = info.rootless ? 0 : world.gid;
  const MonotonicTime begin = world.clock.now();
  const WallTime wall_begin = world.clock.wall();
  Result<std::string> id =
      engine.create({.name = "mlpipe-doctor-" + sys::random_hex(8),
                     .labels = {{"mlpipe.doctor", "1"}},
                     .image = image.id,
                     .entrypoint = std::vector<std::string>{"/bin/sh", "-c", std::string(k_script), "sh"},
                     .command = {inside.string()},
                     .env = {},
                     .mounts = {{.source = scratch, .target = inside, .read_only = false}},
                     .tmpfs = {},
                     .working_directory = {},
                     .user = info.mounts ? fmt::format("{}:{}", uid, gid) : std::string(),
                     .memory = info.mounts ? k_memory : 0,
                     .gpus = {},
                     .grace = std::chrono::seconds(1)});
  if (!id) return within("creating a container", std::move(id).error());
  Trial trial;
  Hearing hearing;
  sys::StopSignal stop;
  Result<> ran;
  {
    Watchdog watchdog(stop, world.patience);
    ran = engine.run(
        *id, hearing, [] {}, stop);
    trial.timed_out = watchdog.expired();
  }
  Result<runner::ContainerState> state = engine.inspect(*id);
  trial.begin = wall_begin;
  trial.end = world.clock.wall();
  trial.took = std::chrono::duration_cast<std::chrono::milliseconds>(world.clock.now() - begin);
  Result<> removed = engine.remove(*id);
  if (!ran) return within("running a container", std::move(ran).error());
  if (!state) return within("asking how the container ended", std::move(state).error());
  if (!removed) return within("removing the container", std::move(removed).error());
  trial.exit_code = state->exit_code;
  if (!state->started) trial.could_not_start = state->error.empty() ? "it never started" : state->error;
  trial.said = std::move(hearing.text);
  constexpr std::uint64_t k_most = 4096;
  if (Result<std::string> report = sys::read_file(scratch / "report", k_most)) trial.report = std::move(*report);
  return trial;
}

// Did the container do its work? Without that the rest cannot be judged.
bool judge_trial(const Trial& trial, std::vector<Check>& checks) {
  const std::string said = trial.said.empty() ? "" : fmt::format("; it said: {}", shorten(trim(trial.said), 200));
  if (trial.timed_out) {
    checks.push_back({"container", Health::fail, "a container did not end in time and was killed" + said,
                      "look at the engine's log (journalctl -u docker) and at the machine's load"});
  } else if (!trial.could_not_start.empty()) {
    checks.push_back({"container", Health::fail, "a container cannot be started: " + trial.could_not_start,
                      "try another image with --image NAME; it needs /bin/sh"});
  } else if (trial.exit_code != 0) {
    const bool denied = trial.said.find("ermission denied") != std::string::npos;
    checks.push_back(
        {"container", Health::fail, fmt::format("a container ended with exit code {}{}", trial.exit_code, said),
         denied ? "the mounted folder cannot be written from inside: SELinux, AppArmor or user namespaces may be in "
                  "the way; try another --root"
                : "the image needs /bin/sh, id, date and grep; try another one with --image NAME"});
  } else if (trial.said.find(k_greeting) == std::string::npos) {
    checks.push_back({"container", Health::fail, fmt::format("a container ran but its output did not arrive{}", said),
                      "look at the engine's log (journalctl -u docker)"});
  } else if (trial.took > k_slow) {
    checks.push_back({"container", Health::warn,
                      fmt::format("ran, but took {} to do next to nothing", duration_text(trial.took)),
                      "the machine is busy, or its disk is slow: tasks will start late"});
    return true;
  } else {
    checks.push_back(
        {"container", Health::ok, fmt::format("ran in {}, its output arrived", duration_text(trial.took)), {}});
    return true;
  }
  return false;
}

void judge_mount(const DoctorWorld& world, const fs::path& scratch, const Trial& trial, std::vector<Check>& checks) {
  if (trial.report.empty()) {
    checks.push_back(
        {"mount", Health::fail,
         fmt::format("what a container wrote into a folder beside {} is not here", world.root.string()),
         "the engine runs on another machine or in a VM that does not share this folder: use a local engine "
         "(unset DOCKER_HOST), or share the folder with the VM"});
    return;
  }
  struct stat status {};
  if (::stat((scratch / "report").c_str(), &status) != 0) return;
  if (status.st_uid != world.uid) {
    checks.push_back(
        {"mount", Health::fail,
         fmt::format("files written by a container belong to uid {}, not to you ({})", status.st_uid, world.uid),
         "the engine remaps users (userns-remap): turn it off for mlpipe, or use a rootless engine as this user"});
    return;
  }
  checks.push_back({"mount", Health::ok, fmt::format("a container writes files here as you (uid {})", world.uid), {}});
}

void judge_limits(const Trial& trial, std::vector<Check>& checks) {
  const std::optional<std::uint64_t> seen = reported(trial.report, "memory");
  if (seen == k_memory) {
    checks.push_back({"memory", Health::ok, "a container's memory limit is enforced", {}});
    return;
  }
  checks.push_back(
      {"memory", Health::warn,
       fmt::format("a container asked to have {} sees {}: memory limits are not enforced", bytes_text(k_memory),
                   seen ? bytes_text(*seen) : "no limit"),
       "boot with cgroup_enable=memory, or for a rootless engine delegate the memory controller to your user; "
       "until then `resources: {memory: ...}` only decides what runs side by side"});
}

void judge_network(const Trial& trial, std::vector<Check>& checks) {
  if (trial.report.find("network yes") != std::string::npos) {
    checks.push_back({"network", Health::ok, "a container gets an interface on the bridge network", {}});
    return;
  }
  checks.push_back(
      {"network", Health::warn, "a container on the bridge network has no interface but lo",
       "was the engine started with --bridge=none or without iptables? Tasks that need no network: `network: none`; "
       "others: `network: host`"});
}

// The container looked at its clock at some time between the two looks at ours.
void judge_clock(const Trial& trial, std::vector<Check>& checks) {
  const std::optional<std::uint64_t> inside = reported(trial.report, "time");
  if (!inside) return;
  const std::chrono::seconds theirs(static_cast<std::int64_t>(*inside));
  const auto begin = std::chrono::floor<std::chrono::seconds>(trial.begin).time_since_epoch();
  const auto end = std::chrono::ceil<std::chrono::seconds>(trial.end).time_since_epoch();
  const std::chrono::seconds drift = theirs < begin ? begin - theirs
                                     : theirs > end ? end - theirs
                                                    : std::chrono::seconds(0);
  if (std::chrono::abs(drift) <= k_most_drift) {
    checks.push_back({"clock", Health::ok, "containers have this machine's time", {}});
    return;
  }
  checks.push_back({"clock", Health::warn,
                    fmt::format("a container's clock is {} s {} ours", std::chrono::abs(drift).count(),
                                drift.count() > 0 ? "behind" : "ahead of"),
                    "set the clock of the engine's machine or VM (restart the VM, or turn NTP on)"});
}

}  // namespace

void examine_container(const DoctorWorld& world, ContainerEngine& engine, const fs::path& scratch,
                       const runner::ProgressSink& progress, std::vector<Check>& checks) {
  const bool has_images = engine.info().mounts;
  const std::optional<runner::Image> image = has_images ? find_image(world, engine, progress, checks) : runner::Image{};
  if (!image) return;
  const Result<Trial> trial = try_container(world, engine, *image, scratch);
  if (!trial) {
    checks.push_back({"container", Health::fail, trial.error().message, trial.error().hint});
    return;
  }
  if (!judge_trial(*trial, checks)) return;
  judge_mount(world, scratch, *trial, checks);
  if (trial->report.empty() || !engine.info().mounts) return;
  judge_limits(*trial, checks);
  judge_network(*trial, checks);
  judge_clock(*trial, checks);
}

}  // namespace mlpipe::app
