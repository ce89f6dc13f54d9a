#include "app/dispatch.hpp"

#include <unistd.h>

#include <csignal>

#include "app/annotate.hpp"
#include "app/cancel.hpp"
#include "app/completion.hpp"
#include "app/component_run.hpp"
#include "app/component_show.hpp"
#include "app/diff.hpp"
#include "app/doctor.hpp"
#include "app/engine_choice.hpp"
#include "app/gc.hpp"
#include "app/graph.hpp"
#include "app/init.hpp"
#include "app/interruption.hpp"
#include "app/lineage.hpp"
#include "app/list_runs.hpp"
#include "app/logs.hpp"
#include "app/print.hpp"
#include "app/replay.hpp"
#include "app/resume.hpp"
#include "app/run.hpp"
#include "app/show.hpp"
#include "app/validate.hpp"
#include "app/verify.hpp"
#include "app/why.hpp"
#include "mlpipe/engine/failpoint.hpp"
#include "mlpipe/runner/secret_folder.hpp"
#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {
namespace {

ExitCode exit_code_of_signal(int signal) {
  return signal == SIGTERM ? ExitCode::terminated : signal == SIGHUP ? ExitCode::hung_up : ExitCode::interrupted;
}

struct Dispatch {
  const Clock& clock;

  ExitCode operator()(const Leave& leave) const {
    if (leave.code == 0) {
      print(leave.text);
    } else {
      print_error(leave.text);
    }
    return static_cast<ExitCode>(leave.code);
  }
  ExitCode operator()(const RunCommand& command) const { return run(command); }
  ExitCode operator()(const ValidateCommand& command) const { return validate(command); }
  ExitCode operator()(const ComponentShowCommand& command) const { return component_show(command); }
  ExitCode operator()(const RunsCommand& command) const { return list_runs(command, standard_console(clock)); }
  ExitCode operator()(const ShowCommand& command) const {
    const Console console = standard_console(clock);
    return command.lineage.empty() ? show(command, console) : lineage(command, console);
  }
  ExitCode operator()(const LogsCommand& command) const { return logs(command, standard_console(clock)); }
  ExitCode operator()(const LabelCommand& command) const { return label(command, standard_console(clock)); }
  ExitCode operator()(const NoteCommand& command) const { return note(command, standard_console(clock)); }
  ExitCode operator()(const VerifyCommand& command) const {
    const Interruption interruption;
    const Console console = standard_console(clock);
    const bool can_draw = console.destination == Destination::terminal &&
                          sys::can_redraw(sys::is_terminal(STDERR_FILENO), sys::terminal_environment());
    const ShowProgress show_progress = can_draw ? ShowProgress::yes : ShowProgress::no;
    const ExitCode code = verify(command, console, interruption.stop(), show_progress);
    return code == ExitCode::interrupted ? exit_code_of_signal(interruption.signal()) : code;
  }
  ExitCode operator()(const DiffCommand& command) const { return diff(command, standard_console(clock)); }
  ExitCode operator()(const WhyCommand& command) const { return why(command, standard_console(clock)); }
  ExitCode operator()(const GraphCommand& command) const { return graph(command); }
  ExitCode operator()(const InitCommand& command) const { return init(command); }
  ExitCode operator()(const DoctorCommand& command) const { return doctor(command); }
  ExitCode operator()(const ResumeCommand& command) const { return resume(command); }
  ExitCode operator()(const ComponentRunCommand& command) const {
    return component_run(command, standard_console(clock));
  }
  ExitCode operator()(const CompletionCommand& command) const {
    print(completion_script(command));
    return ExitCode::succeeded;
  }
  ExitCode operator()(const ReplayCommand& command) const { return replay(command, standard_console(clock)); }
  ExitCode operator()(const CancelCommand& command) const { return cancel(command, standard_console(clock)); }
  ExitCode operator()(const GcCommand& command) const {
    return gc(
        command, standard_console(clock),
        {.connect = [&command] { return connect_engine(command.engine); }, .secrets = runner::place_of_secrets()});
  }
  ExitCode operator()(const FailpointsCommand&) const {
    for (const std::string& name : engine::failpoint_names()) print(name + "\n");
    return ExitCode::succeeded;
  }
};

}  // namespace

ExitCode dispatch(const Command& command) {
  SystemClock clock;
  return std::visit(Dispatch{clock}, command);
}

}  // namespace mlpipe::app
