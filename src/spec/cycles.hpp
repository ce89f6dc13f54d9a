#pragma once

#include <cstddef>
#include <vector>

#include "spec/pipeline_scope.hpp"

namespace mlpipe::spec {

// Cycles among the tasks, each as a list in the direction data flows, beginning with its first task of the file; the
// first few that share no task. Empty for a DAG. Linear in tasks and references.
std::vector<std::vector<std::size_t>> find_cycles(const DagSpec& dag, const PipelineScope& scope);

}  // namespace mlpipe::spec
