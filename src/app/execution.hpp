#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/exit_code.hpp"
#include "app/interruption.hpp"
#include "app/options.hpp"
#include "app/reporting.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/result_cache.hpp"
#include "mlpipe/sys/machine.hpp"

// What `run` and `resume` have in common: from a pipeline that was read to the end of its run.
namespace mlpipe::app {

// Everything known before anything is started or written. Borrows the spec.
struct Prepared {
  plan::Plan plan;
  artifact::Root root;
  sys::MachineInfo machine;
  engine::Limits limits;
  std::vector<std::string> gpus;
};

// The plan of `spec` with `arguments`, as the command selects from it, and what the machine has for it. Tasks that can never
// fit are told here.
Result<Prepared> prepare(const RunCommand& command, const spec::PipelineSpec& spec, Value::Struct arguments,
                         artifact::Root root);

// What the command says of results of earlier runs. In a run that goes on from another, --from and --only say what is run again.
runner::CachePolicy cache_policy(const RunCommand& command, const plan::Plan& plan,
                                 const runner::GivenResults& given = {});

// A run that may begin: its folder is there and its lock is held. Borrows all but `start`.
struct Execution {
  const RunCommand& command;
  const spec::PipelineSpec& spec;
  const Prepared& prepared;
  runner::ContainerEngine& engine;
  const runner::PreparedImages& images;
  metadata::RunStart start;
  Reporting& reporting;
  Interruption& interruption;
  const Clock& clock;
  DebugLog* debug_log = nullptr;
  runner::GivenResults given = {};  // CachePolicy::given
  std::string asked = {};           // asked_for() of it; empty: it cannot be asked for again (app/premises.hpp)
};

// What an earlier mlpipe left of a run.
struct Leftovers {
  std::vector<engine::Recovered> tasks;
  std::map<std::string, std::vector<std::string>> gpus_held;  // RunContext::gpus_held
  // Called once no attempt is under way any more, before the record says that the run has ended.
  std::function<void()> remove_rest = [] {};
};

// Runs it to its end. Errors: the record or the tree cannot be written.
Result<ExitCode> begin_run(const Execution& run);
// Goes on with one that was begun.
Result<ExitCode> continue_run(const Execution& run, Leftovers leftovers);

// The code of a run that ended so, cancelled by `signal`.
ExitCode exit_code_of_run(engine::RunState state, int signal);

}  // namespace mlpipe::app
