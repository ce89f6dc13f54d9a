#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/result.hpp"

namespace mlpipe::engine {

// A place in the program where a test makes it fail, and how: "<name>:kill9|abort|eio|sleep", the n-th time it is passed
// with "@n". The default is none. Copies count together.
struct Failpoint {
  enum class Action { none, kill9, abort, eio, sleep };
  std::string name;
  Action action = Action::none;
  std::shared_ptr<std::atomic<int>> passes_left = {};  // null: the first time, and every time

  // Called where the program passes the place `here`. When that is this failpoint: kill9 and abort end the process,
  // sleep blocks for a minute (for a test that kills from outside), eio gives an io error. Any thread; costs nothing
  // when none.
  Result<> pass(std::string_view here) const;
  bool armed() const { return action != Action::none; }
};

// The failpoints of the engine: "before_record.<state>", "after_record.<state>", "after_effects.<state>" for each
// state a task can come to, passed once for every transition of a turn, and without a state once a turn; "before_finish"
// and "after_finish" about the run's end; those of an attempt in the runner, "attempt.<place>", in their order.
std::vector<std::string> failpoint_names();

// Reads "<name>:<action>", where `names` are all there are; "" is none.
Result<Failpoint> parse_failpoint(std::string_view text, std::span<const std::string> names);

}  // namespace mlpipe::engine
