#pragma once

#include <string>

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

// `mlpipe graph`: draws a pipeline's DAG.
ExitCode graph(const GraphCommand& command);

// The drawing that Graphviz makes of `dot`. `program`: its dot.
Result<std::string> svg_of(const std::string& dot, const std::string& program = "dot");

}  // namespace mlpipe::app
