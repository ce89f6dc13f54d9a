#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/runner/run_context.hpp"

namespace mlpipe::runner {

// Runs attempts on this machine: each is a straight-line function on a thread of its own, ended containers are removed in
// the background once what they gave is recorded. Loop thread only, but for post().
class LocalRunner : public engine::TaskRunner {
 public:
  // An event from elsewhere in the program: a signal, a result that settled. Any thread.
  virtual void post(engine::Event event) = 0;
  // Once all attempts have ended and are recorded: returns when no container of the run is left.
  virtual void clean_up() = 0;
};

// Borrows everything, for as long as the runner lives. `gpus`: UUIDs of the devices that tasks may be given.
std::unique_ptr<LocalRunner> make_local_runner(const plan::Plan& plan, const RunContext& run, ContainerEngine& engine,
                                               artifact::ArtifactStore& store, std::vector<std::string> gpus);

}  // namespace mlpipe::runner
