#include "runner/attempt_files.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "mlpipe/sys/file.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

// An image's own user is any uid: what it must write to is open to all while the attempt runs.
Result<> open_to_all(const fs::path& folder) {
  if (::chmod(folder.c_str(), 0777) != 0)
    return fail_errno("opening " + folder.string() + " to the image's user", errno);
  return {};
}

}  // namespace

AttemptFiles locate_files(const RunContext& run, std::string_view task_path, int attempt, const EngineInfo& engine) {
  artifact::TaskTree tree(run.run_folder, task_path);
  const fs::path folder = tree.attempt(attempt);
  return {.tree = tree,
          .number = attempt,
          .work = tree.work(attempt),
          .visible = engine.mounts ? tree.path() : tree.work(attempt),
          .inputs = folder / "inputs",
          .visible_inputs = engine.mounts ? fs::path("/mlpipe/inputs") : folder / "inputs",
          .script = folder / "script",
          .visible_script = engine.mounts ? fs::path("/mlpipe/script") : folder / "script",
          .home = engine.mounts ? fs::path("/mlpipe/home") : folder / "home",
          .host_paths = !engine.mounts};
}

Result<AttemptFiles> prepare_files(const RunContext& run, std::string_view task_path, int attempt,
                                   const EngineInfo& engine, const spec::Interface& interface, spec::UserMode user) {
  AttemptFiles files = locate_files(run, task_path, attempt, engine);
  fs::path folder = files.tree.attempt(attempt);
  // A folder of that number can only be what an interrupted start left behind: nothing of it was ever recorded as done.
  if (Result<> cleared = sys::remove_tree(folder); !cleared) return within("preparing the attempt", cleared.error());
  // So is an output that lies at its final place: an earlier attempt published it and came no further.
  for (const spec::ArtifactSpec& output : interface.output_artifacts) {
    Result<> cleared = sys::remove_tree(files.tree.path() / output.name);
    if (!cleared) return within("preparing the attempt", cleared.error());
  }

  std::vector<fs::path> folders{files.work / ".mlpipe" / "parameters"};
  for (const spec::ArtifactSpec& output : interface.output_artifacts) folders.push_back(files.work / output.name);
  if (files.host_paths) folders.push_back(files.home);
  for (const fs::path& path : folders) {
    if (Result<> made = sys::make_directories(path); !made) return within("preparing the attempt", made.error());
  }
  if (user == spec::UserMode::image && !files.host_paths) {
    folders.push_back(files.work);
    folders.push_back(files.work / ".mlpipe");
    for (const fs::path& path : folders) {
      if (Result<> opened = open_to_all(path); !opened) return Failure(opened.error());
    }
  }
  return files;
}

}  // namespace mlpipe::runner
