#pragma once

#include "app/options.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::app {

// The arguments of a run from -p and --params; -p wins.
Result<Value::Struct> pipeline_arguments(const RunCommand& command, const spec::PipelineSpec& spec);

}  // namespace mlpipe::app
