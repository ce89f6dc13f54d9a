#include "app/rebuild.hpp"

#include <algorithm>

#include "app/gc_plan.hpp"
#include "app/journal.hpp"
#include "app/manifest.hpp"
#include "app/root.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using metadata::RecordCondition;
using metadata::RecordedRun;

// A record of up to this size is looked at as a whole before each run: some ten milliseconds. A larger one only when the last
// that wrote to it did not end as it should.
constexpr std::uint64_t k_small_record = std::uint64_t{4} << 20;

std::vector<std::string> run_folders(const artifact::Root& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root.runs(), error)) {
    std::error_code ignored;
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

// The run that is being run by a process now, if any.
std::optional<std::string> running_run(const artifact::Root& root) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root.state() / "locks", error)) {
    if (entry.path().extension() == ".lock" && sys::is_locked(entry.path())) return entry.path().stem().string();
  }
  return std::nullopt;
}

Result<> check_nothing_runs(const artifact::Root& root) {
  const std::optional<std::string> running = running_run(root);
  if (!running) return {};
  std::string holder = "another process";
  // Only to name it: should it have ended by now, the lock is let go again at once.
  if (auto lock = sys::try_lock(root.run_lock(*running)); lock && std::holds_alternative<sys::LockHolder>(*lock)) {
    holder = to_string(std::get<sys::LockHolder>(*lock));
  }
  return fail_with_hint(ErrorCode::conflict,
                        fmt::format("record {}: it cannot be made anew: run {} is being run by {}",
                                    root.database().string(), *running, holder),
                        fmt::format("wait for it, or end it with `mlpipe cancel {}`", *running));
}

Result<RecordedRun> read_run(const artifact::Root& root, const std::string& name) {
  const fs::path folder = root.run(name);
  std::error_code error;
  if (is_half_removed(folder)) return fail(ErrorCode::not_found, "gc was taking it away");
  Result<Value> manifest = load_manifest(folder);
  if (!manifest && manifest.error().code == ErrorCode::not_found) {
    if (fs::exists(journal_path(folder), error)) return fail(ErrorCode::io, "its run.json is gone");
    return fail(ErrorCode::not_found, "it has no run.json: it never began, or its folder is of something else");
  }
  if (!manifest) return Failure(manifest.error());
  Result<RecordedRun> recorded = rows_of_manifest(*manifest);
  if (!recorded) return recorded;
  if (recorded->run.id != name) return fail(ErrorCode::invalid_input, "its run.json is of run {}", recorded->run.id);
  // Of a run that has ended run.json says all but the events.
  const bool has_ended = recorded->run.state != engine::RunState::running;
  apply_journal(folder, has_ended ? INT64_MAX : manifest->integer_or("events", 0), *recorded);
  return recorded;
}

// What never was a run, or was being taken away, is not missed.
bool is_run_lost(const Error& error) { return error.code != ErrorCode::not_found; }

std::string_view word_of(RebuildReason reason) { return reason == RebuildReason::damaged ? "damaged" : "replaced"; }

std::string runs_text(const Rebuilt& rebuilt) {
  std::string text = fmt::format("{} run{}", rebuilt.runs, rebuilt.runs == 1 ? "" : "s");
  if (rebuilt.interrupted > 0)
    text += fmt::format(", {} of them interrupted (`mlpipe resume` goes on with them)", rebuilt.interrupted);
  return text;
}

std::string left_out_text(const Rebuilt& rebuilt) {
  std::string text;
  for (const LeftOut& left : rebuilt.left_out)
    text += fmt::format("  left out: {}: {}\n", printable(left.run), printable(left.why));
  return text;
}

Value value_of(const artifact::Root& root, const Rebuilt& rebuilt) {
  Value::List left_out;
  for (const LeftOut& left : rebuilt.left_out) left_out.push_back(Value::Struct{{"run", left.run}, {"why", left.why}});
  Value::Struct value{{"record", root.database().string()},
                      {"runs", rebuilt.runs},
                      {"interrupted", rebuilt.interrupted},
                      {"left_out", std::move(left_out)}};
  if (!rebuilt.kept.empty()) value.emplace("kept", rebuilt.kept.string());
  return value;
}

Result<Rebuilt> fill(metadata::RecordRebuild& rebuild, const artifact::Root& root) {
  Rebuilt rebuilt;
  // Only what orders them is kept of all; the rest is read run by run.
  std::vector<std::pair<WallTime, std::string>> found;
  for (const std::string& name : run_folders(root)) {
    Result<RecordedRun> run = read_run(root, name);
    if (run)
      found.emplace_back(run->run.created, name);
    else
      rebuilt.left_out.push_back({name, run.error().message, is_run_lost(run.error())});
  }
  std::ranges::sort(found);
  for (const auto& [created, name] : found) {
    const Result<RecordedRun> run = read_run(root, name);
    Result<> added = run ? rebuild.add(*run) : Failure(run.error());
    if (added) {
      ++rebuilt.runs;
      if (run->run.state == engine::RunState::running) ++rebuilt.interrupted;
      continue;
    }
    const ErrorCode code = added.error().code;
    if (code == ErrorCode::no_space || code == ErrorCode::permission) return Failure(added.error());
    rebuilt.left_out.push_back(
        {name, code == ErrorCode::conflict ? "its run.json tells of a task or an attempt twice" : added.error().message,
         is_run_lost(added.error())});
  }
  return rebuilt;
}

Result<Rebuilt> finish(metadata::RecordRebuild& rebuild, const artifact::Root& root, RebuildReason reason,
                       WallTime now) {
  if (Result<> idle = check_nothing_runs(root); !idle) return Failure(idle.error());
  Result<Rebuilt> rebuilt = fill(rebuild, root);
  if (!rebuilt) return rebuilt;
  Result<fs::path> kept = rebuild.put_in_place(fmt::format("{}-{}", word_of(reason), to_compact_time(now)));
  if (!kept) return Failure(kept.error());
  rebuilt->kept = std::move(*kept);
  return rebuilt;
}

// What is the matter with the record, as far as it is affordable to look.
RecordCondition condition_of(const artifact::Root& root) {
  const fs::path file = root.database();
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(file, error);
  const bool was_left_open = metadata::has_open_log(file) && !running_run(root);
  const bool is_small = !error && bytes <= k_small_record;
  return metadata::examine_record(file, is_small || was_left_open ? metadata::Depth::whole : metadata::Depth::quick);
}

bool needs_mending(const artifact::Root& root, const RecordCondition& condition) {
  if (condition.kind == RecordCondition::Kind::damaged) return true;
  return condition.kind == RecordCondition::Kind::absent && !runs_with_manifest(root, 1).empty();
}

}  // namespace

std::vector<std::string> runs_with_manifest(const artifact::Root& root, std::size_t most) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root.runs(), error)) {
    if (found.size() == most) break;
    std::error_code ignored;
    const fs::path& folder = entry.path();
    if (fs::exists(folder / "run.json", ignored) && !is_half_removed(folder))
      found.push_back(folder.filename().string());
  }
  return found;
}

Result<Rebuilt> rebuild_record(const artifact::Root& root, RebuildReason reason, WallTime now,
                               const engine::Failpoint& failpoint) {
  Result<std::unique_ptr<metadata::RecordRebuild>> rebuild = metadata::begin_rebuild(root.database(), failpoint);
  if (!rebuild) return Failure(rebuild.error());
  return finish(**rebuild, root, reason, now);
}

ExitCode doctor_rebuild(const DoctorCommand& command, const Console& console) {
  const Result<fs::path> path = resolve_root(command.root);
  if (!path) return report_error(console, path.error());
  const artifact::Root root(*path);
  std::error_code error;
  if (!fs::is_directory(root.path(), error)) {
    return report_error(console, fail_with_hint(ErrorCode::not_found,
                                                fmt::format("pipeline root {}: there is none", root.path().string()),
                                                "name the root with --root")
                                     .value());
  }
  const Result<engine::Failpoint> failpoint =
      engine::parse_failpoint(sys::environment("MLPIPE_FAILPOINT").value_or(""), metadata::rebuild_failpoint_names());
  if (!failpoint) return report_error(console, failpoint.error());
  const RecordCondition condition = metadata::examine_record(root.database(), metadata::Depth::whole);
  if (condition.kind == RecordCondition::Kind::unusable) return report_error(console, condition.error);
  const bool is_damaged = condition.kind == RecordCondition::Kind::damaged;
  const Result<Rebuilt> rebuilt = rebuild_record(root, is_damaged ? RebuildReason::damaged : RebuildReason::replaced,
                                                 console.clock.wall(), *failpoint);
  if (!rebuilt) return report_error(console, rebuilt.error());
  const bool lost = std::ranges::any_of(rebuilt->left_out, &LeftOut::is_lost);
  const ExitCode code = lost ? ExitCode::environment : ExitCode::succeeded;
  if (command.json) {
    console.out(to_pretty_json(value_of(root, *rebuilt)));
    return code;
  }
  std::string text = fmt::format("record {} made anew: {}\n", root.database().string(), runs_text(*rebuilt));
  text += left_out_text(*rebuilt);
  if (!rebuilt->kept.empty()) text += fmt::format("the old one is kept as {}\n", rebuilt->kept.string());
  if (lost) {
    text +=
        "what was left out is in no listing: mend its run.json, or put one back from a backup, and say `mlpipe doctor "
        "--rebuild` again\n";
  }
  console.out(text);
  return code;
}

Result<> mend_record(const artifact::Root& root, const Console& console) {
  RecordCondition condition = condition_of(root);
  if (condition.kind == RecordCondition::Kind::unusable) {
    // Somebody is just making or migrating it: who opens it for writing waits for that.
    if (condition.error.code == ErrorCode::unavailable) return {};
    return Failure(condition.error);
  }
  if (!needs_mending(root, condition)) return {};
  if (Result<> idle = check_nothing_runs(root); !idle) {
    if (condition.kind == RecordCondition::Kind::absent) return {};  // it is only just being made
    Error error = std::move(idle).error();
    error.code = ErrorCode::unavailable;  // for now; what is wrong is the environment, not the command
    return within(condition.error.message, std::move(error));
  }
  Result<std::unique_ptr<metadata::RecordRebuild>> rebuild = metadata::begin_rebuild(root.database());
  if (!rebuild) return Failure(rebuild.error());
  // Again, now that nobody else can mend it: another process may have been faster.
  condition = condition_of(root);
  if (!needs_mending(root, condition)) return {};
  const std::string what = condition.kind == RecordCondition::Kind::damaged
                               ? condition.error.message
                               : fmt::format("record {}: it is gone, but runs are there", root.database().string());
  const Result<Rebuilt> rebuilt = finish(**rebuild, root, RebuildReason::damaged, console.clock.wall());
  if (!rebuilt) return within(what, rebuilt.error());
  std::string text = fmt::format("mlpipe: {}\n", printable(what));
  if (!rebuilt->kept.empty()) text += fmt::format("  moved aside to {}\n", rebuilt->kept.string());
  text += fmt::format("  made anew from the folders of the runs: {}\n", runs_text(*rebuilt));
  console.err(text + left_out_text(*rebuilt));
  return {};
}

}  // namespace mlpipe::app
