#include "backoff.hpp"

#include <algorithm>
#include <cmath>

namespace mlpipe::engine {
namespace {

// SplitMix64's finaliser: every input bit moves every output bit.
std::uint64_t mixed(std::uint64_t bits) {
  bits += 0x9e3779b97f4a7c15u;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

double jitter(std::uint64_t seed, AttemptId attempt) {
  const std::uint64_t bits =
      mixed(mixed(mixed(seed) ^ index(attempt.task)) ^ static_cast<std::uint64_t>(attempt.number));
  return 0.5 + 0.5 * static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace

spec::RetryPolicy infrastructure_backoff(int limit) {
  using namespace std::chrono_literals;
  return {.limit = limit, .backoff = 1s, .factor = 2, .max_backoff = 30s};
}

std::chrono::milliseconds retry_delay(const spec::RetryPolicy& policy, int failures, std::uint64_t seed,
                                      AttemptId failed) {
  const auto longest = static_cast<double>(policy.max_backoff.count());
  double delay = static_cast<double>(policy.backoff.count()) * std::pow(policy.factor, failures - 1);
  if (!(delay < longest))
    delay = policy.backoff.count() > 0 ? longest : 0;  // also when the power overflowed: 0 * inf is NaN
  return std::chrono::milliseconds(std::llround(delay * jitter(seed, failed)));
}

}  // namespace mlpipe::engine
