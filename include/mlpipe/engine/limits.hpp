#pragma once

#include <cstdint>

#include "mlpipe/base/result.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// What running tasks may use together. 0 in cpu or memory: not limited.
struct Limits {
  int max_parallel = 1;  // --jobs
  double cpu = 0;
  std::uint64_t memory = 0;
  int gpu = 0;
};

// Can every task of the run have what it asks for when nothing else runs? If not: invalid_input that lists those that
// cannot, and what they ask for. To be asked before a Run is made of the same plan and limits.
Result<> check_fits(const plan::Plan& plan, const Limits& limits);

}  // namespace mlpipe::engine
