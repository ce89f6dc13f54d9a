#pragma once

#include <string>
#include <vector>

#include "mlpipe/plan/arguments.hpp"

namespace mlpipe::plan {

// What is wrong with what was given for one parameter.
struct ArgumentMistake {
  std::string parameter;
  std::string text;
};

// `given` as values of the parameters' types, with defaults for what is absent; an optional parameter without either
// stays absent. Parameters that `mistakes` names are passed over; these and the mistakes found here make one
// invalid_input.
Result<Value::Struct> complete_arguments(const spec::PipelineSpec& spec, Value::Struct given,
                                         std::vector<ArgumentMistake> mistakes);

}  // namespace mlpipe::plan
