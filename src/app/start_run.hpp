#pragma once

#include <functional>

#include "app/execution.hpp"

namespace mlpipe::app {

using ImageMaker = std::function<Result<runner::PreparedImages>(runner::ContainerEngine&, const runner::ProgressSink&,
                                                                const sys::StopSignal&)>;

// Those that the selected tasks of `plan` name, as they are now (runner::prepare_images). Borrows the plan.
ImageMaker preparing_images(const plan::Plan& plan);

// A run that may begin as soon as its images are there. Borrows what it refers to.
struct NewRun {
  const RunCommand& command;
  const spec::PipelineSpec& spec;
  const Prepared& prepared;
  metadata::RunStart start;  // its `engine` is filled in
  ImageMaker images;
  runner::GivenResults given = {};  // CachePolicy::given
  std::string asked = {};           // Execution::asked
};

// Connects to the engine, sees to the images, claims the run's id and runs it to its end; says what goes wrong. succeeded and
// run_failed are said of a run that ended, other codes also where none began.
ExitCode start_run(NewRun run, Interruption& interruption, const Clock& clock);

}  // namespace mlpipe::app
