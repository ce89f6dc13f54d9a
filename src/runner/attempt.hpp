#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/runner/run_context.hpp"
#include "mlpipe/spec/model.hpp"
#include "runner/sandbox.hpp"
#include "runner/start_gate.hpp"

namespace mlpipe::runner {

// Everything one attempt is: values only, but for the specs, which outlive the run.
struct AttemptJob {
  engine::AttemptRequest request;
  std::string task_path;
  std::string container_name;
  const spec::ComponentSpec* component = nullptr;
  const spec::TaskSettings* settings = nullptr;
  std::vector<std::string> gpus;  // UUIDs, its own while it runs
};

// How the loop thread asks a running attempt to end.
struct AttemptStop {
  sys::StopSignal signal;
  std::atomic<engine::StopReason> reason{engine::StopReason::cancelled};  // set before the signal rises
};

// What attempts of a run share. All of it may be used from any thread.
struct AttemptTools {
  const RunContext& run;
  ContainerEngine& engine;
  artifact::ArtifactStore& store;
  StartGate& start_gate;
  SandboxPool* sandboxes;  // null: every container gets a network of its own
};

struct AttemptReport {
  engine::AttemptResult result;
  std::string container_id;  // to be removed once the result is recorded; empty: there is none
};

// Called once, when the attempt's container runs, with how long it has done so: 0 but for one that was taken up.
using RunningSince = std::function<void(std::chrono::milliseconds already)>;

// Runs one attempt from its empty folder to its committed outputs; blocks until it has ended. Never throws, never leaves a container running.
AttemptReport run_attempt(const AttemptJob& job, const AttemptTools& tools, AttemptStop& stop,
                          const RunningSince& running);

// The key of a component's image in RunContext::images; the image as written, or the build folder.
Result<std::string> image_key(const spec::ComponentSpec& component, const engine::TaskData& inputs);

}  // namespace mlpipe::runner
