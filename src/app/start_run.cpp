#include "app/start_run.hpp"

#include "app/debug_log.hpp"
#include "app/engine_choice.hpp"
#include "app/print.hpp"
#include "app/run_folder.hpp"

namespace mlpipe::app {

ImageMaker preparing_images(const plan::Plan& plan) {
  return [&plan](runner::ContainerEngine& engine, const runner::ProgressSink& progress, const sys::StopSignal& stop) {
    return runner::prepare_images(plan, engine, progress, stop);
  };
}

ExitCode start_run(NewRun run, Interruption& interruption, const Clock& clock) {
  Result<std::unique_ptr<DebugLog>> debug_log = open_debug_log(run.command.debug_log, run.command.command_line);
  if (!debug_log) return report_error(debug_log.error(), ExitCode::environment);
  Result<std::unique_ptr<runner::ContainerEngine>> engine = connect_engine(run.command.engine, debug_log->get());
  if (!engine) return report_error(engine.error(), ExitCode::environment);
  run.start.engine = (*engine)->info().name;
  if (run.command.engine == EngineChoice::process) {
    print_error("mlpipe: engine \"process\": tasks run as processes of this machine, with no container around them\n");
  }
  Reporting reporting(run.command, run.prepared.plan, run.prepared.root, run.start.id, clock);
  auto preparing = [&reporting](std::string_view line) { reporting.preparing(line); };
  Result<runner::PreparedImages> images = run.images(**engine, preparing, interruption.stop());
  if (!images) {
    reporting.finish();
    if (images.error().code == ErrorCode::cancelled)
      return exit_code_of_run(engine::RunState::cancelled, interruption.signal());
    return report_error(images.error(), ExitCode::environment);
  }
  Result<sys::FileLock> claimed = claim_run(run.prepared.root, run.start.id);
  if (!claimed) {
    bool taken = claimed.error().code == ErrorCode::conflict;
    return report_error(claimed.error(), taken ? ExitCode::usage : ExitCode::environment);
  }
  Result<ExitCode> code = begin_run({.command = run.command,
                                     .spec = run.spec,
                                     .prepared = run.prepared,
                                     .engine = **engine,
                                     .images = *images,
                                     .start = std::move(run.start),
                                     .reporting = reporting,
                                     .interruption = interruption,
                                     .clock = clock,
                                     .debug_log = debug_log->get(),
                                     .given = std::move(run.given),
                                     .asked = std::move(run.asked)});
  reporting.finish();
  if (!code) return report_error(code.error(), ExitCode::environment);
  return *code;
}

}  // namespace mlpipe::app
