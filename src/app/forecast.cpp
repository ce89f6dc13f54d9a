#include "app/forecast.hpp"

#include <algorithm>

#include "app/debug_log.hpp"
#include "app/engine_choice.hpp"
#include "app/recorded_run.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/file_digests.hpp"
#include "mlpipe/plan/fingerprint.hpp"
#include "mlpipe/runner/foreseer.hpp"

namespace mlpipe::app {
namespace {

using engine::Foresight;
using engine::Outlook;
using metadata::NewestResult;
using std::chrono::milliseconds;

// Of how many attempts the usual duration is the median.
constexpr std::size_t k_attempts_of_interest = 5;

class NoResults final : public metadata::ResultSearch {
 public:
  Result<std::vector<metadata::StoredResult>> results(const std::string& /*fingerprint*/,
                                                      std::size_t /*limit*/) override {
    return std::vector<metadata::StoredResult>();
  }
  void look_afresh() override {}
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

class Forecaster final {
 public:
  explicit Forecaster(const RunInMind& run)
      : run_(run), plan_(run.prepared.plan), policy_(cache_policy(run.command, plan_, run.given)) {}

  Result<Forecast> look() {
    Result<std::unique_ptr<DebugLog>> debug_log = open_debug_log(run_.command.debug_log, run_.command.command_line);
    if (!debug_log) return Failure(std::move(debug_log).error());
    debug_log_ = std::move(*debug_log);
    if (Result<> opened = open_record(); !opened) return Failure(std::move(opened).error());
    foresee();
    if (run_.stop.requested()) return fail(ErrorCode::cancelled, "interrupted while looking at what a run would do");
    if (Result<> compared = compare_with_newest(); !compared) return Failure(std::move(compared).error());
    if (Result<> expected = expect_durations(); !expected) return Failure(std::move(expected).error());
    estimate();
    return std::move(forecast_);
  }

 private:
  Result<> open_record() {
    Result<std::unique_ptr<metadata::Queries>> record = open_record_of(run_.prepared.root.path(), Trace::none);
    if (record) {
      record_ = std::move(*record);
      return {};
    }
    if (record.error().code == ErrorCode::not_found) {
      turn_cache_off("no run was started on this root yet");
      return {};
    }
    if (record.error().code != ErrorCode::unavailable) return Failure(std::move(record).error());
    turn_cache_off("the record cannot be read now");
    forecast_.notes.push_back(record.error().message + "; " + record.error().hint);
    return {};
  }

  void turn_cache_off(std::string because) {
    if (policy_.off_because.empty()) policy_.off_because = std::move(because);
  }
  bool cache_counts() const { return policy_.off_because.empty() || !policy_.parent.empty(); }

  // Without a cache to look into nobody needs to know the images.
  runner::FoundImages find_images() {
    if (!cache_counts()) return {};
    Result<std::unique_ptr<runner::ContainerEngine>> engine = connect_engine(run_.command.engine, debug_log_.get());
    if (!engine) {
      forecast_.notes.push_back("no container engine answers, so nothing is known of the cache: " +
                                first_line(engine.error().message));
    }
    runner::FoundImages found = runner::find_images(plan_, engine ? engine->get() : nullptr);
    for (const auto& [key, image] : run_.images) {
      if (engine && !(*engine)->inspect_image(image.id)) continue;  // gone: it is prepared anew
      found.absent.erase(key);
      found.pulled_anew.erase(key);
      found.by_key.insert_or_assign(key, image);
    }
    return found;
  }

  void foresee() {
    const artifact::Root& root = run_.prepared.root;
    const std::unique_ptr<sys::FileDigests> digests = metadata::read_file_digests(root.digests());
    const std::filesystem::path folder = root.run(run_.run_id);
    const std::unique_ptr<artifact::ArtifactStore> store = artifact::make_local_store(folder, digests.get());
    const runner::FoundImages images = find_images();
    const runner::RunContext context{.run_id = run_.run_id,
                                     .root = root.path(),
                                     .run_folder = folder,
                                     .digests = digests.get(),
                                     .debug_log = debug_log_.get(),
                                     .images = images.by_key};
    NoResults none;
    metadata::ResultSearch& results = record_ ? static_cast<metadata::ResultSearch&>(*record_) : none;
    const std::unique_ptr<runner::RunCache> cache =
        runner::make_run_cache(plan_, context, results, *store, run_.clock, policy_);
    const runner::Imports imports = cache_counts() ? runner::Imports::read : runner::Imports::only_named;
    const std::unique_ptr<engine::Foreseer> foreseer =
        runner::make_foreseer(plan_, *cache, *store, images, imports, run_.stop);
    std::vector<Foresight> all = engine::foresee(
        plan_,
        {.run_id = run_.run_id,
         .limits = run_.prepared.limits,
         .on_failure = run_.command.keep_going ? engine::FailurePolicy::keep_going : engine::FailurePolicy::fail_fast,
         .run_root = root.path().string()},
        *foreseer, run_.recovered);
    forecast_.tasks.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) forecast_.tasks[i].foresight = std::move(all[i]);
    if (run_.command.engine != EngineChoice::process) return;
    for (TaskForecast& task : forecast_.tasks) {
      if (task.foresight.outlook == Outlook::go_on) task.foresight.reason += "; without a container it is tried again";
    }
  }

  Result<> compare_with_newest() {
    Result<std::map<std::string, NewestResult>> newest = std::map<std::string, NewestResult>();
    if (record_) newest = record_->newest_results(plan_.spec().name);
    if (!newest) return Failure(std::move(newest).error());
    for (plan::TaskId task : plan_.order()) {
      TaskForecast& known = forecast_.tasks[plan::index(task)];
      const auto found = newest->find(std::string(plan_.task(task).path()));
      if (known.foresight.outlook == Outlook::import && known.foresight.reason.empty()) {
        compare_import(found == newest->end() ? nullptr : &found->second, known);
      } else if (found != newest->end()) {
        if (Result<> compared = compare_fingerprints(found->second, known); !compared) return compared;
      }
    }
    return {};
  }

  static void compare_import(const NewestResult* newest, TaskForecast& known) {
    known.foresight.reason = "looked at in every run";
    const auto found = known.foresight.outputs.artifacts.find("artifact");
    if (found == known.foresight.outputs.artifacts.end() || found->second.digest.empty()) return;
    if (newest == nullptr || newest->import_digest.empty()) {
      known.foresight.reason += "; no run has seen it yet";
      return;
    }
    const bool is_same = newest->import_digest == found->second.digest;
    known.compared_with = newest->run;
    if (!is_same) known.changes.emplace_back("content changed");
    known.foresight.reason += fmt::format("; {} since run {}", is_same ? "unchanged" : "changed", newest->run);
  }

  Result<> compare_fingerprints(const NewestResult& newest, TaskForecast& known) {
    Foresight& task = known.foresight;
    if (task.outlook != Outlook::run || task.answer.why != runner::k_no_result_yet || newest.fingerprint.empty())
      return {};
    Result<std::optional<std::string>> before = record_->fingerprint_text(newest.fingerprint);
    if (!before) return Failure(std::move(before).error());
    if (!*before) return {};
    known.compared_with = newest.run;
    for (const plan::FingerprintChange& change : plan::compare_fingerprints(**before, task.answer.fingerprint_text)) {
      known.changes.push_back(plan::to_string(change));
    }
    if (known.changes.empty()) return {};
    task.reason = known.changes.front();
    if (known.changes.size() > 1) task.reason += fmt::format(", and {} more", known.changes.size() - 1);
    return {};
  }

  Result<> expect_durations() {
    if (!record_) return {};
    Result<std::map<std::string, milliseconds>> usual =
        record_->usual_durations(plan_.spec().name, k_attempts_of_interest);
    if (!usual) return Failure(std::move(usual).error());
    for (plan::TaskId task : plan_.order()) {
      TaskForecast& known = forecast_.tasks[plan::index(task)];
      const auto found = usual->find(std::string(plan_.task(task).path()));
      if (found != usual->end() && engine::may_run(known.foresight.outlook)) known.takes = found->second;
    }
    for (const engine::Recovered& recovered : run_.recovered) {
      std::optional<milliseconds>& takes = forecast_.tasks[plan::index(recovered.task)].takes;
      if (!takes || !recovered.take_up.running_since) continue;
      takes = std::max(milliseconds(0), *takes - (run_.clock.wall() - *recovered.take_up.running_since));
    }
    return {};
  }

  void estimate() {
    engine::ExpectedTimes most(plan_.size());
    engine::ExpectedTimes least(plan_.size());
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const TaskForecast& task = forecast_.tasks[i];
      if (!engine::may_run(task.foresight.outlook)) continue;
      if (!task.takes) ++forecast_.never_seen;
      most[i] = task.takes.value_or(milliseconds(0));
      if (task.foresight.outlook != Outlook::depends) least[i] = most[i];
    }
    const bool is_certain = forecast_.count(Outlook::depends) == 0;
    forecast_.most = engine::estimate(plan_, run_.prepared.limits, most);
    forecast_.least = is_certain ? forecast_.most : engine::estimate(plan_, run_.prepared.limits, least);
    forecast_.critical_path = engine::critical_path(plan_, most);
    for (plan::TaskId task : forecast_.critical_path) forecast_.tasks[plan::index(task)].critical = true;
  }

  const RunInMind& run_;
  std::unique_ptr<DebugLog> debug_log_;
  const plan::Plan& plan_;
  runner::CachePolicy policy_;
  std::unique_ptr<metadata::Queries> record_;  // null: there is none to read
  Forecast forecast_;
};

}  // namespace

std::size_t Forecast::count(Outlook outlook) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(tasks, [outlook](const TaskForecast& task) { return task.foresight.outlook == outlook; }));
}

Result<Forecast> forecast(const RunInMind& run) { return Forecaster(run).look(); }

}  // namespace mlpipe::app
