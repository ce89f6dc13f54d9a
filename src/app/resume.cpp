#include "app/resume.hpp"

#include <algorithm>

#include "app/as_begun.hpp"
#include "app/debug_log.hpp"
#include "app/dry_run.hpp"
#include "app/engine_choice.hpp"
#include "app/leftovers.hpp"
#include "app/print.hpp"
#include "app/rebuild.hpp"
#include "app/recorded_run.hpp"
#include "app/replay.hpp"
#include "app/replay_source.hpp"
#include "app/root.hpp"
#include "app/run.hpp"
#include "app/run_folder.hpp"
#include "app/run_options.hpp"
#include "app/snapshot.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

// ---- Going on in place ------------------------------------------------------------------------------------------

// What was said when the run was begun counts, not what is said now.
void go_on_as_begun(const metadata::RunRow& row, RunCommand& command) {
  apply_options(row.options, command);
  if (command.replay_of.empty()) command.parent = row.parent;  // a replay takes nothing from its own
}

metadata::RunStart start_of(const metadata::RunRow& row) {
  return {.id = row.id,
          .root = row.root,
          .spec_digest = row.spec_digest,
          .spec_file = row.spec_file,
          .command_line = row.command_line,
          .mlpipe_version = row.mlpipe_version,
          .engine = row.engine,
          .host = row.host,
          .git_commit = row.git_commit,
          .git_dirty = row.git_dirty,
          .created = row.created,
          .parent = row.parent,
          .options = row.options,
          .experiment = row.experiment};
}

// The images the run began with, by their ids; those that are gone are prepared anew.
Result<runner::PreparedImages> images_of(const std::vector<metadata::TaskRow>& tasks, const plan::Plan& plan,
                                         const runner::GivenResults& given, runner::ContainerEngine& engine,
                                         const runner::ProgressSink& progress, const sys::StopSignal& stop) {
  runner::PreparedImages known;
  bool complete = true;
  for (const metadata::TaskRow& task : tasks) {
    const std::optional<plan::TaskId> id = plan.find(task.path);
    const spec::ContainerSpec* container = id ? plan.component(*id).container() : nullptr;
    if (container == nullptr || !plan.selected(*id) || given.contains(*id) || known.by_key.contains(task.image))
      continue;
    if (container->build_context.empty() && !container->image.is_literal()) continue;
    Result<runner::Image> image = fail(ErrorCode::not_found, "not recorded");
    if (!task.image_id.empty()) image = engine.inspect_image(task.image_id);
    if (!image && image.error().code != ErrorCode::not_found) return Failure(image.error());
    if (!image) {
      complete = false;
      continue;
    }
    image->digest = task.image_digest;
    known.tags.emplace(task.image, task.image);
    known.by_key.emplace(task.image, std::move(*image));
  }
  if (complete) return known;
  Result<runner::PreparedImages> fresh = runner::prepare_images(plan, engine, progress, stop);
  if (!fresh) return fresh;
  for (auto& [key, image] : known.by_key) fresh->by_key.insert_or_assign(key, std::move(image));
  return fresh;
}

Result<sys::FileLock> take_over(const artifact::Root& root, const std::string& run_id) {
  auto lock = sys::try_lock(root.run_lock(run_id));
  if (!lock) return Failure(lock.error());
  if (auto* holder = std::get_if<sys::LockHolder>(&*lock)) {
    return fail_with_hint(ErrorCode::conflict,
                          fmt::format("run {} is being run by {}", run_id, sys::to_string(*holder)),
                          fmt::format("nothing to resume; watch it with `mlpipe logs -f {}`", run_id));
  }
  return std::move(std::get<sys::FileLock>(*lock));
}

// Files that the mlpipe which ran it was just writing when it was killed. Under the run's lock nobody writes them now.
void remove_half_written(const fs::path& run_folder, const std::vector<metadata::TaskRow>& tasks) {
  std::vector<fs::path> folders{run_folder, run_folder / ".mlpipe"};
  for (const metadata::TaskRow& task : tasks) {
    const artifact::TaskTree tree(run_folder, task.path);
    for (const metadata::AttemptRow& attempt : task.attempts) folders.push_back(tree.attempt(attempt.number));
  }
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().filename().string().starts_with(".mlpipe-tmp-")) fs::remove(entry.path(), error);
    }
  }
}

Result<ExitCode> go_on(RunCommand command, const artifact::Root& root, const std::string& run_id) {
  Result<sys::FileLock> lock = take_over(root, run_id);
  if (!lock) return Failure(lock.error());
  // Read under the lock: nobody changes it now.
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  Result<metadata::RunRow> row = (*queries)->find_run(run_id);
  if (!row) return Failure(row.error());
  if (row->state != engine::RunState::running) {
    return fail(ErrorCode::conflict, "run {} has ended meanwhile: {}", run_id, to_string(row->state));
  }
  Result<std::vector<metadata::TaskRow>> rows = (*queries)->tasks(run_id);
  if (!rows) return Failure(rows.error());
  queries->reset();
  remove_half_written(root.run(run_id), *rows);

  go_on_as_begun(*row, command);
  Result<spec::PipelineSpec> spec = kept_pipeline(root, *row, command.component_path);
  if (!spec) return Failure(spec.error());
  Result<Prepared> prepared = prepare(command, *spec, row->arguments.as_struct(), root);
  if (!prepared) return Failure(prepared.error());
  Result<std::vector<engine::Recovered>> tasks = recovered_tasks(prepared->plan, *rows);
  if (!tasks) return Failure(tasks.error());
  Result<runner::GivenResults> given = given_results(prepared->plan, command, root);
  if (!given) return Failure(given.error());

  SystemClock clock;
  Interruption interruption;
  Result<std::unique_ptr<DebugLog>> debug_log = open_debug_log(command.debug_log, command.command_line);
  if (!debug_log) return report_error(debug_log.error(), ExitCode::environment);
  Result<std::unique_ptr<runner::ContainerEngine>> engine = connect_engine(command.engine, debug_log->get());
  if (!engine) return report_error(engine.error(), ExitCode::environment);
  Reporting reporting(command, prepared->plan, prepared->root, run_id, clock);
  auto preparing = [&reporting](std::string_view line) { reporting.preparing(line); };
  Result<runner::PreparedImages> images =
      images_of(*rows, prepared->plan, *given, **engine, preparing, interruption.stop());
  if (!images) {
    reporting.finish();
    if (images.error().code != ErrorCode::cancelled) return report_error(images.error(), ExitCode::environment);
    return exit_code_of_run(engine::RunState::cancelled, interruption.signal());
  }
  Result<LeftContainers> left = LeftContainers::find(**engine, root, run_id);
  if (!left) return Failure(left.error());
  if (Result<> removed = left->remove_strays(*tasks, prepared->plan, root, run_id); !removed) {
    return Failure(removed.error());
  }
  Result<ExitCode> code = continue_run({.command = command,
                                        .spec = *spec,
                                        .prepared = *prepared,
                                        .engine = **engine,
                                        .images = *images,
                                        .start = start_of(*row),
                                        .reporting = reporting,
                                        .interruption = interruption,
                                        .clock = clock,
                                        .debug_log = debug_log->get(),
                                        .given = std::move(*given)},
                                       {.tasks = std::move(*tasks), .gpus_held = left->gpus_held(), .remove_rest = [&] {
                                          remove_rest_of_run(**engine, root, run_id);
                                        }});
  reporting.finish();
  const bool has_ended = code && (*code == ExitCode::succeeded || *code == ExitCode::run_failed);
  if (!has_ended || command.replay_of.empty()) return code;
  return compare_with_original(command, prepared->plan, run_id, root, ReplayAnswer::text, standard_console(clock));
}

// The images that the record says the run began with.
std::map<std::string, runner::Image> recorded_images(const std::vector<metadata::TaskRow>& tasks) {
  std::map<std::string, runner::Image> images;
  for (const metadata::TaskRow& task : tasks) {
    if (!task.image_id.empty())
      images.try_emplace(task.image, runner::Image{.id = task.image_id, .digest = task.image_digest});
  }
  return images;
}

// What go_on() would do. Nobody holds the run's lock meanwhile, so it may be gone on with before this is told.
Result<ExitCode> foresee_going_on(RunCommand command, const artifact::Root& root, const metadata::RunRow& row,
                                  metadata::Queries& queries) {
  Result<std::vector<metadata::TaskRow>> rows = queries.tasks(row.id);
  if (!rows) return Failure(rows.error());
  go_on_as_begun(row, command);
  Result<spec::PipelineSpec> spec = kept_pipeline(root, row, command.component_path);
  if (!spec) return Failure(spec.error());
  Result<Prepared> prepared = prepare(command, *spec, row.arguments.as_struct(), root);
  if (!prepared) return Failure(prepared.error());
  Result<std::vector<engine::Recovered>> tasks = recovered_tasks(prepared->plan, *rows);
  if (!tasks) return Failure(tasks.error());
  Result<runner::GivenResults> given = given_results(prepared->plan, command, root);
  if (!given) return Failure(given.error());
  const SystemClock clock;
  const Interruption interruption;
  return dry_run({.command = command,
                  .prepared = *prepared,
                  .clock = clock,
                  .stop = interruption.stop(),
                  .run_id = row.id,
                  .recovered = std::move(*tasks),
                  .images = recorded_images(*rows),
                  .given = std::move(*given)},
                 interruption, standard_console(clock));
}

// ---- A new run that goes on from one that ended -----------------------------------------------------------------

bool says_what_to_run(const ResumeCommand& command) {
  const RunCommand& said = command.options;
  return command.retry_failed || !said.from.empty() || !said.until.empty() || !said.only.empty() ||
         !said.parameters.empty() || !said.parameters_file.empty();
}

// The command that starts the new run: that of `parent`, with what was said now.
RunCommand command_from(const metadata::RunRow& parent, const ResumeCommand& said) {
  RunCommand command = said.options;
  RunCommand before;
  apply_options(parent.options, before);
  command.pipeline = parent.spec_file;
  command.root = parent.root;
  command.parent = parent.id;
  command.engine = before.engine;
  command.keep_going = command.keep_going || before.keep_going;
  if (command.jobs == 0) command.jobs = before.jobs;
  if (command.component_path.empty()) command.component_path = before.component_path;
  if (command.experiment.empty()) command.experiment = parent.experiment;
  return command;
}

std::string what_may_be_said(const metadata::RunRow& run) {
  return fmt::format(
      "`mlpipe resume {} --retry-failed` runs what did not succeed; --from, --until, --only TASK and -p NAME=VALUE "
      "make a "
      "new run that keeps what is still valid",
      run.id);
}

Failure interrupted_before(const metadata::RunRow& latest, const metadata::RunRow& interrupted) {
  return fail_with_hint(ErrorCode::conflict,
                        fmt::format("run {} is the newest and has succeeded; run {}, begun before it, was interrupted",
                                    latest.id, interrupted.id),
                        fmt::format("`mlpipe resume {}` goes on with that", interrupted.id));
}

Failure already_run(const metadata::RunRow& run) {
  return fail_with_hint(ErrorCode::conflict, fmt::format("run {} is being run", run.id),
                        fmt::format("nothing to resume; watch it with `mlpipe logs -f {}`", run.id));
}

Result<ExitCode> resume_run(const ResumeCommand& command) {
  if (Result<> good = check_options(command.options); !good) return Failure(good.error());
  Result<fs::path> path = resolve_root(command.options.root);
  if (!path) return Failure(path.error());
  const artifact::Root root(std::move(*path));
  if (!command.options.dry_run) {
    const SystemClock clock;
    Result<> mended = mend_record(root, standard_console(clock));
    if (!mended) return report_error(mended.error(), ExitCode::environment);
  }
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path(), trace_of(command.options));
  if (!queries) return Failure(queries.error());
  Result<metadata::RunRow> row = (*queries)->find_run(command.run);
  if (!row) return Failure(row.error());
  if (row->interrupted && !says_what_to_run(command)) {
    if (Result<> same = check_as_begun(command.options, *row, root); !same) return Failure(same.error());
    tell_of_other_labels(command.options, *row);
    tell_of_changed_files(*row, root, command.options.pipeline);
  }
  if (command.run == "latest" && row->state == engine::RunState::succeeded && !says_what_to_run(command)) {
    Result<std::vector<metadata::RunRow>> runs = (*queries)->runs(0);
    if (!runs) return Failure(runs.error());
    const auto older = std::ranges::find_if(*runs, [](const metadata::RunRow& run) { return run.interrupted; });
    if (older != runs->end()) return interrupted_before(*row, *older);
  }
  const bool is_foreseen = command.options.dry_run && row->interrupted && !says_what_to_run(command);
  if (is_foreseen) return foresee_going_on(command.options, root, *row, **queries);
  queries->reset();

  if (row->state == engine::RunState::running) {
    if (row->interrupted && says_what_to_run(command)) {
      return fail_with_hint(
          ErrorCode::conflict,
          fmt::format("run {} was interrupted: it goes on as it was, without other parameters or tasks", row->id),
          fmt::format("`mlpipe resume {}` first, or start a new run", row->id));
    }
    if (command.options.dry_run) return already_run(*row);
    return go_on(command.options, root, row->id);
  }
  if (!says_what_to_run(command)) {
    if (row->state == engine::RunState::succeeded) {
      return fail_with_hint(ErrorCode::conflict,
                            fmt::format("run {} has succeeded: there is nothing to resume", row->id),
                            what_may_be_said(*row));
    }
    if (row->state == engine::RunState::failed) {
      return fail_with_hint(ErrorCode::conflict,
                            fmt::format("run {} has failed: resuming it would only say so again", row->id),
                            what_may_be_said(*row));
    }
  }
  return run_from_parent(command_from(*row, command), row->arguments.as_struct());
}

}  // namespace

ExitCode resume(const ResumeCommand& command) {
  Result<ExitCode> code = resume_run(command);
  if (code) return *code;
  return report_error(code.error());
}

Result<std::optional<metadata::RunRow>> find_interrupted(const fs::path& root, const std::string& run_id,
                                                         const std::string& pipeline, Trace trace) {
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root, trace);
  if (!queries && queries.error().code == ErrorCode::not_found) return std::optional<metadata::RunRow>();
  if (!queries) return Failure(queries.error());
  Result<std::vector<metadata::RunRow>> runs = (*queries)->runs(0);
  if (!runs) return Failure(runs.error());
  const auto found = std::ranges::find_if(*runs, [&](const metadata::RunRow& run) {
    return run.interrupted && run.pipeline == pipeline && (run_id.empty() || run.id == run_id);
  });
  if (found == runs->end()) return std::optional<metadata::RunRow>();
  return std::optional(std::move(*found));
}

}  // namespace mlpipe::app
