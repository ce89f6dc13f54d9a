#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "mlpipe/engine/limits.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// Everything that tasks share is a dimension with a limit: slots (--jobs), cpu, memory, gpu, then the pools in the
// spec's order. Amounts are whole numbers, so that what is taken and given back leaves nothing behind: cpu in
// millionths of a core.
constexpr std::size_t k_slots = 0, k_cpu = 1, k_memory = 2, k_gpu = 3, k_first_pool = 4;

constexpr std::int64_t k_unlimited = std::numeric_limits<std::int64_t>::max();

struct Amount {
  std::uint32_t dimension = 0;
  std::int64_t amount = 0;
  auto operator<=>(const Amount&) const = default;
};

// What one attempt takes: at least a slot. Each dimension at most once, ascending, amounts above 0.
using Demand = std::vector<Amount>;

// The limit of each dimension.
std::vector<std::int64_t> limits_of(const spec::PipelineSpec& spec, const Limits& limits);

// What a task with `settings` takes. `settings` names only pools that `spec` has (its reader checks).
Demand demand_of(const spec::PipelineSpec& spec, const spec::TaskSettings& settings);

}  // namespace mlpipe::engine
