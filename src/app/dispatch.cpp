#include "app/dispatch.hpp"

#include "app/component_show.hpp"
#include "app/print.hpp"
#include "app/run.hpp"
#include "app/validate.hpp"
#include "mlpipe/engine/failpoint.hpp"

namespace mlpipe::app {
namespace {

struct Dispatch {
  ExitCode operator()(const Leave& leave) const {
    leave.code == 0 ? print(leave.text) : print_error(leave.text);
    return static_cast<ExitCode>(leave.code);
  }
  ExitCode operator()(const RunCommand& command) const { return run(command); }
  ExitCode operator()(const ValidateCommand& command) const { return validate(command); }
  ExitCode operator()(const ComponentShowCommand& command) const { return component_show(command); }
  ExitCode operator()(const FailpointsCommand&) const {
    for (const std::string& name : engine::failpoint_names()) print(name + "\n");
    return ExitCode::succeeded;
  }
};

}  // namespace

ExitCode dispatch(const Command& command) { return std::visit(Dispatch{}, command); }

}  // namespace mlpipe::app
