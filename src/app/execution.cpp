#include "app/execution.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>

#include "app/debug_log.hpp"
#include "app/journal.hpp"
#include "app/manifest.hpp"
#include "app/premises.hpp"
#include "app/print.hpp"
#include "app/recorded_run.hpp"
#include "app/snapshot.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/limits.hpp"
#include "mlpipe/metadata/file_digests.hpp"
#include "mlpipe/plan/selection.hpp"
#include "mlpipe/runner/local_runner.hpp"
#include "mlpipe/runner/result_cache.hpp"
#include "mlpipe/runner/secret_folder.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/random.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

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
    return fail_with_hint(ErrorCode::unavailable,
                          fmt::format("only {} files may be open at once: too few to run a task", *files),
                          "raise the limit: ulimit -n 1024");
  }
  std::uint64_t affordable = (*files - k_files_of_the_program) / k_files_of_an_attempt;
  if (affordable >= static_cast<std::uint64_t>(wanted)) return wanted;
  print_error(fmt::format("mlpipe: {} tasks at once instead of {}: only {} files may be open (ulimit -n)\n", affordable,
                          wanted, *files));
  return static_cast<int>(affordable);
}

}  // namespace

Result<Prepared> prepare(const RunCommand& command, const spec::PipelineSpec& spec, Value::Struct arguments,
                         artifact::Root root) {
  Result<plan::Plan> plan = plan::make_plan(spec, std::move(arguments));
  if (!plan) return Failure(plan.error());
  plan::Selection selection{.from = command.from, .until = command.until, .only = command.only};
  if (!command.parent.empty()) {
    if (Result<> known = plan::check_names(*plan, selection); !known) return Failure(known.error());
    // The parent has what is not run again; only what nobody chosen needs is left out.
    selection.until.insert(selection.until.end(), command.only.begin(), command.only.end());
    selection.from.clear();
    selection.only.clear();
  }
  if (!selection.empty()) {
    if (Result<> selected = plan::select(*plan, selection); !selected) return Failure(selected.error());
  }
  Prepared prepared{
      .plan = std::move(*plan), .root = std::move(root), .machine = sys::machine_info(), .limits = {}, .gpus = {}};
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
  if (Result<> fits = engine::check_fits(prepared.plan, prepared.limits); !fits) return Failure(fits.error());
  return prepared;
}

namespace {

runner::RunContext make_context(const Execution& run, const engine::Failpoint& failpoint,
                                std::map<std::string, std::vector<std::string>> gpus_held) {
  const Prepared& prepared = run.prepared;
  return {.run_id = run.start.id,
          .root = prepared.root.path(),
          .run_folder = prepared.root.run(run.start.id),
          .uid = prepared.machine.uid,
          .gid = prepared.machine.gid,
          .grace = std::chrono::ceil<std::chrono::seconds>(run.command.grace),
          .default_shm = prepared.machine.memory / 2,
          // More starts than twice the cores only make each other late (docs/benchmarks.md).
          .concurrent_starts = std::max(2, 2 * static_cast<int>(std::lround(prepared.machine.cpus))),
          .concurrent_tasks = prepared.limits.max_parallel,
          .failpoint = failpoint,
          .gpus_held = std::move(gpus_held),
          .debug_log = run.debug_log,
          .images = run.images.by_key};
}

// What is to be done at a run's end is done before the record says that it has ended: whoever is killed in between leaves
// a run that can be resumed, and one that has ended is looked after by nobody any more.
class RecordWithEnding final : public engine::Record {
 public:
  using Ending = std::function<Result<>(engine::RunState, WallTime)>;
  RecordWithEnding(engine::Record& record, Ending ending) : record_(record), ending_(std::move(ending)) {}
  Result<> commit(std::span<const engine::Transition> transitions) override { return record_.commit(transitions); }
  Result<> discard(engine::TaskId task) override { return record_.discard(task); }
  Result<> finish(engine::RunState state, WallTime at) override {
    if (Result<> done = ending_(state, at); !done) return done;
    return record_.finish(state, at);
  }

 private:
  engine::Record& record_;
  Ending ending_;
};

std::vector<metadata::RunRecord::ResolvedImage> resolved(const runner::PreparedImages& images) {
  std::vector<metadata::RunRecord::ResolvedImage> list;
  for (const auto& [key, image] : images.by_key) {
    const auto made_of = images.made_of.find(key);
    list.push_back({.reference = key,
                    .id = image.id,
                    .digest = image.digest,
                    .made_of = made_of == images.made_of.end() ? "" : made_of->second});
  }
  return list;
}

}  // namespace

runner::CachePolicy cache_policy(const RunCommand& command, const plan::Plan& plan, const runner::GivenResults& given) {
  runner::CachePolicy policy{.parent = command.parent, .given = given};
  if (!command.cache) policy.off_because = command.replay_of.empty() ? "--no-cache was given" : "it is replayed";
  if (command.engine == EngineChoice::process)
    policy.off_because = "without containers nobody knows what a task depends on";
  if (command.parent.empty() || (command.from.empty() && command.only.empty())) return policy;
  policy.again.resize(plan.size());
  for (plan::TaskId id : plan.order()) {
    const std::string name(plan.task(id).path());
    const auto again_before = [&](plan::TaskId need) { return policy.again[plan::index(need)]; };
    const bool is_below = !command.from.empty() && std::ranges::any_of(plan.needs(id), again_before);
    policy.again[plan::index(id)] = is_below || std::ranges::find(command.from, name) != command.from.end() ||
                                    std::ranges::find(command.only, name) != command.only.end();
  }
  return policy;
}

namespace {

// What the record knows of the run by now.
struct Recorded {
  std::unique_ptr<metadata::Queries> queries;
  metadata::RunRow run;
  std::vector<metadata::TaskRow> tasks;
};
Result<Recorded> read_recorded(const Execution& given) {
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(given.prepared.root.path());
  if (!queries) return Failure(queries.error());
  Result<metadata::RunRow> run = (*queries)->find_run(given.start.id);
  if (!run) return Failure(run.error());
  Result<std::vector<metadata::TaskRow>> tasks = (*queries)->tasks(given.start.id);
  if (!tasks) return Failure(tasks.error());
  return Recorded{std::move(*queries), std::move(*run), std::move(*tasks)};
}

// Writes run.json and the journal behind it as they are when the run begins or goes on; the number of the last event.
Result<std::int64_t> write_beginning(const Execution& given, const fs::path& folder, ManifestExtras extras) {
  const Result<Recorded> recorded = read_recorded(given);
  if (!recorded) return Failure(recorded.error());
  const Result<std::vector<metadata::EventRow>> events = recorded->queries->events(given.start.id, "", 0);
  if (!events) return Failure(events.error());
  extras.events = events->empty() ? 0 : events->back().number;
  // In this order: a journal is read from the event on that run.json ends with.
  Result<> written = write_manifest(folder, recorded->run, recorded->tasks, extras);
  if (written) written = renew_journal(*recorded->queries, *events, recorded->tasks, folder);
  if (!written) return Failure(written.error());
  return extras.events;
}

// run.json as it is when the run ends, before the record has that.
Result<> write_end(const fs::path& folder, Recorded recorded, const ManifestExtras& extras, engine::RunState state,
                   WallTime at) {
  recorded.run.state = state;
  recorded.run.finished = at;
  return write_manifest(folder, recorded.run, recorded.tasks, extras);
}

// From a record that knows of the run to the run's end.
Result<ExitCode> execute(const Execution& given, metadata::RunRecord& record, Leftovers leftovers) {
  runner::remove_abandoned_secrets(runner::place_of_secrets());
  runner::hold_images(given.images, given.prepared.root.path(), given.engine);
  const fs::path folder = given.prepared.root.run(given.start.id);
  if (Result<> noted = record.record_images(resolved(given.images), given.images.named); !noted)
    return Failure(noted.error());
  if (Result<> linked = sys::replace_symlink(fs::path("runs") / given.start.id, given.prepared.root.latest());
      !linked) {
    // A convenience for people: the record knows which run is the newest.
    print_error(
        fmt::format("mlpipe: {0} stays as it is and does not lead to this run: {1}\n"
                    "  hint: if it is no link, as in a copied root, move {0} away; the next run makes the link\n",
                    given.prepared.root.latest().string(), linked.error().message));
  }
  Result<engine::Failpoint> failpoint =
      engine::parse_failpoint(sys::environment("MLPIPE_FAILPOINT").value_or(""), engine::failpoint_names());
  if (!failpoint) return Failure(failpoint.error());

  std::unique_ptr<sys::FileDigests> digests = metadata::open_file_digests(given.prepared.root.digests());
  runner::RunContext context = make_context(given, *failpoint, std::move(leftovers.gpus_held));
  context.digests = digests.get();
  std::unique_ptr<artifact::ArtifactStore> store = artifact::make_local_store(folder, digests.get());
  std::unique_ptr<runner::RunCache> cache =
      runner::make_run_cache(given.prepared.plan, context, record, *store, given.clock,
                             cache_policy(given.command, given.prepared.plan, given.given));
  engine::Run run(
      given.prepared.plan,
      {.run_id = given.start.id,
       .limits = given.prepared.limits,
       .on_failure = given.command.keep_going ? engine::FailurePolicy::keep_going : engine::FailurePolicy::fail_fast,
       .seed = sys::random_seed(),
       .run_root = given.prepared.root.path().string(),
       .begun = given.start.created},
      cache.get(), std::move(leftovers.tasks));
  const Result<std::int64_t> events = write_beginning(given, folder, extras_of(run, given.images));
  if (!events) return Failure(events.error());
  Result<engine::RunState> state = engine::RunState::failed;
  {
    auto runner = runner::make_local_runner(given.prepared.plan, context, given.engine, *store, given.prepared.gpus);
    JournalledRecord journalled(record, given.prepared.plan, folder, *events);
    RecordWithEnding recording(journalled, [&](engine::RunState end, WallTime at) {
      runner->clean_up();
      leftovers.remove_rest();
      ManifestExtras extras = extras_of(run, given.images);
      extras.events = journalled.events();
      Result<Recorded> recorded = read_recorded(given);
      if (!recorded) return Result<>(Failure(recorded.error()));
      if (!given.asked.empty() && end == engine::RunState::succeeded) {
        record.keep_premises(given.asked,
                             premises_of(given.command, given.prepared.plan, given.images, recorded->tasks));
      }
      return write_end(folder, *std::move(recorded), extras, end, at);
    });
    given.interruption.forward_to(runner.get());
    cache->post_to([&runner](engine::Event event) { runner->post(std::move(event)); });
    std::optional<DebuggedRecord> debugged;
    if (given.debug_log != nullptr) debugged.emplace(recording, given.prepared.plan, *given.debug_log);
    engine::Record& told = debugged ? static_cast<engine::Record&>(*debugged) : recording;
    state = engine::run_to_end(run, *runner, told, given.reporting.reporter(), given.clock, *failpoint);
    given.interruption.forward_to(nullptr);
    cache.reset();  // its watch posts to the runner
  }
  if (!state) return Failure(state.error());
  return exit_code_of_run(*state, run.interrupt_signal());
}

}  // namespace

Result<ExitCode> begin_run(const Execution& run) {
  if (Result<> kept = keep_sources(run.prepared.root.run(run.start.id), run.spec.sources); !kept) {
    return Failure(kept.error());
  }
  Result<std::unique_ptr<metadata::RunRecord>> record = metadata::open_record(run.prepared.root.database());
  if (!record) return Failure(record.error());
  if (Result<> begun = (*record)->begin(run.start, run.prepared.plan); !begun) return Failure(begun.error());
  return execute(run, **record, {});
}

Result<ExitCode> continue_run(const Execution& run, Leftovers leftovers) {
  Result<std::unique_ptr<metadata::RunRecord>> record = metadata::open_record(run.prepared.root.database());
  if (!record) return Failure(record.error());
  Result<> resumed = (*record)->resume(run.start.id, run.prepared.plan, run.clock.wall());
  if (!resumed) return Failure(resumed.error());
  return execute(run, **record, std::move(leftovers));
}

ExitCode exit_code_of_run(engine::RunState state, int signal) {
  switch (state) {
    case engine::RunState::succeeded: return ExitCode::succeeded;
    case engine::RunState::cancelled:
      return signal == SIGTERM ? ExitCode::terminated : signal == SIGHUP ? ExitCode::hung_up : ExitCode::interrupted;
    default: return ExitCode::run_failed;
  }
}

}  // namespace mlpipe::app
