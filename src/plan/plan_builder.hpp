#pragma once

#include <string>
#include <vector>

#include "mlpipe/plan/plan.hpp"

namespace mlpipe::plan {

// Turns the root DAG of a spec into a Plan, one step after the other; each step needs those before it.
class PlanBuilder final {
 public:
  explicit PlanBuilder(const spec::PipelineSpec& spec) { plan_.spec_ = &spec; }

  Result<> add_tasks();
  Result<> add_needs();
  void add_dependants();
  Result<> add_order();
  void add_ranks();
  Plan finish(Value::Struct arguments) &&;

 private:
  Result<> index_names();
  Error cycle_error(const std::vector<std::uint32_t>& unmet) const;

  Plan plan_;
};

}  // namespace mlpipe::plan
