#include <algorithm>

#include "mlpipe/engine/run.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::chrono::seconds k_kill_again{10};

class Loop final {
 public:
  Loop(Run& run, TaskRunner& runner, Record& record, Reporter& reporter, const Clock& clock, const Failpoint& failpoint)
      : run_(run), runner_(runner), record_(record), reporter_(reporter), clock_(clock), failpoint_(failpoint) {}

  Result<RunState> run_to_end() {
    reporter_.run_started(run_);
    std::vector<Event> events;  // the transitions of a turn point into its events
    while (true) {
      run_.advance(clock_.now(), clock_.wall());
      if (Result<> done = carry_out_turn(); !done) return Failure(std::move(done).error());
      if (run_.finished()) break;
      events = runner_.wait(wake_up_time());
      const MonotonicTime now = clock_.now();
      const WallTime wall = clock_.wall();
      for (const Event& event : events) take_in(event, now, wall);
      refresh_if_due(now);
    }
    if (Result<> done = finish(); !done) return Failure(std::move(done).error());
    reporter_.run_finished(run_);
    return run_.state();
  }

 private:
  // Record, then effects, then reports: what the world sees is never ahead of the record.
  Result<> carry_out_turn() {
    const std::span<const Transition> transitions = run_.transitions();
    Result<> recorded = make_durable(transitions);
    if (recorded) recorded = commit(transitions);
    std::vector<Run::Effect> effects = run_.take_effects();
    if (!recorded) {
      give_up(effects, recorded.error());
      return recorded;
    }
    for (Run::Effect& effect : effects) {
      if (Result<> done = carry_out(std::move(effect)); !done) recorded = std::move(done);
    }
    if (!recorded) return give_up({}, recorded.error()), recorded;
    if (Result<> passed = pass("after_effects", transitions); !passed) return give_up({}, passed.error()), passed;
    for (const Transition& transition : transitions) reporter_.transition(run_, transition);
    return {};
  }

  // Results that the cache put into the tree are there before the record says so.
  Result<> make_durable(std::span<const Transition> transitions) {
    if (run_.cache() == nullptr || std::ranges::none_of(transitions, &Transition::cached)) return {};
    return run_.cache()->make_durable();
  }

  Result<> commit(std::span<const Transition> transitions) {
    if (transitions.empty()) return {};
    if (Result<> passed = pass("before_record", transitions); !passed) return passed;
    if (Result<> done = record_.commit(transitions); !done) return within("recording the run", std::move(done).error());
    return pass("after_record", transitions);
  }

  Result<> carry_out(Run::Effect effect) {
    if (auto* start = std::get_if<Run::Start>(&effect)) {
      runner_.start(std::move(start->request));
    } else if (const auto* stop = std::get_if<Run::Stop>(&effect)) {
      runner_.stop(stop->id, stop->reason, stop->mode);
    } else if (const auto* release = std::get_if<Run::Release>(&effect)) {
      run_.cache()->release(release->task);
    } else {
      return discard(std::get<Run::Discard>(effect).task);
    }
    return {};
  }

  Result<> discard(TaskId task) {
    if (run_.cache() == nullptr) return {};
    if (Result<> recorded = record_.discard(task); !recorded) {
      return within("recording the run", std::move(recorded).error());
    }
    run_.cache()->discard(task, *run_.outputs(task));
    return {};
  }

  void take_in(const Event& event, MonotonicTime now, WallTime wall) {
    if (const auto* progress = std::get_if<Progress>(&event)) return reporter_.progress(run_, *progress);
    run_.apply(event, now, wall);
    if (const auto* interrupted = std::get_if<Interrupted>(&event)) {
      // Who pressed Ctrl-C knows it.
      const std::string by = interrupted->canceller == 0 ? "" : fmt::format("cancelled by {}: ", run_.interrupted_by());
      reporter_.notice(
          run_, by + (++interrupts_ == 1 ? "stopping what runs; interrupt again to kill it" : "killing what runs"));
    }
  }

  std::optional<MonotonicTime> wake_up_time() const {
    const std::optional<MonotonicTime> deadline = run_.next_deadline();
    const std::optional<MonotonicTime> refresh = reporter_.next_refresh();
    if (deadline && refresh) return std::min(*deadline, *refresh);
    return deadline ? deadline : refresh;
  }

  void refresh_if_due(MonotonicTime now) {
    if (const std::optional<MonotonicTime> due = reporter_.next_refresh(); due && *due <= now)
      reporter_.refresh(run_, now);
  }

  // Without a record the run cannot go on: kills what the runner has under way and waits for it. `not_done` are this
  // turn's effects; what they would have started was never handed over.
  void give_up(const std::vector<Run::Effect>& not_done, const Error& error) {
    reporter_.notice(run_, fmt::format("{}; killing what runs", error.message));
    std::vector<AttemptId> under_way;
    for (TaskId task : run_.active()) under_way.push_back({task, run_.attempt(task)});
    for (const Run::Effect& effect : not_done) {
      if (const auto* start = std::get_if<Run::Start>(&effect)) std::erase(under_way, start->request.id);
    }
    while (!under_way.empty()) {
      for (AttemptId id : under_way) runner_.stop(id, StopReason::cancelled, StopMode::kill);
      for (const Event& event : runner_.wait(clock_.now() + k_kill_again)) {
        if (const auto* finished = std::get_if<AttemptFinished>(&event)) std::erase(under_way, finished->id);
      }
    }
  }

  Result<> finish() {
    if (Result<> passed = failpoint_.pass("before_finish"); !passed) return passed;
    const WallTime at = clock_.wall();
    run_.set_end(at);
    if (Result<> done = record_.finish(run_.state(), at); !done) {
      return within("recording the end of the run", std::move(done).error());
    }
    return failpoint_.pass("after_finish");
  }

  Result<> pass(std::string_view place, std::span<const Transition> transitions) const {
    if (!failpoint_.armed()) return {};
    if (Result<> passed = failpoint_.pass(place); !passed) return passed;
    for (const Transition& transition : transitions) {
      if (Result<> passed = failpoint_.pass(fmt::format("{}.{}", place, to_string(transition.to))); !passed)
        return passed;
    }
    return {};
  }

  Run& run_;
  TaskRunner& runner_;
  Record& record_;
  Reporter& reporter_;
  const Clock& clock_;
  const Failpoint& failpoint_;
  int interrupts_ = 0;
};

}  // namespace

Result<RunState> run_to_end(Run& run, TaskRunner& runner, Record& record, Reporter& reporter, const Clock& clock,
                            const Failpoint& failpoint) {
  return Loop(run, runner, record, reporter, clock, failpoint).run_to_end();
}

}  // namespace mlpipe::engine
