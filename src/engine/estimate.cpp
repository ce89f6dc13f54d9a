#include "mlpipe/engine/estimate.hpp"

#include <algorithm>
#include <queue>
#include <utility>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/engine/run.hpp"

namespace mlpipe::engine {
namespace {

using std::chrono::milliseconds;

// The tasks of `plan` with their settings and edges, but without data, conditions and triggers: each of them succeeds, and
// nothing has to have a value.
spec::PipelineSpec bare_spec(const plan::Plan& plan) {
  spec::PipelineSpec bare;
  bare.pools = plan.spec().pools;
  bare.components.resize(2);
  spec::DagSpec dag;
  dag.tasks.reserve(plan.size());
  for (std::uint32_t number = 0; number < plan.size(); ++number) {
    const plan::PlannedTask& task = plan.task(TaskId{number});
    spec::TaskSpec& added = dag.tasks.emplace_back();
    added.name = task.spec->name;
    added.component = spec::ComponentId{1};
    added.settings = task.spec->settings;
    for (TaskId need : plan.needs(TaskId{number})) added.after.emplace_back(plan.task(need).path());
  }
  bare.components[0].implementation = std::move(dag);
  return bare;
}

// Has the result of every task that makes no attempt.
class NothingToDo final : public ResultCache {
 public:
  explicit NothingToDo(const ExpectedTimes& times) : times_(times) {}
  CacheAnswer look_up(TaskId task, const TaskData& /*inputs*/) override {
    return {.kind = times_[plan::index(task)] ? CacheAnswer::Kind::miss : CacheAnswer::Kind::hit};
  }
  CacheAnswer claim(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  CacheAnswer foresee(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  void release(TaskId /*task*/) override {}
  Result<> make_durable() override { return {}; }
  void discard(TaskId /*task*/, const TaskData& /*outputs*/) override {}

 private:
  const ExpectedTimes& times_;
};

struct End {
  MonotonicTime at;
  AttemptId attempt;
  // The first to end is on top of a priority_queue.
  bool operator<(const End& other) const { return std::tie(at, attempt) > std::tie(other.at, other.attempt); }
};

// A path, by what ends it.
struct Path {
  milliseconds takes{0};
  std::uint32_t attempts = 0;
  std::optional<TaskId> before;
  bool operator<(const Path& other) const { return std::tie(takes, attempts) < std::tie(other.takes, other.attempts); }
};

}  // namespace

milliseconds estimate(const plan::Plan& plan, const Limits& limits, const ExpectedTimes& times) {
  const spec::PipelineSpec bare = bare_spec(plan);
  const Result<plan::Plan> same = plan::make_plan(bare, {});
  MLPIPE_ASSERT(same);  // it has the edges of one
  NothingToDo cache(times);
  Run run(*same, {.run_id = {}, .limits = limits, .run_root = {}}, &cache);

  MonotonicTime now{};
  std::priority_queue<End> ends;
  std::vector<Event> events;  // transitions point into them until they are taken
  while (true) {
    run.advance(now, WallTime{});
    for (const Run::Effect& effect : run.take_effects()) {
      if (const auto* start = std::get_if<Run::Start>(&effect)) {
        ends.push({now + *times[plan::index(start->request.id.task)], start->request.id});
      }
    }
    if (run.finished()) return std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
    now = ends.top().at;
    events.clear();
    while (!ends.empty() && ends.top().at == now) {
      events.emplace_back(AttemptFinished{ends.top().attempt, {}});
      ends.pop();
    }
    for (const Event& event : events) run.apply(event, now, WallTime{});
  }
}

std::vector<TaskId> critical_path(const plan::Plan& plan, const ExpectedTimes& times) {
  std::vector<Path> paths(plan.size());
  std::optional<TaskId> last;
  for (TaskId task : plan.order()) {
    Path& path = paths[plan::index(task)];
    for (TaskId need : plan.needs(task)) {
      const Path& other = paths[plan::index(need)];
      if (!path.before || path < other) path = {.takes = other.takes, .attempts = other.attempts, .before = need};
    }
    if (const auto& takes = times[plan::index(task)]) {
      path.takes += *takes;
      ++path.attempts;
    }
    if (!last || paths[plan::index(*last)] < path) last = task;
  }
  std::vector<TaskId> tasks;
  for (std::optional<TaskId> task = last; task; task = paths[plan::index(*task)].before) {
    if (times[plan::index(*task)]) tasks.push_back(*task);
  }
  std::ranges::reverse(tasks);
  return tasks;
}

}  // namespace mlpipe::engine
