#include "report/scribe.hpp"

#include "mlpipe/engine/run.hpp"

namespace mlpipe::report {
namespace {

RunFacts facts_of(const engine::Run& run) {
  const plan::Plan& plan = run.plan();
  return {.run_id = run.options().run_id,
          .pipeline = plan.spec().name,
          .root = run.options().run_root,
          .max_parallel = run.options().limits.max_parallel,
          .resumed = run.resumed(),
          .tasks = plan.size(),
          .task =
              [&plan](TaskId id) {
                const spec::TaskSpec& task = *plan.task(id).spec;
                TaskInfo info{.name = task.name,
                              .attempts = task.settings->retry.limit + 1,
                              .file = {},
                              .line = task.where.line,
                              .column = task.where.column};
                if (task.where.file < plan.spec().sources.size()) info.file = plan.spec().sources[task.where.file].name;
                return info;
              },
          .state = [&run](TaskId id) { return run.state(id); },
          .lost = [&run](TaskId id) { return run.lost_attempts(id); }};
}

class ScribeReporter final : public engine::Reporter {
 public:
  ScribeReporter(std::unique_ptr<Scribe> scribe, const Clock& clock) : scribe_(std::move(scribe)), story_(clock) {}
  ~ScribeReporter() override {
    if (story_.started() && !finished_) scribe_->abandoned(story_);
  }
  ScribeReporter(const ScribeReporter&) = delete;
  ScribeReporter& operator=(const ScribeReporter&) = delete;

  void run_started(const engine::Run& run) override {
    story_.start(facts_of(run));
    scribe_->started(story_);
  }
  void transition(const engine::Run&, const engine::Transition& transition) override {
    story_.apply(transition);
    scribe_->changed(story_, transition);
  }
  void progress(const engine::Run&, const engine::Progress& progress) override {
    scribe_->progressed(story_, progress);
  }
  void notice(const engine::Run&, std::string_view text) override { scribe_->noticed(story_, text); }
  std::optional<MonotonicTime> next_refresh() const override { return scribe_->next_refresh(story_); }
  void refresh(const engine::Run&, MonotonicTime now) override { scribe_->refresh(story_, now); }
  void run_finished(const engine::Run& run) override {
    finished_ = true;
    story_.finish(run.state(), run.interrupt_signal(), run.interrupted_by(), run.duration());
    scribe_->finished(story_);
  }

 private:
  std::unique_ptr<Scribe> scribe_;
  Story story_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<engine::Reporter> report_by(std::unique_ptr<Scribe> scribe, const Clock& clock) {
  return std::make_unique<ScribeReporter>(std::move(scribe), clock);
}

}  // namespace mlpipe::report
