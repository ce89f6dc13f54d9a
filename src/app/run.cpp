#include "app/run.hpp"

#include <algorithm>
#include <cmath>

#include "app/dry_run.hpp"
#include "app/engine_choice.hpp"
#include "app/interruption.hpp"
#include "app/manifest.hpp"
#include "app/parameters.hpp"
#include "app/pipeline_file.hpp"
#include "app/preflight.hpp"
#include "app/print.hpp"
#include "app/reporting.hpp"
#include "app/root.hpp"
#include "app/run_folder.hpp"
#include "app/version.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/engine/limits.hpp"
#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/plan/selection.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/local_runner.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/machine.hpp"
#include "mlpipe/sys/random.hpp"
#include "mlpipe/sys/signals.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

// Everything known before anything is started or written.
struct Prepared {
  plan::Plan plan;
  artifact::Root root;
  sys::MachineInfo machine;
  engine::Limits limits;
  std::vector<std::string> gpus;
};

bool asks_for_gpus(const plan::Plan& plan) {
  return std::any_of(plan.order().begin(), plan.order().end(), [&plan](plan::TaskId id) {
    return plan.selected(id) && plan.task(id).spec->settings->resources.gpu > 0;
  });
}

// Sockets, logs and pipes of one attempt, generously, and of the program itself.
constexpr std::uint64_t k_files_of_an_attempt = 16;
constexpr std::uint64_t k_files_of_the_program = 48;

// How many tasks can run at once with as many open files as we may have; `wanted` or less.
Result<int> affordable_jobs(int wanted) {
  Result<std::uint64_t> files = sys::raise_open_file_limit();
  if (!files) return Failure(files.error());
  if (*files < k_files_of_the_program + k_files_of_an_attempt) {
    return fail_with_hint(ErrorCode::unavailable, fmt::format("only {} files may be open at once: too few to run a task", *files),
                          "raise the limit: ulimit -n 1024");
  }
  std::uint64_t affordable = (*files - k_files_of_the_program) / k_files_of_an_attempt;
  if (affordable >= static_cast<std::uint64_t>(wanted)) return wanted;
  print_error(fmt::format("mlpipe: {} tasks at once instead of {}: only {} files may be open (ulimit -n)\n", affordable, wanted,
                          *files));
  return static_cast<int>(affordable);
}

Result<Prepared> prepare(const RunCommand& command, const spec::PipelineSpec& spec) {
  Result<Value::Struct> arguments = pipeline_arguments(command, spec);
  if (!arguments) return Failure(arguments.error());
  Result<plan::Plan> plan = plan::make_plan(spec, std::move(*arguments));
  if (!plan) return Failure(plan.error());
  plan::Selection selection{.from = command.from, .until = command.until, .only = command.only};
  if (!selection.empty()) {
    if (Result<> selected = plan::select(*plan, selection); !selected) return Failure(selected.error());
  }
  Result<fs::path> root = resolve_root(command.root, spec.pipeline_root, fs::path(command.pipeline).parent_path());
  if (!root) return Failure(root.error());
  Prepared prepared{.plan = std::move(*plan),
                    .root = artifact::Root(std::move(*root)),
                    .machine = sys::machine_info(),
                    .limits = {},
                    .gpus = {}};
  if (asks_for_gpus(prepared.plan)) {
    Result<std::vector<sys::Gpu>> gpus = sys::list_gpus(sys::environment("MLPIPE_NVIDIA_SMI").value_or("nvidia-smi"));
    if (!gpus) return within("asking for GPUs", gpus.error());
    for (const sys::Gpu& gpu : *gpus) prepared.gpus.push_back(gpu.uuid);
  }
  int cores = std::max(1, static_cast<int>(std::lround(prepared.machine.cpus)));
  Result<int> jobs = affordable_jobs(command.jobs > 0 ? command.jobs : std::max(2, cores));
  if (!jobs) return Failure(jobs.error());
  prepared.limits = {.max_parallel = *jobs,
                     .cpu = prepared.machine.cpus,
                     .memory = prepared.machine.memory,
                     .gpu = static_cast<int>(prepared.gpus.size())};
  if (Result<> found = preflight(prepared.plan); !found) return Failure(found.error());
  if (Result<> fits = engine::check_fits(prepared.plan, prepared.limits); !fits) return Failure(fits.error());
  return prepared;
}

metadata::RunStart describe_start(const RunCommand& command, const spec::PipelineSpec& spec, const Prepared& prepared,
                                  std::string run_id, const runner::EngineInfo& engine, WallTime now) {
  std::error_code ignored;
  fs::path file = fs::absolute(command.pipeline, ignored);
  GitState git = git_state(file.parent_path());
  return {.id = std::move(run_id),
          .root = prepared.root.path().string(),
          .spec_digest = "sha256:" + sha256_hex(spec.sources.front().text),
          .spec_file = file.string(),
          .command_line = command.command_line,
          .mlpipe_version = k_version,
          .engine = engine.name,
          .host = prepared.machine.hostname,
          .git_commit = git.commit,
          .git_dirty = git.dirty,
          .created = now};
}

runner::RunContext make_context(const RunCommand& command, const Prepared& prepared, const std::string& run_id,
                                const runner::PreparedImages& images) {
  return {.run_id = run_id,
          .root = prepared.root.path(),
          .run_folder = prepared.root.run(run_id),
          .uid = prepared.machine.uid,
          .gid = prepared.machine.gid,
          .grace = std::chrono::ceil<std::chrono::seconds>(command.grace),
          .default_shm = prepared.machine.memory / 2,
          // More starts than twice the cores only make each other late (docs/benchmarks.md).
          .concurrent_starts = std::max(2, 2 * static_cast<int>(std::lround(prepared.machine.cpus))),
          .concurrent_tasks = prepared.limits.max_parallel,
          .images = images.by_key};
}

ExitCode exit_code_of_run(engine::RunState state, int signal) {
  switch (state) {
    case engine::RunState::succeeded: return ExitCode::succeeded;
    case engine::RunState::cancelled:
      return signal == SIGTERM ? ExitCode::terminated : signal == SIGHUP ? ExitCode::hung_up : ExitCode::interrupted;
    default: return ExitCode::run_failed;
  }
}

Result<> write_manifest(const fs::path& folder, const Value& manifest) {
  return sys::write_file_atomically(folder / "run.json", to_pretty_json(manifest), sys::Durable::yes);
}

std::vector<metadata::RunRecord::ResolvedImage> resolved(const runner::PreparedImages& images) {
  std::vector<metadata::RunRecord::ResolvedImage> list;
  for (const auto& [key, image] : images.by_key) list.push_back({.reference = key, .id = image.id, .digest = image.digest});
  return list;
}

// From a claimed run folder to the end of the run.
Result<ExitCode> execute(const RunCommand& command, const spec::PipelineSpec& spec, const Prepared& prepared,
                         runner::ContainerEngine& container_engine, const runner::PreparedImages& images,
                         const metadata::RunStart& start, Reporting& reporting, Interruption& interruption,
                         const Clock& clock) {
  const fs::path folder = prepared.root.run(start.id);
  Result<> kept = sys::write_file_atomically(folder / "pipeline.yaml", spec.sources.front().text, sys::Durable::yes);
  if (!kept) return Failure(kept.error());
  Result<std::unique_ptr<metadata::RunRecord>> record = metadata::open_record(prepared.root.database());
  if (!record) return Failure(record.error());
  if (Result<> begun = (*record)->begin(start, prepared.plan); !begun) return Failure(begun.error());
  if (Result<> noted = (*record)->record_images(resolved(images)); !noted) return Failure(noted.error());
  if (Result<> linked = sys::replace_symlink(fs::path("runs") / start.id, prepared.root.latest()); !linked) {
    return Failure(linked.error());
  }
  Result<engine::Failpoint> failpoint =
      engine::parse_failpoint(sys::environment("MLPIPE_FAILPOINT").value_or(""), engine::failpoint_names());
  if (!failpoint) return Failure(failpoint.error());

  engine::Run run(prepared.plan, {.run_id = start.id,
                                  .limits = prepared.limits,
                                  .on_failure = command.keep_going ? engine::FailurePolicy::keep_going
                                                                   : engine::FailurePolicy::fail_fast,
                                  .seed = sys::random_seed(),
                                  .run_root = prepared.root.path().string()});
  if (Result<> written = write_manifest(folder, make_manifest(run, start, images, "running", std::nullopt)); !written) {
    return Failure(written.error());
  }
  const runner::RunContext context = make_context(command, prepared, start.id, images);
  std::unique_ptr<artifact::ArtifactStore> store = artifact::make_local_store(folder);
  Result<engine::RunState> state = engine::RunState::failed;
  {
    auto runner = runner::make_local_runner(prepared.plan, context, container_engine, *store, prepared.gpus);
    interruption.forward_to(runner.get());
    state = engine::run_to_end(run, *runner, **record, reporting.reporter(), clock, *failpoint);
    interruption.forward_to(nullptr);
  }
  if (!state) return Failure(state.error());
  Result<> written =
      write_manifest(folder, make_manifest(run, start, images, std::string(to_string(*state)), clock.wall()));
  if (!written) return Failure(written.error());
  return exit_code_of_run(*state, run.interrupt_signal());
}

}  // namespace

ExitCode run(const RunCommand& command) {
  auto loaded = load_pipeline(command.pipeline, command.component_path);
  if (const ExitCode* code = std::get_if<ExitCode>(&loaded)) return *code;
  const spec::PipelineSpec& spec = std::get<spec::PipelineSpec>(loaded);
  Result<Prepared> prepared = prepare(command, spec);
  if (!prepared) return report_error(prepared.error());

  SystemClock clock;
  WallTime now = clock.wall();
  Result<std::string> run_id = choose_run_id(command.run_id, spec.name, now);
  if (!run_id) return report_error(run_id.error());
  if (command.dry_run) return dry_run(prepared->plan, prepared->limits, command);

  Interruption interruption;
  Result<std::unique_ptr<runner::ContainerEngine>> container_engine = connect_engine(command.engine);
  if (!container_engine) return report_error(container_engine.error(), ExitCode::environment);
  if (command.engine == EngineChoice::process) {
    print_error("mlpipe: engine \"process\": tasks run as processes of this machine, with no container around them\n");
  }
  Reporting reporting(command, prepared->plan, prepared->root, *run_id, clock);
  auto preparing = [&reporting](std::string_view line) { reporting.preparing(line); };
  Result<runner::PreparedImages> images =
      runner::prepare_images(prepared->plan, **container_engine, preparing, interruption.stop());
  if (!images) {
    reporting.finish();
    if (images.error().code == ErrorCode::cancelled) return exit_code_of_run(engine::RunState::cancelled, interruption.signal());
    return report_error(images.error(), ExitCode::environment);
  }
  Result<sys::FileLock> claimed = claim_run(prepared->root, *run_id);
  if (!claimed) {
    bool taken = claimed.error().code == ErrorCode::conflict;
    return report_error(claimed.error(), taken ? ExitCode::usage : ExitCode::environment);
  }
  metadata::RunStart start = describe_start(command, spec, *prepared, *run_id, (*container_engine)->info(), now);
  Result<ExitCode> code = execute(command, spec, *prepared, **container_engine, *images, start, reporting, interruption, clock);
  reporting.finish();
  if (!code) return report_error(code.error(), ExitCode::environment);
  return *code;
}

}  // namespace mlpipe::app
