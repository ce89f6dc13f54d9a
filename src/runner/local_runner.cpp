#include "mlpipe/runner/local_runner.hpp"

#include <algorithm>
#include <map>
#include <system_error>
#include <thread>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/engine/naming.hpp"
#include "runner/attempt.hpp"
#include "runner/event_queue.hpp"
#include "runner/janitor.hpp"

namespace mlpipe::runner {
namespace {

using engine::AttemptId;

bool wants_sandbox(const spec::ComponentSpec& component, const spec::TaskSettings& settings) {
  return component.container() != nullptr && settings.network == spec::NetworkMode::bridge;
}

class ThreadedRunner final : public LocalRunner {
 public:
  ThreadedRunner(const plan::Plan& plan, const RunContext& run, ContainerEngine& engine, artifact::ArtifactStore& store,
                 std::vector<std::string> gpus)
      : plan_(plan),
        run_(run),
        gate_(run.concurrent_starts),
        janitor_(engine),
        free_gpus_(std::move(gpus)),
        tools_{.run = run, .engine = engine, .store = store, .start_gate = gate_, .sandboxes = nullptr} {
    for (std::size_t i = 0; i < plan.size(); ++i) {
      auto id = static_cast<plan::TaskId>(i);
      if (plan.selected(id) && wants_sandbox(plan.component(id), *plan.task(id).spec->settings)) ++sandbox_tasks_;
    }
    for (const auto& [container, held] : run.gpus_held) {
      std::erase_if(free_gpus_, [&held](const std::string& gpu) { return std::ranges::find(held, gpu) != held.end(); });
    }
    // For a task or two a sandbox is not ready in time to be of use.
    if (engine.info().mounts && sandbox_tasks_ > 2) {
      sandboxes_ = std::make_unique<SandboxPool>(engine, run);
      tools_.sandboxes = sandboxes_.get();
    }
  }

  ~ThreadedRunner() override {
    for (auto& [id, attempt] : attempts_) attempt->stop.signal.request(sys::StopSignal::Level::kill);
    attempts_.clear();  // joins
    for (const std::string& container : to_remove_) janitor_.remove(container);
    janitor_.drain();  // before the sandboxes that they joined
  }

  void start(engine::AttemptRequest request) override;
  void stop(AttemptId id, engine::StopReason reason, engine::StopMode mode) override;
  std::vector<engine::Event> wait(std::optional<MonotonicTime> deadline) override;
  void post(engine::Event event) override { events_.push(std::move(event)); }
  void clean_up() override;

 private:
  // One attempt under way. Its thread touches `stop`, `container` and the queue, nothing else; `container` is read
  // only after its AttemptFinished was taken from the queue.
  struct Attempt {
    AttemptJob job;
    AttemptStop stop;
    std::string container;
    std::jthread thread;
  };

  void attend(const engine::Event& event);
  void fail_to_start(AttemptId id, std::string message);

  const plan::Plan& plan_;
  const RunContext& run_;
  EventQueue events_;
  StartGate gate_;
  Janitor janitor_;
  std::vector<std::string> free_gpus_;
  std::size_t sandbox_tasks_ = 0;
  std::unique_ptr<SandboxPool> sandboxes_;
  AttemptTools tools_;
  std::map<AttemptId, std::unique_ptr<Attempt>> attempts_;
  // Containers of attempts whose end was handed to the engine, but may not be recorded yet.
  std::vector<std::string> to_remove_;
};

void ThreadedRunner::start(engine::AttemptRequest request) {
  const AttemptId id = request.id;
  const plan::PlannedTask& task = plan_.task(id.task);
  auto attempt = std::make_unique<Attempt>();
  attempt->job.request = std::move(request);
  attempt->job.task_path = std::string(task.path());
  attempt->job.container_name = engine::container_name(run_.root.string(), run_.run_id, task.path(), id.number);
  attempt->job.component = &plan_.component(id.task);
  attempt->job.settings = task.spec->settings.get();
  auto gpus = static_cast<std::size_t>(attempt->job.settings->resources.gpu);
  MLPIPE_ASSERT(gpus <= free_gpus_.size());  // the scheduler counts them
  auto held = run_.gpus_held.find(attempt->job.container_name);
  if (attempt->job.request.take_up && held != run_.gpus_held.end()) attempt->job.gpus = held->second;
  while (attempt->job.gpus.size() < gpus) {
    attempt->job.gpus.push_back(std::move(free_gpus_.back()));
    free_gpus_.pop_back();
  }
  Attempt* running = attempt.get();
  attempts_.emplace(id, std::move(attempt));  // before its thread is there, which would be waited for if this failed
  try {
    running->thread = std::jthread([this, running, id] {
      AttemptReport report =
          run_attempt(running->job, tools_, running->stop, [this, id](std::chrono::milliseconds already) {
            events_.push(engine::AttemptRunning{id, already});
          });
      running->container = std::move(report.container_id);
      events_.push(engine::AttemptFinished{id, std::move(report.result)});
    });
  } catch (const std::system_error& error) {
    fail_to_start(id, fmt::format("no thread can be started for it: {}", error.code().message()));
  }
  // Not before the first start: when all results are cached nothing starts, and a sandbox takes longer than the run.
  if (sandboxes_ && wants_sandbox(*running->job.component, *running->job.settings)) {
    // One more than run now: the next task should find one ready.
    sandboxes_->want(std::min(attempts_.size() + 1, sandbox_tasks_));
  }
}

void ThreadedRunner::fail_to_start(AttemptId id, std::string message) {
  engine::AttemptResult result{.end = engine::AttemptEnd::infrastructure,
                               .message = std::move(message),
                               .hint = "raise the limit on processes (ulimit -u), or lower --jobs"};
  events_.push(engine::AttemptFinished{id, std::move(result)});
}

void ThreadedRunner::stop(AttemptId id, engine::StopReason reason, engine::StopMode mode) {
  auto found = attempts_.find(id);
  if (found == attempts_.end()) return;
  AttemptStop& stop = found->second->stop;
  if (!stop.signal.requested()) stop.reason = reason;
  stop.signal.request(mode == engine::StopMode::kill ? sys::StopSignal::Level::kill : sys::StopSignal::Level::graceful);
}

std::vector<engine::Event> ThreadedRunner::wait(std::optional<MonotonicTime> deadline) {
  // The engine waits only after it recorded all it was given: these containers' results are durable now.
  for (std::string& container : to_remove_) janitor_.remove(std::move(container));
  to_remove_.clear();
  std::vector<engine::Event> events = events_.wait(deadline);
  for (const engine::Event& event : events) attend(event);
  return events;
}

void ThreadedRunner::clean_up() {
  MLPIPE_ASSERT(attempts_.empty());
  for (std::string& container : to_remove_) janitor_.remove(std::move(container));
  to_remove_.clear();
  // Podman removes no sandbox while a container that joined it is there.
  janitor_.drain();
  tools_.sandboxes = nullptr;
  sandboxes_.reset();
}

void ThreadedRunner::attend(const engine::Event& event) {
  const auto* finished = std::get_if<engine::AttemptFinished>(&event);
  if (finished == nullptr) return;
  auto found = attempts_.find(finished->id);
  MLPIPE_ASSERT(found != attempts_.end());
  Attempt& attempt = *found->second;
  if (attempt.thread.joinable()) attempt.thread.join();
  if (!attempt.container.empty()) to_remove_.push_back(std::move(attempt.container));
  for (std::string& gpu : attempt.job.gpus) free_gpus_.push_back(std::move(gpu));
  attempts_.erase(found);
}

}  // namespace

std::unique_ptr<LocalRunner> make_local_runner(const plan::Plan& plan, const RunContext& run, ContainerEngine& engine,
                                               artifact::ArtifactStore& store, std::vector<std::string> gpus) {
  return std::make_unique<ThreadedRunner>(plan, run, engine, store, std::move(gpus));
}

}  // namespace mlpipe::runner
