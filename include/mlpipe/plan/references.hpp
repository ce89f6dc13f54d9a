#pragma once

#include <functional>
#include <string_view>

#include "mlpipe/spec/model.hpp"

namespace mlpipe::plan {

// Calls `visit(task, output)` for every task that `spec` names: in its arguments and its condition, with the output
// it reads, and in `after`, with an empty output. In that order, repeated as often as named.
void for_each_reference(const spec::TaskSpec& spec,
                        const std::function<void(std::string_view task, std::string_view output)>& visit);

// Does an argument of `spec`, or whether it runs, hang on run.id, which no two runs share? (Its env and script count as they
// are written, in fingerprints too.)
bool takes_run_id(const spec::TaskSpec& spec);

}  // namespace mlpipe::plan
