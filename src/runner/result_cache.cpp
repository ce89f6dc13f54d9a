#include "mlpipe/runner/result_cache.hpp"

#include <algorithm>
#include <map>

#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/fingerprint.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/lock.hpp"
#include "runner/attempt.hpp"
#include "runner/lock_watch.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;
using engine::CacheAnswer;
using engine::TaskData;
using engine::TaskId;
using Kind = CacheAnswer::Kind;

// Of results with one fingerprint: how many are looked at before the task rather runs.
constexpr std::size_t k_most_results = 8;

std::string file_name_of(const std::string& uri) {
  const std::size_t slash = uri.rfind('/');
  return slash == std::string::npos ? uri : uri.substr(slash + 1);
}

// A text about times, "3 days".
std::string age_text(std::chrono::milliseconds age) { return duration_text(age); }

class TreeCache final : public RunCache {
 public:
  TreeCache(const plan::Plan& plan, const RunContext& run, metadata::ResultSearch& results,
            artifact::ArtifactStore& store, const Clock& clock, CachePolicy policy)
      : plan_(plan), run_(run), known_(results), store_(store), clock_(clock), policy_(std::move(policy)) {}

  void post_to(std::function<void(engine::Event)> post) override { post_ = std::move(post); }

  CacheAnswer look_up(TaskId task, const TaskData& inputs) override { return search(task, inputs, Search::restore); }
  CacheAnswer foresee(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer = search(task, inputs, Search::look_only);
    if (answer.kind == Kind::hit) put_in_place(task, answer.outputs);
    if (answer.kind == Kind::hit || answer.kind == Kind::removed) return answer;
    if (answer.fingerprint.empty() || !shares(task)) return answer;
    const TaskId maker = foreseen_.try_emplace(answer.fingerprint, task).first->second;
    if (maker == task && !sys::is_locked(lock_file(answer.fingerprint))) return answer;
    answer.kind = Kind::busy;
    answer.why = maker == task ? "another run is making the same result now"
                               : fmt::format("'{}' makes the very same result", plan_.task(maker).path());
    return answer;
  }

  std::string runs_anyway(TaskId task) const override {
    if (!policy_.again.empty() && policy_.again[plan::index(task)]) return "it was asked for";
    if (shares(task) || !policy_.parent.empty()) return {};
    return policy_.off_because.empty() ? "it says `cache: false`" : policy_.off_because;
  }

  CacheAnswer claim(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer = search(task, inputs, Search::restore);
    if (answer.kind == Kind::hit || answer.fingerprint.empty() || !may_wait(task) || held_.contains(task))
      return answer;
    const fs::path file = lock_file(answer.fingerprint);
    auto lock = sys::try_lock(file);
    if (!lock) return answer;  // no locks there: both make it, and either result is good
    if (auto* holder = std::get_if<sys::LockHolder>(&*lock)) {
      answer.kind = Kind::busy;
      answer.why = fmt::format("{} makes the same result", maker_of(file, *holder));
      if (!watch_) watch_ = std::make_unique<LockWatch>([this](TaskId free) { post_(engine::ResultSettled{free}); });
      watch_->add(file, task);
      return answer;
    }
    known_.look_afresh();  // somebody may have made it between the look and the lock
    answer = search(task, inputs, Search::restore);
    held_.emplace(task, Held{file, std::move(std::get<sys::FileLock>(*lock))});
    if (answer.kind == Kind::hit) release(task);
    return answer;
  }

  void release(TaskId task) override {
    auto held = held_.find(task);
    if (held == held_.end()) return;
    std::error_code ignored;
    fs::remove(held->second.file, ignored);  // before it is let go: nobody else can hold it now
    held_.erase(held);
  }

  Result<> make_durable() override { return sys::sync_file_system(run_.run_folder); }

  void discard(TaskId task, const TaskData& /*outputs*/) override {
    const artifact::TaskTree tree(run_.run_folder, plan_.task(task).path());
    for (const spec::ArtifactSpec& output : plan_.component(task).interface.output_artifacts) {
      (void)sys::remove_tree(tree.output(output.name));  // what stays is found by gc
    }
  }

 private:
  enum class Search { restore, look_only };

  struct Held {
    fs::path file;
    sys::FileLock lock;
  };

  const spec::TaskSettings& settings(TaskId task) const { return *plan_.task(task).spec->settings; }
  // May it have the result of any run, and any run its own?
  bool shares(TaskId task) const { return policy_.off_because.empty() && settings(task).cache.enabled; }
  bool may_wait(TaskId task) const { return shares(task) && post_ != nullptr; }

  fs::path lock_file(const std::string& fingerprint) const {
    return artifact::Root(run_.root).state() / "locks" / "results" / (fingerprint + ".lock");
  }

  // Who has the lock of a result, as people know it: a task of this run, or another run.
  std::string maker_of(const fs::path& file, const sys::LockHolder& holder) {
    const auto own = std::ranges::find_if(held_, [&](const auto& held) { return held.second.file == file; });
    if (own != held_.end()) return fmt::format("task '{}'", plan_.task(own->first).path());
    const std::string run = run_of(holder);
    return run.empty() ? sys::to_string(holder) : fmt::format("run {} ({})", run, sys::to_string(holder));
  }

  // The run that the holder runs; empty: not known.
  std::string run_of(const sys::LockHolder& holder) {
    if (holder.pid == 0) return {};
    const auto key = std::pair(holder.host + holder.boot_id, holder.pid);
    if (const auto known = other_runs_.find(key);
        known != other_runs_.end() && sys::is_locked(artifact::Root(run_.root).run_lock(known->second))) {
      return known->second;
    }
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(artifact::Root(run_.root).state() / "locks", error)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".lock" || path.stem() == run_.run_id) continue;
      const std::optional<sys::LockHolder> other = sys::holder_of(path);
      if (!other || other->pid != holder.pid || other->host != holder.host || other->boot_id != holder.boot_id) {
        continue;
      }
      return other_runs_[key] = path.stem().string();
    }
    return {};
  }

  CacheAnswer search(TaskId task, const TaskData& inputs, Search how) {
    CacheAnswer answer = answer_to(task, inputs, how);
    if (run_.debug_log == nullptr) return answer;  // there may be very many
    debug(run_.debug_log, "cache", "'{}': {}, fingerprint {}", plan_.task(task).path(),
          answer.kind == Kind::hit ? "from run " + answer.from_run : answer.why,
          answer.fingerprint.empty() ? "none" : answer.fingerprint);
    return answer;
  }

  CacheAnswer answer_to(TaskId task, const TaskData& inputs, Search how) {
    if (const auto given = policy_.given.find(task); given != policy_.given.end()) return given->second;
    CacheAnswer answer;
    const spec::ComponentSpec& component = plan_.component(task);
    if (component.container() == nullptr) return answer;
    if (!fingerprint(task, inputs, answer)) return answer;
    answer.why = runs_anyway(task);
    if (!answer.why.empty()) return answer;
    answer.why = k_no_result_yet;
    const bool any_run = shares(task);
    // Mostly the newest will do, however many there are.
    const std::size_t most_at_first = any_run ? 1 : k_most_results;
    std::optional<metadata::StoredResult> removed;  // the newest; any that is whole is better
    for (std::size_t most = most_at_first, seen = 0; most <= k_most_results; most += k_most_results - 1) {
      Result<std::vector<metadata::StoredResult>> results = known_.results(answer.fingerprint, most);
      if (!results) {
        answer.why = results.error().message;
        return answer;
      }
      for (; seen < results->size(); ++seen) {
        metadata::StoredResult& result = (*results)[seen];
        if (!any_run && result.run_id != policy_.parent) continue;
        std::string objection = objection_to(task, result);
        if (objection.empty() && result.removed) {
          if (!removed) removed = std::move(result);
          continue;
        }
        if (objection.empty()) objection = take(task, result, how);
        if (objection.empty()) return found(Kind::hit, std::move(result), std::move(answer));
        answer.why = std::move(objection);
      }
      if (results->size() < most) break;
    }
    if (!removed) return answer;
    answer.why = fmt::format("the artifacts of run {} were taken away", removed->run_id);
    put_in_place(task, removed->outputs);
    return found(Kind::removed, std::move(*removed), std::move(answer));
  }

  static CacheAnswer found(Kind kind, metadata::StoredResult result, CacheAnswer answer) {
    answer.kind = kind;
    if (kind == Kind::hit) answer.why.clear();
    answer.from_run = std::move(result.run_id);
    answer.made = result.finished;
    answer.outputs = std::move(result.outputs);
    return answer;
  }

  // Where the artifacts are or would be in this run's tree: a task may be given an artifact's path as a text.
  void put_in_place(TaskId task, TaskData& outputs) const {
    for (auto& [name, artifact] : outputs.artifacts) artifact.uri = place_of(task, name, artifact);
  }

  bool fingerprint(TaskId task, const TaskData& inputs, CacheAnswer& answer) {
    const spec::ComponentSpec& component = plan_.component(task);
    Result<std::string> key = image_key(component, inputs);
    auto image = key ? run_.images.find(*key) : run_.images.end();
    if (image == run_.images.end()) {
      answer.why = "its image is known only when it runs";
      return false;
    }
    plan::FingerprintInputs facts{.image = image->second.id, .parameters = inputs.parameters};
    for (const auto& [name, artifact] : inputs.artifacts) {
      facts.artifacts.emplace(name, plan::FingerprintArtifact{.type = artifact.type,
                                                              .digest = artifact.digest,
                                                              .file_name = file_name_of(artifact.uri),
                                                              .is_folder = artifact.is_folder,
                                                              .metadata = artifact.metadata});
    }
    plan::Fingerprint made = fingerprints_.make(component, settings(task), facts);
    answer.fingerprint = std::move(made.hex);
    answer.fingerprint_text = std::move(made.text);
    return true;
  }

  // Why `result` cannot stand for the task's own, as far as the record knows; empty: it can.
  std::string objection_to(TaskId task, const metadata::StoredResult& result) {
    if (const auto& most = settings(task).cache.max_age) {
      const auto age = clock_.wall() - result.finished;
      if (age > *most) {
        return fmt::format("the result of run {} is {} old, more than its max_age of {}", result.run_id, age_text(age),
                           age_text(*most));
      }
    }
    return {};
  }

  std::string place_of(TaskId task, const std::string& output, const engine::Artifact& artifact) const {
    return store_.uri_of(plan_.task(task).path(), output, file_name_of(artifact.uri));
  }

  // The same, with its artifacts looked at, and put into this run's tree with their new places in `result`.
  std::string take(TaskId task, metadata::StoredResult& result, Search how) {
    const auto never = [] { return false; };
    bool restored = false;
    const auto refuse = [&](std::string why) {
      if (restored) discard(task, result.outputs);  // none of it, when not all of it
      return why;
    };
    for (auto& [name, artifact] : result.outputs.artifacts) {
      std::string uri = place_of(task, name, artifact);
      const bool to_restore = how == Search::restore && uri != artifact.uri;
      const Result<bool> whole = to_restore ? store_.restore(artifact, uri, never) : store_.is_whole(artifact, never);
      if (!whole) return refuse(whole.error().message);
      if (!*whole) {
        return refuse(fmt::format("artifact {} of run {} is missing or has changed since: {}", name, result.run_id,
                                  artifact.uri));
      }
      if (!to_restore) continue;
      artifact.uri = std::move(uri);
      restored = true;
    }
    return {};
  }

  const plan::Plan& plan_;
  const RunContext& run_;
  metadata::ResultSearch& known_;
  artifact::ArtifactStore& store_;
  const Clock& clock_;
  CachePolicy policy_;
  plan::FingerprintMaker fingerprints_;
  std::function<void(engine::Event)> post_;
  std::map<TaskId, Held> held_;
  std::map<std::pair<std::string, int>, std::string> other_runs_;  // by machine and process
  std::map<std::string, TaskId> foreseen_;                         // by fingerprint: who makes it
  std::unique_ptr<LockWatch> watch_;                               // last: its thread uses post_
};

}  // namespace

std::unique_ptr<RunCache> make_run_cache(const plan::Plan& plan, const RunContext& run, metadata::ResultSearch& results,
                                         artifact::ArtifactStore& store, const Clock& clock, CachePolicy policy) {
  return std::make_unique<TreeCache>(plan, run, results, store, clock, std::move(policy));
}

}  // namespace mlpipe::runner
