#pragma once

#include <string>
#include <vector>

#include "mlpipe/plan/plan.hpp"

namespace mlpipe::plan {

// Which tasks of a plan are to run; all of them when nothing is said.
struct Selection {
  std::vector<std::string> from;   // these and all that depend on them
  std::vector<std::string> until;  // these and all they depend on; with `from`: what both choose
  std::vector<std::string> only;   // exactly these; not together with `from` or `until`

  bool empty() const { return from.empty() && until.empty() && only.empty(); }
};

// Leaves all other tasks out of `plan`: the engine skips them ("not selected"), and an order (`after`) to one of them
// counts as kept. A chosen task that reads an output of a task left out cannot run: invalid_input that lists all such
// pairs. Unknown task names: invalid_input that lists all of them. On an Error the plan is as it was.
Result<> select(Plan& plan, const Selection& selection);

// Are the names those of tasks? invalid_input that lists all that are not, each with the option that it stands behind.
Result<> check_names(const Plan& plan, const Selection& selection);

}  // namespace mlpipe::plan
