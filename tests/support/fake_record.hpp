#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/engine/ports.hpp"

namespace mlpipe::test {

// Keeps what it is given, and can be told to fail.
class FakeRecord final : public engine::Record {
 public:
  Result<> commit(std::span<const engine::Transition> transitions) override {
    if (commits++ == fail_commit) return fail(ErrorCode::no_space, "database: No space left on device");
    for (const engine::Transition& each : transitions) {
      history.push_back(each);
      state[each.task] = {each.to, each.attempt};
      if (each.inputs != nullptr) inputs[each.task] = *each.inputs;
      if (each.cached() && each.cache->removed) removed.insert(each.task);
      if (each.to == engine::TaskState::starting && each.cache != nullptr) why[each.task] = each.cache->why;
      if (each.result != nullptr) ends[{each.task, each.attempt}] = each.result->end;
      history.back().result = nullptr;  // do not outlive the call
      history.back().inputs = nullptr;
      history.back().outputs = nullptr;
      history.back().cache = nullptr;
    }
    return {};
  }

  Result<> discard(engine::TaskId task) override {
    discarded.push_back(task);
    return {};
  }

  Result<> finish(engine::RunState end, WallTime at) override {
    if (fail_finish) return fail(ErrorCode::no_space, "database: No space left on device");
    finished.emplace_back(end, at);
    return {};
  }

  int fail_commit = -1;  // its number from 0; -1: none
  bool fail_finish = false;

  int commits = 0;
  std::vector<engine::Transition> history;
  std::map<engine::TaskId, std::pair<engine::TaskState, int>> state;  // with the attempt
  std::map<engine::TaskId, engine::TaskData> inputs;                  // of the latest attempt
  std::map<engine::AttemptId, engine::AttemptEnd> ends;
  std::set<engine::TaskId> removed;           // cached, without their artifacts
  std::map<engine::TaskId, std::string> why;  // of the latest attempt: what the cache said
  std::vector<engine::TaskId> discarded;
  std::vector<std::pair<engine::RunState, WallTime>> finished;
};

}  // namespace mlpipe::test
