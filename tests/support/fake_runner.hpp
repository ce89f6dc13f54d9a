#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/engine/ports.hpp"
#include "support/fake_clock.hpp"

namespace mlpipe::test {

// What one attempt does: it comes up after `starts_in` and ends after `lasts` more.
struct Script {
  engine::AttemptResult result;
  std::chrono::milliseconds starts_in{0};
  std::chrono::milliseconds lasts{1000};
  std::chrono::milliseconds stops_in{0};  // after a graceful stop
  bool heeds_graceful_stop = true;
  bool comes_up = true;  // false: it ends without ever having run
};

inline Script succeeds(engine::TaskData outputs = {}) {
  Script script;
  script.result.outputs = std::move(outputs);
  return script;
}
inline Script fails(engine::AttemptEnd end = engine::AttemptEnd::user_exit, std::string message = "exit code 1") {
  Script script;
  script.result.end = end;
  script.result.message = std::move(message);
  return script;
}
inline Script lasting(std::chrono::milliseconds time) {
  Script script;
  script.lasts = time;
  return script;
}

// Carries out scripts in the time of a FakeClock, which wait() moves on. The script of an attempt is what `script`
// gives for it; by default each attempt succeeds after a second.
class FakeRunner final : public engine::TaskRunner {
 public:
  explicit FakeRunner(FakeClock& clock) : clock_(clock) {}

  std::function<Script(engine::AttemptId)> script = [](engine::AttemptId) { return Script{}; };
  // Called first thing, to check what must hold whenever an effect is carried out.
  std::function<void(const engine::AttemptRequest&)> on_start = [](const engine::AttemptRequest&) {};
  std::function<void(engine::AttemptId, engine::StopMode)> on_stop = [](engine::AttemptId, engine::StopMode) {};

  void at(std::chrono::milliseconds time, engine::Event event) { add(MonotonicTime(time), std::move(event)); }

  void start(engine::AttemptRequest request) override {
    on_start(request);
    const engine::AttemptId id = request.id;
    started.push_back(std::move(request));
    EXPECT_FALSE(under_way_.contains(id)) << "attempt started twice";
    const Script what = script(id);
    under_way_.emplace(id, what);
    const MonotonicTime up = clock_.now() + what.starts_in;
    if (what.comes_up) add(up, engine::AttemptRunning{id});
    add(up + what.lasts, engine::AttemptFinished{id, what.result});
  }

  void stop(engine::AttemptId id, engine::StopReason reason, engine::StopMode mode) override {
    on_stop(id, mode);
    stops.push_back({id, reason, mode, clock_.now()});
    auto found = under_way_.find(id);
    if (found == under_way_.end()) return;  // too late
    const Script& what = found->second;
    if (mode == engine::StopMode::graceful && !what.heeds_graceful_stop) return;
    engine::AttemptResult result;
    result.end =
        reason == engine::StopReason::timed_out ? engine::AttemptEnd::timed_out : engine::AttemptEnd::cancelled;
    const bool kill = mode == engine::StopMode::kill;
    end_instead(id, clock_.now() + (kill ? std::chrono::milliseconds(0) : what.stops_in), std::move(result));
  }

  std::vector<engine::Event> wait(std::optional<MonotonicTime> deadline) override {
    if (events_.empty() && !deadline) {
      ADD_FAILURE() << "waiting for nothing";
      std::abort();
    }
    if (!events_.empty() && (!deadline || events_.begin()->first.first <= *deadline)) {
      clock_.advance_to(events_.begin()->first.first);
    } else {
      clock_.advance_to(*deadline);
    }
    std::vector<engine::Event> due;
    while (!events_.empty() && events_.begin()->first.first <= clock_.now()) {
      if (auto* ended = std::get_if<engine::AttemptFinished>(&events_.begin()->second)) under_way_.erase(ended->id);
      due.push_back(std::move(events_.begin()->second));
      events_.erase(events_.begin());
    }
    return due;
  }

  struct Stop {
    engine::AttemptId id;
    engine::StopReason reason;
    engine::StopMode mode;
    MonotonicTime at;
  };
  std::vector<engine::AttemptRequest> started;
  std::vector<Stop> stops;
  std::size_t under_way() const { return under_way_.size(); }

 private:
  using When = std::pair<MonotonicTime, std::uint64_t>;  // ties in the order they were made

  void add(MonotonicTime time, engine::Event event) { events_.emplace(When{time, ++made_}, std::move(event)); }

  void end_instead(engine::AttemptId id, MonotonicTime at, engine::AttemptResult result) {
    for (auto event = events_.begin(); event != events_.end(); ++event) {
      auto* ended = std::get_if<engine::AttemptFinished>(&event->second);
      if (ended == nullptr || ended->id != id) continue;
      if (event->first.first <= at) return;  // ends by itself before
      events_.erase(event);
      break;
    }
    std::erase_if(events_, [&](const auto& event) {
      auto* running = std::get_if<engine::AttemptRunning>(&event.second);
      return running != nullptr && running->id == id && event.first.first > at;
    });
    add(at, engine::AttemptFinished{id, std::move(result)});
  }

  FakeClock& clock_;
  std::map<When, engine::Event> events_;
  std::map<engine::AttemptId, Script> under_way_;
  std::uint64_t made_ = 0;
};

}  // namespace mlpipe::test
