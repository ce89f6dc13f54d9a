#include "app/run_folder.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "app/recorded_run.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/random.hpp"
#include "mlpipe/sys/subprocess.hpp"

namespace mlpipe::app {

Result<std::string> choose_run_id(const std::string& said, const std::string& pipeline, WallTime now) {
  std::string id = said;
  if (id.empty()) {
    id = fmt::format("{}-{}-{}", pipeline.substr(0, 60), to_compact_time(now), sys::random_hex(4));
    for (char& c : id) {
      if (c == ' ' || c == '/') c = '-';
    }
  }
  if (Result<> checked = artifact::check_name("run id", id); !checked) return Failure(checked.error());
  if (id == "latest") {
    return fail_with_hint(ErrorCode::invalid_input, "run id \"latest\": that word always means the newest run",
                          "choose another --run-id, or leave it out");
  }
  return id;
}

namespace {

// Does the folder hold no more than what a run has before it is on record?
bool holds_sources_alone(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name != ".mlpipe" && name != "pipeline.yaml" && !name.starts_with(".mlpipe-tmp-")) return false;
  }
  return !error;
}

// Was the mlpipe that made the run's folder killed before the run was on record? Called under the run's lock.
bool was_never_begun(const artifact::Root& root, const std::string& run_id) {
  if (!holds_sources_alone(root.run(run_id))) return false;
  // A record that was just being made is mended by opening it for writing; what is wrong with it the next opening says.
  (void)metadata::open_record(root.database());
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return queries.error().code == ErrorCode::not_found;
  Result<metadata::RunRow> row = (*queries)->find_run(run_id);
  return row ? row->id != run_id : row.error().code == ErrorCode::not_found;
}

// What to do when there is a run of that name.
std::string hint_for_taken(const artifact::Root& root, const std::string& run_id) {
  const std::string another = "give this run another --run-id, or leave it out";
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return another;
  // This process holds the run's lock, so it counts as being run: whoever was running it is gone.
  const Result<metadata::RunRow> row = (*queries)->find_run(run_id);
  if (!row || row->id != run_id || row->state != engine::RunState::running) return another;
  return fmt::format("it was interrupted: `mlpipe resume {}` goes on with it; else {}", run_id, another);
}

}  // namespace

Result<sys::FileLock> claim_run(const artifact::Root& root, const std::string& run_id) {
  for (const auto& folder : {root.state() / "locks", root.runs()}) {
    if (Result<> made = sys::make_directories(folder, sys::Durable::yes); !made) {
      Error error = made.error();
      if (error.code == ErrorCode::conflict) error.code = ErrorCode::io;  // a file is where a folder must be
      if (error.hint.empty()) error.hint = "choose a pipeline root you can write to, with --root or MLPIPE_ROOT";
      return within("pipeline root " + root.path().string(), std::move(error));
    }
  }
  auto lock = sys::try_lock(root.run_lock(run_id));
  if (!lock) return Failure(lock.error());
  if (auto* holder = std::get_if<sys::LockHolder>(&*lock)) {
    return fail_with_hint(ErrorCode::conflict,
                          fmt::format("run {} is being run by {}", run_id, sys::to_string(*holder)),
                          "wait for it, or give this run another --run-id");
  }
  const std::filesystem::path folder = root.run(run_id);
  int problem = ::mkdir(folder.c_str(), 0777) == 0 ? 0 : errno;
  if (problem == EEXIST && was_never_begun(root, run_id)) {
    if (Result<> removed = sys::remove_tree(folder); !removed) return Failure(removed.error());
    problem = ::mkdir(folder.c_str(), 0777) == 0 ? 0 : errno;
  }
  if (problem != 0) {
    if (problem == EEXIST) {
      return fail_with_hint(ErrorCode::conflict,
                            fmt::format("run {} exists already in {}", run_id, root.runs().string()),
                            hint_for_taken(root, run_id));
    }
    return fail_errno("making " + folder.string(), problem);
  }
  // Whoever is on record has a folder, and there is a record: also after a power loss.
  for (const auto& parent : {root.runs(), root.path()}) {
    if (Result<> synced = sys::fsync_path(parent); !synced) return Failure(synced.error());
  }
  return std::move(std::get<sys::FileLock>(*lock));
}

GitState git_state(const std::filesystem::path& folder) {
  sys::CommandOptions options{.deadline = std::chrono::seconds(5), .working_directory = folder};
  Result<sys::CommandResult> commit = sys::run_command({"git", "rev-parse", "HEAD"}, options);
  if (!commit || !commit->ok()) return {};
  GitState state{.commit = std::string(trim(commit->out))};
  Result<sys::CommandResult> changes =
      sys::run_command({"git", "status", "--porcelain", "--untracked-files=no"}, options);
  state.dirty = changes && changes->ok() && !trim(changes->out).empty();
  return state;
}

}  // namespace mlpipe::app
