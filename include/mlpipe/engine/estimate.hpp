#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "mlpipe/engine/limits.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::engine {

// How long the attempt of each task takes, by task; nothing: it has none, and ends at once when all it needs has ended.
using ExpectedTimes = std::vector<std::optional<std::chrono::milliseconds>>;

// How long a run of `plan` with such attempts takes, each of them successful: a real Run with these limits, in a time of its
// own. Every task of the plan fits (check_fits()). Costs what scheduling the run does.
std::chrono::milliseconds estimate(const plan::Plan& plan, const Limits& limits, const ExpectedTimes& times);

// The path of tasks that takes longest, in order; of equally long ones one with the most attempts. Tasks without an attempt
// are left out of it.
std::vector<plan::TaskId> critical_path(const plan::Plan& plan, const ExpectedTimes& times);

}  // namespace mlpipe::engine
