#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "mlpipe/metadata/record.hpp"
#include "mlpipe/plan/plan.hpp"

// Pipelines and recorded histories for tests that need a record, made through the same calls a run makes.
namespace mlpipe::test {

inline WallTime at_millisecond(std::int64_t count) {
  constexpr std::int64_t k_begin = 1'770'000'000'000;  // 2026-02-02T02:40:00Z
  return WallTime(std::chrono::milliseconds(k_begin + count));
}

// A pipeline of container tasks with these names, no edges, and one parameter with a default.
inline std::unique_ptr<spec::PipelineSpec> make_spec(const std::string& name, const std::vector<std::string>& tasks) {
  auto spec = std::make_unique<spec::PipelineSpec>();
  spec->name = name;
  spec->labels = {{"team", "prices"}};
  spec->sources = {{"pipeline.yaml", ""}};
  spec->components.resize(2);
  spec::DagSpec dag;
  auto settings = std::make_shared<const spec::TaskSettings>();
  for (const std::string& task : tasks) {
    spec::TaskSpec& added = dag.tasks.emplace_back();
    added.name = task;
    added.component = spec::ComponentId{1};
    added.settings = settings;
  }
  spec->components[0].name = name;
  spec::ParameterSpec rate;
  rate.name = "rate";
  rate.type = spec::ParameterType::floating;
  rate.default_value = Value(0.5);
  spec->components[0].interface.input_parameters.push_back(std::move(rate));
  spec->components[0].implementation = std::move(dag);
  spec::ContainerSpec container;
  container.image = spec::Template::literal("debian:12");
  spec->components[1].name = "worker";
  spec->components[1].implementation = std::move(container);
  return spec;
}

inline std::vector<std::string> numbered_tasks(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t number = 0; number < count; ++number) names.push_back("task_" + std::to_string(number));
  return names;
}

inline metadata::RunStart start_of(const std::string& id) {
  metadata::RunStart start;
  start.id = id;
  start.root = "/data/root";
  start.spec_digest = "sha256:5bec";
  start.spec_file = "/work/pipeline.yaml";
  start.command_line = "mlpipe run pipeline.yaml";
  start.mlpipe_version = "0.1.0";
  start.engine = "Docker 20.10.24";
  start.host = "builder";
  start.git_commit = "0123abcd";
  start.git_dirty = true;
  start.created = at_millisecond(0);
  return start;
}

inline engine::Artifact make_artifact(const std::string& name, const std::string& type, const std::string& uri) {
  engine::Artifact artifact;
  artifact.name = name;
  artifact.type = type;
  artifact.uri = uri;
  artifact.digest = "sha256:" + std::string(64, 'a');
  artifact.bytes = 1'500'000;
  return artifact;
}

// Writes the history of one run, transition by transition, each call one commit.
class RunWriter final {
 public:
  RunWriter(metadata::RunRecord& record, const std::string& id, const std::vector<std::string>& tasks,
            const std::string& pipeline = "prices")
      : record_(record), spec_(make_spec(pipeline, tasks)), plan_(plan::make_plan(*spec_, {}).value()) {
    states_.resize(plan_.size(), engine::TaskState::waiting);
    EXPECT_TRUE(begin_at(id, now_));
  }
  RunWriter(metadata::RunRecord& record, const metadata::RunStart& start, std::unique_ptr<spec::PipelineSpec> spec)
      : record_(record), spec_(std::move(spec)), plan_(plan::make_plan(*spec_, {}).value()) {
    states_.resize(plan_.size(), engine::TaskState::waiting);
    Result<> begun = record_.begin(start, plan_);
    EXPECT_TRUE(begun) << begun.error().message;
  }

  const plan::Plan& plan() const { return plan_; }
  void set_time(std::int64_t milliseconds) { now_ = milliseconds; }

  // The change of one task; nothing written yet.
  engine::Transition change(const std::string& task, engine::TaskState to, int attempt = 0) {
    engine::Transition transition;
    transition.task = plan_.find(task).value();
    transition.attempt = attempt;
    transition.from = states_[plan::index(transition.task)];
    transition.to = to;
    transition.at = at_millisecond(now_);
    return transition;
  }
  Result<> commit(const engine::Transition& transition) { return commit_all({transition}); }
  Result<> commit_all(const std::vector<engine::Transition>& transitions) {
    Result<> done = record_.commit(transitions);
    if (!done) return done;
    for (const engine::Transition& transition : transitions) states_[plan::index(transition.task)] = transition.to;
    return done;
  }

  void start(const std::string& task, int attempt = 1, const engine::TaskData& inputs = {}) {
    engine::Transition starting = change(task, engine::TaskState::starting, attempt);
    starting.inputs = &inputs;
    expect(commit(starting));
    now_ += 250;
    expect(commit(change(task, engine::TaskState::running, attempt)));
  }
  void end(const std::string& task, const engine::AttemptResult& result, engine::TaskState to, int attempt = 1,
           std::int64_t after = 1000) {
    now_ += after;
    engine::Transition ended = change(task, to, attempt);
    ended.result = &result;
    if (result.end != engine::AttemptEnd::succeeded) ended.reason = result.message;
    if (to == engine::TaskState::retry_wait) ended.retry_in = std::chrono::milliseconds(5000);
    expect(commit(ended));
  }
  void succeed(const std::string& task, engine::TaskData outputs = {}) {
    start(task);
    engine::AttemptResult result;
    result.outputs = std::move(outputs);
    end(task, result, engine::TaskState::succeeded);
  }
  void skip(const std::string& task, const std::string& reason) {
    engine::Transition skipped = change(task, engine::TaskState::skipped);
    skipped.reason = reason;
    expect(commit(skipped));
  }
  void finish(engine::RunState state) { expect(record_.finish(state, at_millisecond(now_))); }

 private:
  static void expect(const Result<>& result) { EXPECT_TRUE(result) << result.error().message; }
  bool begin_at(const std::string& id, std::int64_t time) {
    metadata::RunStart start = start_of(id);
    start.created = at_millisecond(time);
    return record_.begin(start, plan_).has_value();
  }

  metadata::RunRecord& record_;
  std::unique_ptr<spec::PipelineSpec> spec_;
  plan::Plan plan_;
  std::vector<engine::TaskState> states_;
  std::int64_t now_ = 0;
};

}  // namespace mlpipe::test
