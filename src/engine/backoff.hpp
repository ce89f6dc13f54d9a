#pragma once

#include <chrono>
#include <cstdint>

#include "mlpipe/engine/values.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::engine {

// What is asked for between attempts that the world failed: 1 s, doubling, at most 30 s.
spec::RetryPolicy infrastructure_backoff(int limit);

// How long to wait after the failure number `failures` (from 1): backoff * factor^(failures - 1), at most
// max_backoff, times a jitter in [0.5, 1] that depends on nothing but `seed` and the attempt that failed.
std::chrono::milliseconds retry_delay(const spec::RetryPolicy& policy, int failures, std::uint64_t seed,
                                      AttemptId failed);

}  // namespace mlpipe::engine
