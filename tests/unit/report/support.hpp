#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/report/reporters.hpp"
#include "report/scribe.hpp"

namespace mlpipe::report::test {

using engine::AttemptEnd;
using engine::AttemptResult;
using engine::Transition;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(milliseconds by) {
    now_ += by;
    wall_ += by;
  }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  MonotonicTime now_{};
  // 2026-02-03 04:05:06 UTC
  WallTime wall_{std::chrono::sys_days{std::chrono::year{2026} / 2 / 3} + std::chrono::hours{4} +
                 std::chrono::minutes{5} + seconds{6}};
};

// Keeps what is written to it; may be told to take only so much, or to close.
class StringSink final : public Sink {
 public:
  struct State {
    std::string text;
    std::size_t room = static_cast<std::size_t>(-1);
    bool closed = false;
    int writes = 0;
    std::function<void()> on_wait;
  };
  explicit StringSink(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::optional<std::size_t> write(std::string_view text) override {
    ++state_->writes;
    if (state_->closed) return std::nullopt;
    const std::size_t taken = std::min(text.size(), state_->room);
    state_->text += text.substr(0, taken);
    if (state_->room != static_cast<std::size_t>(-1)) state_->room -= taken;
    return taken;
  }
  void wait_for_room(milliseconds) override {
    if (state_->on_wait) state_->on_wait();
  }

 private:
  std::shared_ptr<State> state_;  // shared: the test looks at it while the Output owns the sink
};

struct TaskPlan {
  std::string name;
  int attempts = 1;
};

// A run as a report sees it, driven by hand.
class FakeRun final {
 public:
  FakeRun(FakeClock& clock, std::vector<TaskPlan> tasks) : clock_(clock), tasks_(std::move(tasks)), story_(clock) {}

  RunFacts facts() const {
    return {.run_id = "numbers-1",
            .pipeline = "numbers",
            .root = "/data/root",
            .max_parallel = 2,
            .tasks = tasks_.size(),
            .task =
                [this](TaskId id) {
                  const TaskPlan& task = tasks_[plan::index(id)];
                  return TaskInfo{.name = task.name,
                                  .attempts = task.attempts,
                                  .file = "pipeline.yaml",
                                  .line = static_cast<std::uint32_t>(10 + plan::index(id)),
                                  .column = 3};
                },
            .state = [](TaskId) { return TaskState::waiting; }};
  }

  void start(Scribe& scribe) {
    scribe_ = &scribe;
    story_.start(facts());
    scribe.started(story_);
  }
  void change(Transition transition) {
    transition.from = story_.state(transition.task);
    transition.at = clock_.wall();
    story_.apply(transition);
    scribe_->changed(story_, transition);
  }
  void to(std::string_view name, TaskState state, int attempt = 0, std::string reason = {}) {
    change({.task = id(name),
            .attempt = attempt,
            .from = {},
            .to = state,
            .at = {},
            .reason = std::move(reason),
            .result = nullptr,
            .inputs = nullptr,
            .retry_in = {}});
  }
  void run_to(std::string_view name, TaskState state, int attempt, const AttemptResult& result,
              std::optional<milliseconds> retry_in = {}) {
    change({.task = id(name),
            .attempt = attempt,
            .from = {},
            .to = state,
            .at = {},
            .reason = {},
            .result = &result,
            .inputs = nullptr,
            .retry_in = retry_in});
  }
  // starting and running, at once.
  void begin(std::string_view name, int attempt = 1) {
    to(name, TaskState::ready);
    to(name, TaskState::starting, attempt);
    to(name, TaskState::running, attempt);
  }
  void progress(std::string subject, std::string text) {
    scribe_->progressed(story_, {.subject = std::move(subject), .text = std::move(text)});
  }
  void notice(std::string_view text) { scribe_->noticed(story_, text); }
  void finish(engine::RunState state, int signal = 0, const std::string& by = "") {
    story_.finish(state, signal, by);
    scribe_->finished(story_);
  }
  TaskId id(std::string_view name) const {
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      if (tasks_[i].name == name) return static_cast<TaskId>(i);
    }
    std::abort();
  }
  Story& story() { return story_; }

 private:
  FakeClock& clock_;
  std::vector<TaskPlan> tasks_;
  Story story_;
  Scribe* scribe_ = nullptr;
};

inline AttemptResult exit_code(int code) {
  return {
      .end = AttemptEnd::user_exit, .exit_code = code, .message = {}, .hint = {}, .outputs = {}, .oom_killed = false};
}
inline AttemptResult success() { return {}; }
inline AttemptResult success_with_metrics(Value::Struct numbers, std::string name = "metrics") {
  AttemptResult result;
  engine::Artifact artifact;
  artifact.name = name;
  artifact.type = "system.Metrics";
  artifact.uri = "/data/root/runs/numbers-1/evaluate/metrics/data";
  artifact.digest = "sha256:00";
  artifact.bytes = 12;
  artifact.metadata = Value(std::move(numbers));
  result.outputs.artifacts.emplace(std::move(name), std::move(artifact));
  return result;
}

// Clock, sink and output of one test.
struct Stage {
  FakeClock clock;
  std::shared_ptr<StringSink::State> sink = std::make_shared<StringSink::State>();
  Output output{std::make_unique<StringSink>(sink)};
  std::filesystem::path logs;

  ReportOptions options() {
    return {.output = output,
            .clock = clock,
            .log_path =
                [this](engine::AttemptId id) {
                  return logs.empty()
                             ? std::filesystem::path()
                             : logs / (std::to_string(plan::index(id.task)) + "-" + std::to_string(id.number) + ".log");
                },
            .verbosity = Verbosity::normal,
            .failure_blocks = FailureBlocks::yes,
            .command_suffix = {}};
  }
  std::string take() { return std::exchange(sink->text, {}); }
};

}  // namespace mlpipe::report::test
