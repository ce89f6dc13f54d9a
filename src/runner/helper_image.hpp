#pragma once

#include <string>

#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

// The id of the image with nothing in it but our helper program (src/runner/helper/), for sandboxes and for handing files
// back. It is part of this binary and needs no registry; made on first use, then found by its content's tag. Any thread.
Result<std::string> helper_image(ContainerEngine& engine);

}  // namespace mlpipe::runner
