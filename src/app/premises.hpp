#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/images.hpp"

// `run --if-changed`: what the results of a run rest on is recorded when it has succeeded, and looked at again, without reading
// the pipeline as such, before another run that is asked for alike.
namespace mlpipe::app {

// How a run was asked for, as far as that says what comes of it: the pipeline's file, parameters, selection and component path.
// The same text for the same. An Error: the file of parameters cannot be read.
Result<std::string> asked_for(const RunCommand& command);

// What the results of a run of `plan` rest on, and until when; JSON. Its tasks ended as `tasks` tell.
std::string premises_of(const RunCommand& command, const plan::Plan& plan, const runner::PreparedImages& images,
                        const std::vector<metadata::TaskRow>& tasks);

// Whether a run like it would come to nothing new.
struct Outcome {
  std::optional<metadata::RunRow> run;  // all that it rests on and all that is kept of its results is as it was
  std::string why;                      // else: what is not as it was then
};

using EngineSource = std::function<Result<std::unique_ptr<runner::ContainerEngine>>()>;

// Looks into the root's record for a run that was asked for as `command` does, and at what that rests on now. The engine is
// asked for when all but the images is as it was.
Outcome find_unchanged(const RunCommand& command, const artifact::Root& root, const Clock& clock,
                       const EngineSource& engine);

// Why there is a run, as find_unchanged() says, as the command wants progress told.
void tell_changed(const RunCommand& command, const std::string& why, const Clock& clock);
// Says that there is nothing to do because of `run`, as the command wants progress told.
void tell_unchanged(const RunCommand& command, const artifact::Root& root, const metadata::RunRow& run,
                    const Clock& clock);

}  // namespace mlpipe::app
