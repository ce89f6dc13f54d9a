#pragma once

#include <string>

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::app {

// `mlpipe graph`: draws a pipeline's DAG.
ExitCode graph(const GraphCommand& command);

// The DOT text of a drawing that Graphviz gets done within seconds and that a person can read: of many edges only the
// necessary ones. `invalid_input` when that is still too much.
Result<std::string> dot_for_drawing(const plan::Plan& plan);

// The drawing that Graphviz makes of `dot`. `program`: its dot.
Result<std::string> svg_of(const std::string& dot, const std::string& program = "dot");

}  // namespace mlpipe::app
