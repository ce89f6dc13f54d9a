#pragma once

#include <string>
#include <vector>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// Who needs an image, and where the first of them names it.
struct ImageUse {
  std::vector<std::string> tasks;
  spec::Where where;
};

// An image that could not be got ready: "pipeline.yaml:3:18: task train: <message>".
Error place_problem(Error error, const ImageUse& use, const spec::PipelineSpec& spec);

// The same of an image that is not there, with one that is and has nearly its name as a hint.
Error hint_at_near_image(Error error, const std::string& reference, ContainerEngine& engine);

}  // namespace mlpipe::runner
