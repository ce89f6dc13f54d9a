#include "app/gc.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "app/gc_plan.hpp"
#include "app/rebuild.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/removal.hpp"
#include "mlpipe/runner/secret_folder.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/lock.hpp"
#include "mlpipe/sys/random.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

// ---- Looking ----------------------------------------------------------------------------------------------------

std::vector<std::string> run_folders(const artifact::Root& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root.runs(), error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<RecordedRuns> read_runs(const artifact::Root& root) {
  RecordedRuns recorded;
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries && queries.error().code == ErrorCode::not_found) return recorded;
  if (!queries) return Failure(queries.error());
  Result<std::vector<metadata::RunRow>> runs = (*queries)->runs(0);
  if (!runs) return Failure(runs.error());
  recorded.runs = std::move(*runs);
  for (const metadata::RunRow& run : recorded.runs) {
    recorded.ids.insert(run.id);
    if (sys::is_locked(root.run_lock(run.id))) recorded.locked.insert(run.id);
  }
  return recorded;
}

Result<GcPlan> look(const artifact::Root& root, const GcCriteria& criteria, const GcCommand& command,
                    const GcSurroundings& around, std::unique_ptr<runner::ContainerEngine>& engine, WallTime now) {
  GcPlan plan;
  std::vector<runner::ContainerSummary> containers;
  if (auto connected = around.connect()) {
    engine = std::move(*connected);
    auto listed = engine->list({{"mlpipe.root", root.path().string()}});
    if (listed) {
      containers = std::move(*listed);
    } else {
      plan.remarks.push_back("containers stay: " + listed.error().message);
      engine.reset();
    }
  } else {
    plan.remarks.push_back(
        fmt::format("containers{} stay: {}", command.images ? " and images" : "", connected.error().message));
  }
  std::vector<std::string> folders = run_folders(root);
  const Result<RecordedRuns> recorded = read_runs(root);
  if (!recorded) return Failure(recorded.error());
  DiskUse use;
  plan.runs = runs_to_go(criteria, *recorded, root, use);
  if (!engine) {
    // Its containers may still be writing to it.
    std::erase_if(plan.runs, [&](const RunToGo& going) {
      if (!going.run.interrupted) return false;
      plan.remarks.push_back(
          fmt::format("run {} stays: it was interrupted, and its containers cannot be looked for", going.run.id));
      return true;
    });
  }
  Result<> found = find_leftovers({.root = root,
                                   .recorded = *recorded,
                                   .going = plan.runs,
                                   .containers = containers,
                                   .engine = engine.get(),
                                   .images = command.images,
                                   .folders = std::move(folders),
                                   .now = now,
                                   .secrets = around.secrets},
                                  use, plan);
  if (!found) return Failure(found.error());
  for (const RunToGo& run : plan.runs) plan.frees += run.frees;
  for (const Leftover& leftover : plan.leftovers) plan.frees += leftover.bytes;
  return plan;
}

// ---- Removing ---------------------------------------------------------------------------------------------------

class Removal final {
 public:
  Removal(const artifact::Root& root, runner::ContainerEngine* engine) : root_(root), engine_(engine) {}

  // Was something to be removed, and could not? Not so what somebody has begun to use meanwhile.
  bool failed() const { return failed_; }

  // Does what the plan says; gives what was really done.
  GcPlan carry_out(const GcPlan& plan) {
    done_.remarks = plan.remarks;
    // Containers first: those of a run that goes may be writing to its folder.
    for (const Leftover& leftover : plan.leftovers) {
      if (leftover.kind == LeftoverKind::container) attempt(leftover);
    }
    for (const RunToGo& going : plan.runs) {
      if (Result<> removed = remove_run(going.run.id); !removed) {
        keep("run", going.run.id, removed.error());
      } else {
        done_.frees += going.frees;
        done_.runs.push_back(going);
      }
    }
    if (!done_.runs.empty()) after_runs();
    for (const Leftover& leftover : plan.leftovers) {
      if (leftover.kind != LeftoverKind::container) attempt(leftover);
    }
    return std::move(done_);
  }

 private:
  using Lock = std::variant<sys::FileLock, sys::LockHolder>;

  void keep(std::string_view kind, const std::string& name, const Error& why) {
    done_.remarks.push_back(fmt::format("{} {} stays: {}", kind, name, why.message));
    failed_ = failed_ || why.code != ErrorCode::conflict;
  }

  void attempt(const Leftover& leftover) {
    if (Result<> removed = remove(leftover); !removed) {
      keep(to_string(leftover.kind), leftover.name, removed.error());
      if (leftover.kind == LeftoverKind::container) busy_.insert(leftover.run);
      return;
    }
    done_.frees += leftover.bytes;
    done_.leftovers.push_back(leftover);
  }

  // The lock, while nobody else has it. Its file goes with the run.
  Result<sys::FileLock> claim(const fs::path& path) {
    Result<Lock> lock = sys::try_lock(path);
    if (!lock) return Failure(lock.error());
    if (auto* holder = std::get_if<sys::LockHolder>(&*lock)) {
      return fail(ErrorCode::conflict, "it is being run by {}", sys::to_string(*holder));
    }
    return std::get<sys::FileLock>(std::move(*lock));
  }

  Result<> remove_run(const std::string& id) {
    if (busy_.contains(id)) return fail(ErrorCode::conflict, "one of its containers could not be removed");
    Result<sys::FileLock> lock = claim(root_.run_lock(id));
    if (!lock) return Failure(lock.error());
    const fs::path folder = root_.run(id);
    std::error_code error;
    const bool there = fs::exists(fs::symlink_status(folder, error));
    if (there) {
      if (Result<> made = sys::make_directories(removal_mark(folder).parent_path()); !made) return made;
      Result<> marked = sys::write_file_atomically(removal_mark(folder), "", sys::Durable::yes);
      if (!marked) return marked;
    }
    if (Result<> removed = metadata::remove_run(root_.database(), id); !removed) {
      (void)::unlink(removal_mark(folder).c_str());
      return removed;
    }
    if (there) {
      if (Result<> removed = remove_folder(folder); !removed) return removed;
    }
    (void)::unlink(root_.run_lock(id).c_str());
    return {};
  }

  Result<> remove_folder(const fs::path& folder) {
    const fs::path trash = root_.state() / "trash";
    if (Result<> made = sys::make_directories(trash); !made) return fail(ErrorCode::io, "{}", made.error().message);
    const fs::path resting = trash / fmt::format("{}-{}", folder.filename().string(), sys::random_hex(8));
    Result<> moved = sys::rename_into_place(folder, resting, sys::Durable::yes);
    return moved ? sys::remove_tree(resting) : moved;
  }

  Result<> remove(const Leftover& leftover) {
    switch (leftover.kind) {
      case LeftoverKind::container: return engine_->remove(leftover.id);
      case LeftoverKind::image: return engine_->remove_image(leftover.name);
      case LeftoverKind::secrets: return runner::remove_if_abandoned(leftover.name);
      case LeftoverKind::trash: return sys::remove_tree(leftover.name);
      case LeftoverKind::payload: return remove_payload(leftover);
      case LeftoverKind::folder: return remove_stray_folder(leftover);
      case LeftoverKind::lock: {
        Result<sys::FileLock> lock = claim(leftover.name);
        if (!lock) return Failure(lock.error());
        if (!leftover.run.empty()) {
          // A run of that name that began meanwhile has let it go: its lock file stays with it.
          std::error_code error;
          if (fs::exists(root_.run(leftover.run), error)) return {};
        }
        (void)::unlink(leftover.name.c_str());
        return {};
      }
    }
    return {};
  }

  Result<> remove_payload(const Leftover& leftover) {
    Result<sys::FileLock> lock = claim(root_.run_lock(leftover.run));
    if (!lock) return Failure(lock.error());
    return sys::remove_tree(leftover.name);
  }

  Result<> remove_stray_folder(const Leftover& leftover) {
    Result<sys::FileLock> lock = claim(root_.run_lock(leftover.run));
    if (!lock) return Failure(lock.error());
    Result<RecordedRuns> recorded = read_runs(root_);  // again, now that nobody can begin it
    if (!recorded) return Failure(recorded.error());
    if (recorded->ids.contains(leftover.run)) return fail(ErrorCode::conflict, "it is in the record now");
    if (Result<> removed = remove_folder(leftover.name); !removed) return removed;
    (void)::unlink(root_.run_lock(leftover.run).c_str());
    return {};
  }

  // The link to the newest run, and what no run has any more.
  void after_runs() {
    if (Result<> removed = metadata::remove_unused_texts(root_.database()); !removed) {
      done_.remarks.push_back(removed.error().message);
    }
    std::error_code error;
    const fs::path target = fs::read_symlink(root_.latest(), error);
    if (error || fs::exists(root_.latest(), error)) return;
    const Result<RecordedRuns> left = read_runs(root_);
    if (left && !left->runs.empty()) {
      if (Result<> linked = sys::replace_symlink(fs::path("runs") / left->runs.front().id, root_.latest()); !linked) {
        done_.remarks.push_back(linked.error().message);
      }
    } else if (left) {
      (void)::unlink(root_.latest().c_str());
    }
  }

  const artifact::Root& root_;
  runner::ContainerEngine* engine_;
  GcPlan done_;
  bool failed_ = false;
  std::set<std::string, std::less<>> busy_;  // runs with a container that could not be removed
};

void tell(const GcPlan& plan, const GcCommand& command, const GcCriteria& criteria, const artifact::Root& root,
          const Console& console) {
  if (command.json) {
    Value answer = gc_value(plan, root);
    answer.as_struct().emplace("removed", command.yes);
    console.out(to_pretty_json(answer));
    return;
  }
  console.out(gc_text(plan, criteria.any()));
  const std::size_t count = plan.runs.size() + plan.leftovers.size();
  if (count == 0) {
    console.out(fmt::format("nothing {} on {}\n", command.yes ? "was removed" : "to clean up", root.path().string()));
  } else {
    console.out(fmt::format("\n{} run(s), {} leftover(s), {}{}\n", plan.runs.size(), plan.leftovers.size(),
                            bytes_text(plan.frees), command.yes ? " removed" : ""));
  }
  for (const std::string& remark : plan.remarks) console.err("mlpipe gc: " + printable(remark) + "\n");
  if (!command.yes && count > 0) console.out("Nothing was changed; --yes removes all of this.\n");
}

}  // namespace

ExitCode gc(const GcCommand& command, const Console& console, const GcSurroundings& around) {
  const WallTime now = console.clock.wall();
  const Result<GcCriteria> criteria = criteria_of(command, now);
  if (!criteria) return report_error(console, criteria.error());
  Result<fs::path> path = resolve_root(command.root);
  if (!path) return report_error(console, path.error());
  const artifact::Root root(std::move(*path));
  std::error_code error;
  if (!fs::is_directory(root.path(), error)) {
    return report_error(console,
                        {.code = ErrorCode::not_found,
                         .message = fmt::format("pipeline root {}: there is no such folder", root.path().string()),
                         .hint = "name the root with --root or MLPIPE_ROOT"});
  }
  if (command.yes) {
    if (Result<> mended = mend_record(root, console); !mended) return report_error(console, mended.error());
  }
  std::unique_ptr<runner::ContainerEngine> engine;
  Result<GcPlan> plan = look(root, *criteria, command, around, engine, now);
  if (!plan) return report_error(console, plan.error());
  Removal removal(root, engine.get());
  if (command.yes) *plan = removal.carry_out(*plan);
  tell(*plan, command, *criteria, root, console);
  return removal.failed() ? ExitCode::environment : ExitCode::succeeded;
}

}  // namespace mlpipe::app
