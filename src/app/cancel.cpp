#include "app/cancel.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "app/engine_choice.hpp"
#include "app/file_watch.hpp"
#include "app/journal.hpp"
#include "app/leftovers.hpp"
#include "app/manifest.hpp"
#include "app/rebuild.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/run_options.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/runner/secret_folder.hpp"
#include "mlpipe/sys/lock.hpp"
#include "mlpipe/sys/signals.hpp"

namespace mlpipe::app {
namespace {

constexpr std::chrono::seconds k_look_again{1};

// Signals the process that holds the lock. A descriptor of the process, taken before the lock is looked at once more,
// makes sure that no other process which got its number meanwhile is meant.
Result<> signal_holder(const sys::LockHolder& holder, const std::filesystem::path& lock) {
  const sys::MachineInfo machine = sys::machine_info();
  if (holder.pid == 0 || holder.host != machine.hostname || holder.boot_id != machine.boot_id) {
    return fail_with_hint(ErrorCode::unavailable,
                          fmt::format("it is being run by {}, which cannot be signalled from here", to_string(holder)),
                          "run `mlpipe cancel` on that machine, in the same container");
  }
  const sys::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, holder.pid, 0)));
  const int problem = process ? 0 : errno;
  if (!sys::is_locked(lock)) return {};
  if (problem != 0) return fail_errno(fmt::format("reaching process {}", holder.pid), problem);
  Result<> asked = sys::ask_to_end(process);
  return asked ? asked : within(fmt::format("process {}", holder.pid), asked.error());
}

Failure has_ended(const metadata::RunRow& run) {
  return fail_with_hint(ErrorCode::conflict, fmt::format("run {} has ended already: {}", run.id, to_string(run.state)),
                        "there is nothing to cancel");
}

// A run that nobody runs any more.
Result<> end_interrupted(const artifact::Root& root, const metadata::RunRow& run,
                         const std::vector<metadata::TaskRow>& tasks) {
  RunCommand before;
  apply_options(run.options, before);
  Result<std::unique_ptr<runner::ContainerEngine>> engine = connect_engine(before.engine);
  if (!engine) return Failure(engine.error());
  Result<LeftContainers> left = LeftContainers::find(**engine, root, run.id);
  if (!left) return Failure(left.error());
  if (Result<> removed = left->remove_all(); !removed) return removed;
  runner::remove_abandoned_secrets(runner::place_of_secrets());
  const WallTime now = SystemClock().wall();
  if (Result<> written = cancel_manifest(root.run(run.id), run, tasks, now); !written) return written;
  if (Result<> ended = metadata::cancel_interrupted(root.database(), run.id, now); !ended) return ended;
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  const Result<std::vector<metadata::EventRow>> events = (*queries)->events(run.id, "", 0);
  if (!events) return Failure(events.error());
  return renew_journal(**queries, *events, tasks, root.run(run.id));
}

bool is_of_running_run(const artifact::Root& root, const std::string& run_id) {
  return run_id.find('/') == std::string::npos && sys::is_locked(root.run_lock(run_id));
}

// Asks the process that runs it to end, and waits until it has.
Result<> ask_owner(const CancelCommand& command, const std::filesystem::path& lock_file, const std::string& run_id) {
  auto lock = sys::try_lock(lock_file);
  if (!lock) return Failure(lock.error());
  const auto* holder = std::get_if<sys::LockHolder>(&*lock);
  if (holder == nullptr) return {};
  const auto signalled = [&] { return signal_holder(*holder, lock_file); };
  Result<> asked = signalled();
  if (asked && command.kill) asked = signalled();
  if (!asked) return within("cancelling run " + run_id, asked.error());
  FileWatch watch;
  watch.add(lock_file);
  while (sys::is_locked(lock_file)) watch.wait(k_look_again);
  return {};
}

std::string cancelled_text(const std::string& run_id) { return fmt::format("run {} is cancelled\n", run_id); }

// Ends the run under its lock, when nobody else has that and nobody has ended it. False: somebody runs it.
Result<bool> end_when_left(const artifact::Root& root, const std::string& run_id, const Console& console) {
  auto lock = sys::try_lock(root.run_lock(run_id));
  if (!lock) return Failure(lock.error());
  if (!std::holds_alternative<sys::FileLock>(*lock)) return false;
  // Read under the lock: nobody changes it now.
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  const Result<metadata::RunRow> run = (*queries)->find_run(run_id);
  if (!run) return Failure(run.error());
  if (run->state == engine::RunState::cancelled) {
    console.out(cancelled_text(run_id));
    return true;
  }
  if (run->state != engine::RunState::running) return has_ended(*run);
  const Result<std::vector<metadata::TaskRow>> tasks = (*queries)->tasks(run_id);
  if (!tasks) return Failure(tasks.error());
  queries->reset();
  if (Result<> ended = end_interrupted(root, *run, *tasks); !ended) return Failure(ended.error());
  console.out(fmt::format("run {} is cancelled; the mlpipe that ran it had ended\n", run_id));
  return true;
}

// Of a run that is being run: ends it with its owner, or in place of an owner that was killed meanwhile. A run that
// somebody goes on with as soon as its owner has ended is asked to end, too.
Result<> end_running(const CancelCommand& command, const artifact::Root& root, const std::string& run_id,
                     const Console& console) {
  for (;;) {
    if (Result<> asked = ask_owner(command, root.run_lock(run_id), run_id); !asked) return asked;
    const Result<bool> ended = end_when_left(root, run_id, console);
    if (!ended) return Failure(ended.error());
    if (*ended) return {};
  }
}

Result<> cancel_run(const CancelCommand& command, const Console& console) {
  Result<std::filesystem::path> path = resolve_root(command.root);
  if (!path) return Failure(path.error());
  const artifact::Root root(std::move(*path));
  if (Result<> mended = mend_record(root, console); !mended) {
    // A run that still runs keeps a damaged record from being mended; it can be ended without, and then the record can be.
    if (!is_of_running_run(root, command.run)) return Failure(mended.error());
    if (Result<> asked = ask_owner(command, root.run_lock(command.run), command.run); !asked) return asked;
    if (Result<> now = mend_record(root, console); !now) return Failure(now.error());
    return end_running(command, root, command.run, console);
  }
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return Failure(queries.error());
  const Result<metadata::RunRow> run = (*queries)->find_run(command.run);
  if (!run) return Failure(run.error());
  if (run->state != engine::RunState::running) return has_ended(*run);
  queries->reset();
  return end_running(command, root, run->id, console);
}

}  // namespace

ExitCode cancel(const CancelCommand& command, const Console& console) {
  if (Result<> done = cancel_run(command, console); !done) return report_error(console, done.error());
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
