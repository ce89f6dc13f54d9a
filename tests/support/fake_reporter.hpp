#pragma once

#include <string>
#include <vector>

#include "mlpipe/engine/run.hpp"

namespace mlpipe::test {

// Keeps what it is told.
class FakeReporter final : public engine::Reporter {
 public:
  void run_started(const engine::Run&) override { ++started; }
  void transition(const engine::Run&, const engine::Transition& transition) override {
    transitions.push_back(transition);
    if (transition.result != nullptr) messages.push_back(transition.result->message);
    transitions.back().result = nullptr;  // do not outlive the call
    transitions.back().inputs = nullptr;
  }
  void progress(const engine::Run&, const engine::Progress& progress) override { progresses.push_back(progress.text); }
  void notice(const engine::Run&, std::string_view text) override { notices.emplace_back(text); }
  std::optional<MonotonicTime> next_refresh() const override { return refresh_at; }
  void refresh(const engine::Run&, MonotonicTime now) override {
    refreshes.push_back(now);
    if (refresh_at) *refresh_at = now + std::chrono::seconds(1);
  }
  void run_finished(const engine::Run&) override { ++finished; }

  std::optional<MonotonicTime> refresh_at;  // then every second

  int started = 0;
  int finished = 0;
  std::vector<engine::Transition> transitions;
  std::vector<std::string> messages;
  std::vector<std::string> progresses;
  std::vector<std::string> notices;
  std::vector<MonotonicTime> refreshes;
};

}  // namespace mlpipe::test
