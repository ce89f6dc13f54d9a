#pragma once

#include "app/options.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::app {

// The arguments of a run from -p and --params, over `inherited`, those of the run it goes on from; -p wins. Inherited
// arguments that the pipeline has no parameter for any more are left out.
Result<Value::Struct> pipeline_arguments(const RunCommand& command, const spec::PipelineSpec& spec,
                                         Value::Struct inherited = {});

}  // namespace mlpipe::app
