#include "demands.hpp"

#include <algorithm>
#include <cmath>

#include "mlpipe/base/assert.hpp"

namespace mlpipe::engine {
namespace {

std::int64_t micro_cores(double cores) { return std::llround(std::min(cores, 1e9) * 1e6); }
std::int64_t bytes(std::uint64_t count) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(count, k_unlimited));
}

std::uint32_t pool_dimension(const spec::PipelineSpec& spec, const std::string& name) {
  auto pool =
      std::find_if(spec.pools.begin(), spec.pools.end(), [&](const spec::Pool& each) { return each.name == name; });
  MLPIPE_ASSERT(pool != spec.pools.end());
  return static_cast<std::uint32_t>(k_first_pool + static_cast<std::size_t>(pool - spec.pools.begin()));
}

}  // namespace

std::vector<std::int64_t> limits_of(const spec::PipelineSpec& spec, const Limits& limits) {
  std::vector<std::int64_t> all(k_first_pool + spec.pools.size());
  all[k_slots] = limits.max_parallel;
  all[k_cpu] = limits.cpu > 0 ? micro_cores(limits.cpu) : k_unlimited;
  all[k_memory] = limits.memory > 0 ? bytes(limits.memory) : k_unlimited;
  all[k_gpu] = limits.gpu;
  for (std::size_t pool = 0; pool < spec.pools.size(); ++pool) all[k_first_pool + pool] = spec.pools[pool].places;
  return all;
}

Demand demand_of(const spec::PipelineSpec& spec, const spec::TaskSettings& settings) {
  Demand demand{{k_slots, 1}};
  const spec::Resources& asked = settings.resources;
  if (asked.cpu > 0) demand.push_back({k_cpu, micro_cores(asked.cpu)});
  if (asked.memory > 0) demand.push_back({k_memory, bytes(asked.memory)});
  if (asked.gpu > 0) demand.push_back({k_gpu, asked.gpu});
  for (const std::string& pool : settings.pools) demand.push_back({pool_dimension(spec, pool), 1});
  std::sort(demand.begin(), demand.end());
  demand.erase(std::unique(demand.begin(), demand.end()), demand.end());  // a pool named twice
  return demand;
}

}  // namespace mlpipe::engine
