#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "app/doctor.hpp"
#include "app/doctor_container.hpp"
#include "app/rebuild.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_little = std::uint64_t{5} << 30;
constexpr std::uint64_t k_too_little = std::uint64_t{200} << 20;

// A folder on the root's file system that goes away with the object.
class Scratch final {
 public:
  static Result<Scratch> make(const fs::path& parent) {
    std::string pattern = (parent / ".mlpipe-doctor-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return fail_errno("making a folder in " + parent.string(), errno);
    return Scratch(pattern);
  }
  ~Scratch() {
    if (!path_.empty()) (void)sys::remove_tree(path_);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const fs::path& path() const { return path_; }

 private:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  while (!fs::is_directory(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

std::unique_ptr<runner::ContainerEngine> check_engine(const DoctorWorld& world, std::vector<Check>& checks) {
  Result<std::unique_ptr<runner::ContainerEngine>> engine = world.connect();
  if (!engine) {
    checks.push_back(
        {"engine", Health::fail, engine.error().message,
         engine.error().hint.empty() ? "install docker.io or podman, or set DOCKER_HOST" : engine.error().hint});
    return nullptr;
  }
  const runner::EngineInfo& info = (*engine)->info();
  std::string text = info.name;
  if (!info.address.empty()) text += " at " + info.address;
  if (!info.api_version.empty()) text += ", API " + info.api_version;
  if (info.rootless) text += ", rootless";
  if (info.cpus > 0) text += fmt::format(", {} CPU{}", info.cpus, info.cpus == 1 ? "" : "s");
  if (info.memory > 0) text += ", " + bytes_text(info.memory);
  if (!info.mounts) {
    checks.push_back({"engine", Health::warn, text + ": tasks run as plain processes, with no container around them",
                      "use a container engine for anything but a first try"});
  } else {
    checks.push_back({"engine", Health::ok, text, {}});
  }
  return std::move(*engine);
}

void check_disk(const DoctorWorld& world, const runner::ContainerEngine* engine, std::vector<Check>& checks) {
  auto check = [&](std::string name, const fs::path& path, std::string_view what) {
    const Result<std::uint64_t> free = world.free_space(path);
    if (!free) {
      checks.push_back({std::move(name), Health::warn, free.error().message, free.error().hint});
      return;
    }
    const Health health = *free < k_too_little ? Health::fail : *free < k_little ? Health::warn : Health::ok;
    checks.push_back({std::move(name), health,
                      fmt::format("{} free for {} ({})", bytes_text(*free), what, path.string()),
                      health == Health::ok ? "" : "make room, or put the pipeline root elsewhere with --root"});
    if (health != Health::ok && what == "images")
      checks.back().hint = "make room: docker system prune removes what is unused";
  };
  check("disk", nearest_existing(world.root), "runs");
  if (engine == nullptr) return;
  const fs::path storage =
      engine->info().storage;  // not to be seen from here when the engine runs in a machine of its own
  std::error_code ignored;
  if (fs::is_directory(storage, ignored)) check("disk", storage, "images");
}

constexpr std::string_view k_rebuild = "`mlpipe doctor --rebuild` makes it anew from the folders of the runs";

// How many of these runs the record does not know. Reading it, a record of an older mlpipe is brought up to date.
Result<std::size_t> count_unrecorded(const artifact::Root& root, const std::vector<std::string>& on_disk) {
  Result<std::unique_ptr<metadata::Queries>> queries =
      metadata::open_queries(root.database(), [](const std::string&) { return false; });
  if (!queries) return Failure(queries.error());
  const Result<std::vector<metadata::RunRow>> runs = (*queries)->runs(0);
  if (!runs) return Failure(runs.error());
  std::set<std::string> known;
  for (const metadata::RunRow& run : *runs) known.insert(run.id);
  return static_cast<std::size_t>(
      std::ranges::count_if(on_disk, [&](const std::string& run) { return !known.contains(run); }));
}

// Can a record be kept on the root's file system, and is the one that is there sound?
void check_record(const DoctorWorld& world, const fs::path& scratch, std::vector<Check>& checks) {
  if (Result<std::unique_ptr<metadata::RunRecord>> made = metadata::open_record(scratch / "metadata.db"); !made) {
    checks.push_back(
        {"record", Health::fail, made.error().message,
         made.error().hint.empty() ? "put the pipeline root on a local disk with --root" : made.error().hint});
    return;
  }
  const artifact::Root root(world.root);
  const std::vector<std::string> on_disk = runs_with_manifest(root, SIZE_MAX);
  const metadata::RecordCondition condition = metadata::examine_record(root.database(), metadata::Depth::whole);
  using Kind = metadata::RecordCondition::Kind;
  if (condition.kind == Kind::absent) {
    if (on_disk.empty()) {
      checks.push_back({"record", Health::ok, "a record can be kept; there is none yet in " + world.root.string(), {}});
    } else {
      checks.push_back(
          {"record", Health::fail,
           fmt::format("{}: it is gone, but {} run(s) are there", root.database().string(), on_disk.size()),
           std::string(k_rebuild)});
    }
    return;
  }
  if (condition.kind != Kind::sound) {
    checks.push_back({"record", Health::fail, condition.error.message, condition.error.hint});
    return;
  }
  const Result<std::size_t> missing = count_unrecorded(root, on_disk);
  if (!missing) {
    checks.push_back({"record", Health::fail, missing.error().message, missing.error().hint});
  } else if (*missing > 0) {
    checks.push_back(
        {"record", Health::warn,
         fmt::format("{}: {} run(s) in {} are not in it", root.database().string(), *missing, root.runs().string()),
         std::string(k_rebuild)});
  } else {
    checks.push_back({"record", Health::ok, root.database().string() + " is whole", {}});
  }
}

void check_gpus(const DoctorWorld& world, const runner::ContainerEngine* engine, std::vector<Check>& checks) {
  const Result<std::vector<sys::Gpu>> gpus = world.gpus();
  if (!gpus) {
    checks.push_back({"gpu", Health::warn, gpus.error().message, "run nvidia-smi and mend what it says"});
    return;
  }
  if (gpus->empty()) {
    checks.push_back({"gpu", Health::ok, "none; tasks that ask for one would be refused", {}});
    return;
  }
  const std::string text = fmt::format("{} x {}", gpus->size(), gpus->front().name);
  if (engine != nullptr && engine->info().mounts && !engine->info().gpu_runtime) {
    checks.push_back(
        {"gpu", Health::warn, text + ", but the engine cannot give them to containers",
         "install nvidia-container-toolkit, then: nvidia-ctk runtime configure && systemctl restart docker"});
    return;
  }
  checks.push_back({"gpu", Health::ok, text, {}});
}

}  // namespace

std::vector<Check> examine(const DoctorWorld& world, const runner::ProgressSink& progress) {
  std::vector<Check> checks;
  const std::unique_ptr<runner::ContainerEngine> engine = check_engine(world, checks);
  const fs::path parent = nearest_existing(world.root);
  const Result<Scratch> scratch = Scratch::make(parent);
  if (!scratch) {
    checks.push_back(
        {"root", Health::fail, scratch.error().message, "choose a pipeline root you may write to: --root FOLDER"});
  } else {
    checks.push_back({"root", Health::ok, fmt::format("{} can be written", world.root.string()), {}});
    const fs::path folder = scratch->path() / "mounted";
    std::error_code failed;
    fs::create_directory(folder, failed);
    if (engine && !failed) examine_container(world, *engine, folder, progress, checks);
    check_record(world, scratch->path(), checks);
  }
  check_disk(world, engine.get(), checks);
  check_gpus(world, engine.get(), checks);
  return checks;
}

}  // namespace mlpipe::app
