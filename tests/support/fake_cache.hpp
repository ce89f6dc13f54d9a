#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "mlpipe/engine/ports.hpp"

namespace mlpipe::test {

// Knows the results it is told of, by the task's name.
class FakeCache final : public engine::ResultCache {
 public:
  explicit FakeCache(const plan::Plan& plan) : plan_(plan) {}

  std::map<std::string, engine::TaskData> known;          // what look_up() finds
  std::map<std::string, engine::TaskData> removed;        // the same, but its artifacts are gone
  std::set<std::string> vanishing;                        // of known: only foresee() still finds it
  std::map<std::string, engine::TaskData> arrives;        // what only claim() finds: somebody has just made it
  std::map<std::string, engine::TaskData> arrives_later;  // the same, but not the first claim()
  std::set<std::string> busy;                             // claimed by somebody else, once each
  bool disk_full = false;

  std::vector<std::string> calls;  // "look_up a", "claim b", "release b", "durable", "discard a"

  engine::CacheAnswer look_up(engine::TaskId task, const engine::TaskData&) override {
    calls.push_back("look_up " + name(task));
    if (vanishing.contains(name(task))) known.erase(name(task));
    return answer(known, task);
  }
  engine::CacheAnswer claim(engine::TaskId task, const engine::TaskData&) override {
    calls.push_back("claim " + name(task));
    if (busy.erase(name(task)) > 0) {
      return {.kind = engine::CacheAnswer::Kind::busy, .fingerprint = "f-" + name(task), .why = "process 7 makes it"};
    }
    engine::CacheAnswer found = answer(arrives, task);
    if (auto later = arrives_later.extract(name(task))) arrives.insert(std::move(later));
    return found;
  }
  engine::CacheAnswer foresee(engine::TaskId task, const engine::TaskData&) override {
    calls.push_back("foresee " + name(task));
    return answer(known, task);
  }
  void release(engine::TaskId task) override { calls.push_back("release " + name(task)); }
  Result<> make_durable() override {
    calls.emplace_back("durable");
    if (disk_full) return fail(ErrorCode::no_space, "syncing: No space left on device");
    return {};
  }
  void discard(engine::TaskId task, const engine::TaskData&) override { calls.push_back("discard " + name(task)); }

 private:
  std::string name(engine::TaskId task) const { return std::string(plan_.task(task).path()); }

  engine::CacheAnswer answer(const std::map<std::string, engine::TaskData>& results, engine::TaskId task) const {
    const auto found = results.find(name(task));
    const auto gone = removed.find(name(task));
    if (found == results.end() && gone != removed.end()) {
      return {.kind = engine::CacheAnswer::Kind::removed,
              .fingerprint = "f-" + name(task),
              .why = "the artifacts of run earlier were taken away",
              .from_run = "earlier",
              .outputs = gone->second};
    }
    if (found == results.end()) return {.fingerprint = "f-" + name(task), .why = "never run"};
    return {.kind = engine::CacheAnswer::Kind::hit,
            .fingerprint = "f-" + name(task),
            .from_run = "earlier",
            .outputs = found->second};
  }

  const plan::Plan& plan_;
};

}  // namespace mlpipe::test
