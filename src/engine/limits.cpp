#include "mlpipe/engine/limits.hpp"

#include <string>

#include "demands.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::size_t k_longest_list = 100;

std::string amount_text(std::size_t dimension, std::int64_t amount) {
  if (dimension == k_memory) return bytes_text(static_cast<std::uint64_t>(amount));
  if (dimension == k_cpu) return number_text(static_cast<double>(amount) / 1e6);
  return std::to_string(amount);
}

std::string dimension_text(const spec::PipelineSpec& spec, std::size_t dimension) {
  switch (dimension) {
    case k_slots: return "tasks at once";
    case k_cpu: return "cpu";
    case k_memory: return "memory";
    case k_gpu: return "gpu";
    default: return fmt::format("places in pool '{}'", spec.pools[dimension - k_first_pool].name);
  }
}

// "needs 8 cpu of 4, 2 gpu of 0"; "" when it fits.
std::string excess_text(const spec::PipelineSpec& spec, const Demand& demand, const std::vector<std::int64_t>& limits) {
  std::string text;
  for (const Amount& asked : demand) {
    if (asked.amount <= limits[asked.dimension]) continue;
    text += fmt::format("{}{} {} of {}", text.empty() ? "needs " : ", ", amount_text(asked.dimension, asked.amount),
                        dimension_text(spec, asked.dimension), amount_text(asked.dimension, limits[asked.dimension]));
  }
  return text;
}

// "pipeline.yaml:7:3: ", where the task is written; "" for one that is in no file.
std::string place_text(const spec::PipelineSpec& spec, const spec::Where& where) {
  if (where.line == 0 || where.file >= spec.sources.size()) return {};
  return fmt::format("{}:{}:{}: ", spec.sources[where.file].name, where.line, where.column);
}

}  // namespace

Result<> check_fits(const plan::Plan& plan, const Limits& limits) {
  const std::vector<std::int64_t> all = limits_of(plan.spec(), limits);
  std::string list;
  std::size_t count = 0;
  const spec::TaskSettings* last = nullptr;  // tasks without settings of their own share them
  std::string excess;
  for (std::uint32_t task = 0; task < plan.size(); ++task) {
    const plan::TaskId id{task};
    if (!plan.selected(id)) continue;
    if (const spec::TaskSettings* settings = plan.task(id).spec->settings.get(); settings != last) {
      last = settings;
      excess = excess_text(plan.spec(), demand_of(plan.spec(), *settings), all);
    }
    if (excess.empty()) continue;
    if (++count <= k_longest_list) {
      list += fmt::format("\n  {}'{}' {}", place_text(plan.spec(), plan.task(id).spec->where), plan.task(id).path(),
                          excess);
    }
  }
  if (count == 0) return {};
  if (count > k_longest_list) list += fmt::format("\n  and {} more", count - k_longest_list);
  return fail_with_hint(
      ErrorCode::invalid_input,
      fmt::format("{} can never run here:{}", count == 1 ? "a task" : fmt::format("{} tasks", count), list),
      "lower their resources in the pipeline, raise the limits, or run it on a larger machine");
}

}  // namespace mlpipe::engine
