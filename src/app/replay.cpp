#include "app/replay.hpp"

#include <algorithm>

#include "app/compare_replay.hpp"
#include "app/preflight.hpp"
#include "app/rebuild.hpp"
#include "app/recorded_run.hpp"
#include "app/replay_source.hpp"
#include "app/root.hpp"
#include "app/run_folder.hpp"
#include "app/run_options.hpp"
#include "app/snapshot.hpp"
#include "app/start_run.hpp"
#include "app/version.hpp"

namespace mlpipe::app {
namespace {

metadata::RunStart start_of(const RunCommand& command, const metadata::RunRow& original, const Prepared& prepared,
                            std::string run_id, WallTime now) {
  return {.id = std::move(run_id),
          .root = prepared.root.path().string(),
          .spec_digest = original.spec_digest,
          .spec_file = original.spec_file,
          .command_line = command.command_line,
          .mlpipe_version = k_version,
          .engine = {},
          .host = prepared.machine.hostname,
          .git_commit = original.git_commit,
          .git_dirty = original.git_dirty,
          .created = now,
          .parent = original.id,
          .options = options_value(command),
          .labels = {},
          .experiment = command.experiment.empty() ? original.experiment : command.experiment};
}

// The tasks that run again: in TASK mode that one, else all that are chosen.
std::vector<std::string> replayed_tasks(const plan::Plan& plan, const RunCommand& command) {
  if (!command.replay_task.empty()) return {command.replay_task};
  std::vector<std::string> names;
  for (plan::TaskId id : plan.order()) {
    if (plan.selected(id)) names.emplace_back(plan.task(id).path());
  }
  return names;
}

Result<RecordedRun> read_recorded(const artifact::Root& root, const std::string& reference) {
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  return read_run(**queries, reference);
}

Result<ExitCode> replay_run(const ReplayCommand& said, const Console& console) {
  if (Result<> good = check_options(said.options); !good) return Failure(good.error());
  Result<std::filesystem::path> path = resolve_root(said.options.root);
  if (!path) return Failure(path.error());
  const artifact::Root root(std::move(*path));
  if (Result<> mended = mend_record(root, console); !mended) return Failure(mended.error());
  Result<RecordedRun> original = read_recorded(root, said.run);
  if (!original) return Failure(original.error());
  RunCommand as_then;
  apply_options(original->run.options, as_then);
  Result<spec::PipelineSpec> spec = kept_pipeline(root, original->run, as_then.component_path);
  if (!spec) return Failure(spec.error());
  Result<RunCommand> command = command_of_replay(*original, *spec, said);
  if (!command) return Failure(command.error());
  Result<Prepared> prepared = prepare(*command, *spec, original->run.arguments.as_struct(), root);
  if (!prepared) return Failure(prepared.error());
  Result<runner::GivenResults> given = given_results(prepared->plan, *command, root);
  if (!given) return Failure(given.error());
  if (Result<> found = preflight(prepared->plan, *given); !found) return Failure(found.error());
  const WallTime now = console.clock.wall();
  Result<std::string> run_id = choose_run_id(command->run_id, spec->name, now);
  if (!run_id) return Failure(run_id.error());
  Result<std::map<std::string, runner::PinnedImage>> pins = pinned_images(prepared->plan, *given, *original);
  if (!pins) return Failure(pins.error());

  Interruption interruption;
  if (Result<> same = check_data(prepared->plan, *command, *original, root, interruption.stop()); !same) {
    if (same.error().code != ErrorCode::cancelled) return Failure(same.error());
    return exit_code_of_run(engine::RunState::cancelled, interruption.signal());
  }
  const ExitCode code = start_run(
      {.command = *command,
       .spec = *spec,
       .prepared = *prepared,
       .start = start_of(*command, original->run, *prepared, *run_id, now),
       .images =
           [&](runner::ContainerEngine& engine, const runner::ProgressSink& progress, const sys::StopSignal& stop) {
             return runner::restore_images(prepared->plan, *pins, engine, progress, stop);
           },
       .given = std::move(*given)},
      interruption, console.clock);
  if (code != ExitCode::succeeded && code != ExitCode::run_failed) return code;
  return compare_with_original(*command, prepared->plan, *run_id, root,
                               said.json ? ReplayAnswer::json : ReplayAnswer::text, console);
}

}  // namespace

Result<ExitCode> compare_with_original(const RunCommand& command, const plan::Plan& plan, const std::string& run_id,
                                       const artifact::Root& root, ReplayAnswer answer, const Console& console) {
  Result<RecordedRun> original = read_recorded(root, command.replay_of);
  if (!original) return within("finding the run that was replayed", original.error());
  Result<RecordedRun> replay = read_recorded(root, run_id);
  if (!replay) return Failure(replay.error());
  const std::vector<ReplayedTask> tasks =
      compare_replay(*original, *replay, replayed_tasks(plan, command), root.path(), console.clock.wall());
  console.out(answer == ReplayAnswer::json ? to_pretty_json(replay_value(*original, *replay, tasks, root.path()))
                                           : "\n" + replay_text(*original, *replay, tasks, console));
  const bool all_equal =
      std::ranges::all_of(tasks, [](const auto& task) { return task.result == ReplayResult::equal; });
  return all_equal ? ExitCode::succeeded : ExitCode::run_failed;
}

ExitCode replay(const ReplayCommand& command, const Console& console) {
  Result<ExitCode> code = replay_run(command, console);
  if (code) return *code;
  return report_error(console, code.error());
}

}  // namespace mlpipe::app
