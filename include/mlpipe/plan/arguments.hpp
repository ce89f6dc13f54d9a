#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::plan {

// The arguments of a run: `texts` as given by `-p name=text`, each read as a value of its parameter's type, over the
// values `from_file` holds. The last of several texts for one name counts. Every mistake (unknown or missing
// parameter, text or value of the wrong type) is in the one invalid_input this gives. The answer is what make_plan()
// takes.
Result<Value::Struct> parse_arguments(const spec::PipelineSpec& spec,
                                      const std::vector<std::pair<std::string, std::string>>& texts,
                                      Value::Struct from_file);

}  // namespace mlpipe::plan
