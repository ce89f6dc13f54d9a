#include "mlpipe/metadata/record.hpp"

#include "metadata/read_results.hpp"
#include "metadata/schema.hpp"
#include "metadata/write_data.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/engine/naming.hpp"

namespace mlpipe::metadata {
namespace {

using engine::TaskState;
using engine::Transition;

// The image as the user wrote it: the reference, or the folder it is built from; nothing for an importer.
std::string image_as_written(const spec::ComponentSpec& component) {
  const spec::ContainerSpec* container = component.container();
  if (container == nullptr) return "";
  if (!container->build_context.empty()) return container->build_context.string();
  std::string text;
  for (const spec::Template::Part& part : container->image.parts) {
    if (const auto* literal = std::get_if<std::string>(&part))
      text += *literal;
    else
      text += fmt::format("${{{{ {} }}}}", std::get<spec::Expression>(part).text());
  }
  return text;
}

// Stops at the first failure: what follows is not run.
class Steps final {
 public:
  template <class Step>
  Steps& then(Step&& step) {
    if (result_) result_ = step();
    return *this;
  }
  Result<> result() { return std::move(result_); }

 private:
  Result<> result_;
};

class SqliteRunRecord final : public RunRecord {
 public:
  static Result<std::unique_ptr<RunRecord>> open(const std::filesystem::path& file) {
    Result<std::unique_ptr<Database>> database = open_for_writing(file);
    if (!database) return Failure(std::move(database).error());
    std::unique_ptr<SqliteRunRecord> record(new SqliteRunRecord(std::move(*database)));
    if (Result<> prepared = record->prepare_all(); !prepared) return Failure(std::move(prepared).error());
    return record;
  }

  Result<> begin(const RunStart& start, const plan::Plan& plan) override {
    Result<> begun = in_transaction([&] { return write_run(start, plan); });
    if (!begun) return within(fmt::format("recording the beginning of run {}", start.id), std::move(begun).error());
    run_id_ = start.id;
    root_ = start.root;
    plan_ = &plan;
    counts_ = {};
    counts_[static_cast<std::size_t>(TaskState::waiting)] = plan.size();
    cached_ = 0;
    return {};
  }

  Result<> resume(const std::string& run_id, const plan::Plan& plan, WallTime at) override {
    Result<> resumed = in_transaction([&] { return write_resumption(run_id, plan, at); });
    if (!resumed) return within(fmt::format("recording that run {} goes on", run_id), std::move(resumed).error());
    run_id_ = run_id;
    plan_ = &plan;
    return {};
  }

  Result<std::vector<StoredResult>> results(const std::string& fingerprint, std::size_t limit) override {
    if (!snapshot_) {
      Result<Transaction> begun = Transaction::begin(*database_, Transaction::Kind::read);
      if (!begun) return Failure(std::move(begun).error());
      snapshot_.emplace(std::move(*begun));
    }
    return results_->find(fingerprint, limit);
  }

  void look_afresh() override { snapshot_.reset(); }

  Result<> discard(plan::TaskId task) override {
    Result<> recorded =
        in_transaction([&] { return mark_removed_.run(run_, static_cast<std::int64_t>(plan::index(task))); });
    if (!recorded) return within("recording that artifacts are taken away", std::move(recorded).error());
    return {};
  }

  Result<> record_images(const std::vector<ResolvedImage>& images,
                         const std::map<plan::TaskId, std::string>& named) override {
    Result<> recorded = in_transaction([&]() -> Result<> {
      for (const ResolvedImage& image : images) {
        const std::string made_of = image.made_of.empty() ? "" : sha256_hex(image.made_of);
        Result<> added = insert_image_.run(run_, image.reference, image.id, image.digest, made_of);
        if (added && !made_of.empty()) added = insert_build_.run(made_of, image.made_of);
        if (!added) return added;
      }
      for (const auto& [task, reference] : named) {
        Result<> noted = name_image_.run(run_, static_cast<std::int64_t>(plan::index(task)), reference);
        if (!noted) return noted;
      }
      return {};
    });
    if (!recorded) return within("recording the images of the run", std::move(recorded).error());
    return {};
  }

  void keep_premises(std::string asked, std::string text) override {
    premises_ = {.asked = std::move(asked), .text = std::move(text)};
  }

  Result<> commit(std::span<const Transition> transitions) override {
    if (transitions.empty()) return {};
    engine::StateCounts counts = counts_;
    std::size_t cached = cached_;
    std::int64_t event = next_event_;
    Result<> recorded = in_transaction([&]() -> Result<> {
      for (const Transition& transition : transitions) {
        --counts[static_cast<std::size_t>(transition.from)];
        ++counts[static_cast<std::size_t>(transition.to)];
        if (transition.cached()) ++cached;
        if (Result<> written = write(transition, event++); !written) return written;
      }
      return write_counts(counts, cached);
    });
    if (!recorded) return within("recording the progress of the run", std::move(recorded).error());
    counts_ = counts;
    cached_ = cached;
    next_event_ = event;
    return {};
  }

  Result<> finish(engine::RunState state, WallTime at) override {
    Result<> recorded = in_transaction([&] {
      return Steps()
          .then([&] { return update_run_.run(run_, engine::to_string(state), at); })
          .then([&]() -> Result<> {
            if (premises_.asked.empty() || state != engine::RunState::succeeded) return {};
            return insert_premises_.run(premises_.asked, run_, premises_.text);
          })
          .then([&] {
            return insert_event_.run(run_, next_event_, at, k_no_task, 0, engine::to_string(engine::RunState::running),
                                     engine::to_string(state), "", k_no_delay);
          })
          .result();
    });
    if (!recorded) return within("recording the end of the run", std::move(recorded).error());
    ++next_event_;
    return {};
  }

 private:
  static constexpr std::optional<std::int64_t> k_no_task{};
  static constexpr std::optional<std::chrono::milliseconds> k_no_delay{};

  explicit SqliteRunRecord(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<> prepare_all() {
    struct Entry {
      Statement* statement;
      const char* sql;
    };
    const Entry entries[] = {
        {&insert_run_,
         "INSERT INTO runs (id, pipeline, state, created, root, spec_file, spec_digest, command_line, mlpipe_version, "
         "engine, host, git_commit, git_dirty, tasks, waiting, parent, options, experiment) VALUES (?1, ?2, 'running', "
         "?3, "
         "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16) "
         "ON CONFLICT (id) DO NOTHING RETURNING run"},
        {&insert_argument_, "INSERT INTO arguments VALUES (?1, ?2, ?3)"},
        {&insert_label_, "INSERT OR REPLACE INTO labels VALUES (?1, ?2, ?3)"},
        {&insert_image_, "INSERT OR REPLACE INTO images VALUES (?1, ?2, ?3, ?4, ?5)"},
        {&name_image_, "UPDATE tasks SET image = ?3 WHERE run = ?1 AND task = ?2"},
        {&insert_task_,
         "INSERT INTO tasks (run, task, path, component, image, state, reason) VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', "
         "'')"},
        {&insert_event_, "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
        {&update_task_, "UPDATE tasks SET state = ?3, reason = ?4 WHERE run = ?1 AND task = ?2"},
        {&insert_attempt_,
         "INSERT INTO attempts (run, task, attempt, container, state, started, fingerprint, why, memory) VALUES (?1, "
         "?2, "
         "?3, ?4, 'starting', ?5, ?6, ?7, ?8)"},
        {&take_up_attempt_,
         "UPDATE attempts SET state = 'starting', memory = ?4 WHERE run = ?1 AND task = ?2 AND attempt = ?3"},
        {&insert_cached_,
         "INSERT INTO attempts (run, task, attempt, container, state, started, finished, fingerprint) VALUES (?1, ?2, "
         "0, "
         "'', 'cached', ?3, ?4, ?5)"},
        {&insert_fingerprint_, "INSERT OR IGNORE INTO fingerprints VALUES (?1, ?2)"},
        {&insert_build_, "INSERT OR IGNORE INTO builds VALUES (?1, ?2)"},
        {&insert_premises_, "INSERT OR REPLACE INTO premises VALUES (?1, ?2, ?3)"},
        {&update_cached_task_,
         "UPDATE tasks SET state = 'succeeded', reason = '', cached_from = ?3, removed = ?4 WHERE run = ?1 AND task = "
         "?2"},
        {&mark_removed_, "UPDATE tasks SET removed = 1 WHERE run = ?1 AND task = ?2"},
        {&update_attempt_,
         "UPDATE attempts SET state = ?4, running = coalesce(running, ?5), stop_reason = ?6 WHERE run = ?1 AND task = "
         "?2 "
         "AND attempt = ?3"},
        {&end_attempt_,
         "UPDATE attempts SET state = ?4, exit_code = ?5, oom_killed = ?6, message = ?7, hint = ?8, finished = ?9 "
         "WHERE run = ?1 AND task = ?2 AND attempt = ?3"},
        {&update_counts_,
         "UPDATE runs SET waiting = ?2, ready = ?3, starting = ?4, running = ?5, stopping = ?6, retry_wait = ?7, "
         "succeeded = ?8, failed = ?9, skipped = ?10, cancelled = ?11, deferred = ?12, cached = ?13 WHERE run = ?1"},
        {&update_run_, "UPDATE runs SET state = ?2, finished = ?3 WHERE run = ?1"},
    };
    for (const Entry& entry : entries) {
      Result<Statement> statement = database_->prepare(entry.sql);
      if (!statement) return Failure(std::move(statement).error());
      *entry.statement = std::move(*statement);
    }
    Result<ResultReader> results = ResultReader::prepare(*database_);
    if (!results) return Failure(std::move(results).error());
    results_ = std::move(*results);
    Result<DataWriter> data = DataWriter::prepare(*database_);
    if (!data) return Failure(std::move(data).error());
    data_ = std::move(*data);
    return {};
  }

  template <class Body>
  Result<> in_transaction(Body&& body) {
    snapshot_.reset();
    Result<Transaction> transaction = Transaction::begin(*database_, Transaction::Kind::write);
    if (!transaction) return Failure(std::move(transaction).error());
    Result<> done = body();
    if (!done) return done;
    return transaction->commit();
  }

  // ---- begin ----

  Result<> write_run(const RunStart& start, const plan::Plan& plan) {
    insert_run_.query(start.id, plan.spec().name, start.created, start.root, start.spec_file, start.spec_digest,
                      start.command_line, start.mlpipe_version, start.engine, start.host, start.git_commit,
                      start.git_dirty, static_cast<std::uint64_t>(plan.size()), start.parent, to_json(start.options),
                      start.experiment);
    const Result<bool> inserted = insert_run_.step();
    if (!inserted) return Failure(inserted.error());
    if (!*inserted) {
      return fail_with_hint(ErrorCode::conflict,
                            fmt::format("record {}: a run {} exists already", database_->file().string(), start.id),
                            "choose another --run-id, or leave it out");
    }
    run_ = insert_run_.integer(0);
    insert_run_.reset();
    next_event_ = 1;
    return Steps()
        .then([&] { return write_arguments(plan); })
        .then([&] { return write_labels(plan.spec(), start); })
        .then([&] { return write_tasks(plan); })
        .then([&] {
          return insert_event_.run(run_, next_event_++, start.created, k_no_task, 0, "",
                                   engine::to_string(engine::RunState::running), "", k_no_delay);
        })
        .result();
  }

  Result<> write_arguments(const plan::Plan& plan) {
    for (const auto& [name, value] : plan.arguments()) {
      if (Result<> added = insert_argument_.run(run_, name, to_json(value)); !added) return added;
    }
    return {};
  }

  Result<> write_labels(const spec::PipelineSpec& spec, const RunStart& start) {
    for (const auto& [name, value] : spec.labels) {
      if (Result<> added = insert_label_.run(run_, name, value); !added) return added;
    }
    for (const auto& [name, value] : start.labels) {
      if (Result<> added = insert_label_.run(run_, name, value); !added) return added;
    }
    return {};
  }

  Result<> write_tasks(const plan::Plan& plan) {
    for (std::uint32_t number = 0; number < plan.size(); ++number) {
      const plan::TaskId id{number};
      const spec::ComponentSpec& component = plan.component(id);
      Result<> added =
          insert_task_.run(run_, number, plan.task(id).path(), component.name, image_as_written(component));
      if (!added) return added;
    }
    return {};
  }

  // ---- resume ----

  Result<> write_resumption(const std::string& run_id, const plan::Plan& plan, WallTime at) {
    Result<Statement> find = database_->prepare(
        "SELECT run, root, tasks, (SELECT coalesce(max(event), 0) FROM events WHERE events.run = runs.run) FROM runs "
        "WHERE id = ?1");
    if (!find) return Failure(std::move(find).error());
    find->query(run_id);
    const Result<bool> found = find->step();
    if (!found) return Failure(found.error());
    if (!*found) return fail(ErrorCode::not_found, "record {}: there is no run {}", database_->file().string(), run_id);
    run_ = find->integer(0);
    root_ = find->text(1);
    next_event_ = find->integer(3) + 1;
    if (find->integer(2) != static_cast<std::int64_t>(plan.size())) {
      return fail(ErrorCode::conflict, "record {}: run {} has {} tasks, but its pipeline has {} now",
                  database_->file().string(), run_id, find->integer(2), plan.size());
    }
    find->reset();
    return Steps()
        .then([&] { return forget_unfinished(); })
        .then([&] { return count_again(plan.size()); })
        .then([&] { return write_counts(counts_, cached_); })
        .then([&] {
          const std::string_view running = engine::to_string(engine::RunState::running);
          return insert_event_.run(run_, next_event_++, at, k_no_task, 0, running, running, "resumed", k_no_delay);
        })
        .result();
  }

  // Attempts whose end was not recorded keep their rows: they are taken up.
  Result<> forget_unfinished() {
    Result<Statement> reset = database_->prepare(
        "UPDATE tasks SET state = 'waiting', reason = '' WHERE run = ?1 AND state NOT IN ('waiting', 'succeeded', "
        "'failed')");
    if (!reset) return Failure(std::move(reset).error());
    return reset->run(run_);
  }

  Result<> count_again(std::size_t tasks) {
    counts_ = {};
    Result<Statement> count = database_->prepare(
        "SELECT count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'failed'), "
        "count(*) FILTER (WHERE state = 'succeeded' AND cached_from <> '') FROM tasks WHERE run = ?1");
    if (!count) return Failure(std::move(count).error());
    count->query(run_);
    const Result<bool> counted = count->step();
    if (!counted) return Failure(counted.error());
    const auto succeeded = static_cast<std::size_t>(count->integer(0));
    const auto failed = static_cast<std::size_t>(count->integer(1));
    cached_ = static_cast<std::size_t>(count->integer(2));
    counts_[static_cast<std::size_t>(TaskState::succeeded)] = succeeded;
    counts_[static_cast<std::size_t>(TaskState::failed)] = failed;
    counts_[static_cast<std::size_t>(TaskState::waiting)] = tasks - succeeded - failed;
    return {};
  }

  // ---- commit ----

  Result<> write(const Transition& transition, std::int64_t event) {
    const auto task = static_cast<std::uint32_t>(transition.task);
    return Steps()
        .then([&] {
          return insert_event_.run(run_, event, transition.at, std::optional<std::int64_t>(task), transition.attempt,
                                   engine::to_string(transition.from), engine::to_string(transition.to),
                                   transition.reason, transition.retry_in);
        })
        .then([&] {
          if (transition.cached()) {
            return update_cached_task_.run(run_, task, transition.cache->from_run, transition.cache->removed);
          }
          return update_task_.run(run_, task, engine::to_string(transition.to), transition.reason);
        })
        .then([&] { return write_attempt(transition, task); })
        .result();
  }

  Result<> write_attempt(const Transition& transition, std::uint32_t task) {
    if (transition.cached()) return write_cached(transition, task);
    const int attempt = transition.attempt;
    if (attempt == 0) return {};
    if (transition.result != nullptr) return write_result(transition, task);
    switch (transition.to) {
      case TaskState::starting: {
        if (transition.taken_up) return take_up_attempt_.run(run_, task, attempt, transition.memory);
        const std::string container =
            engine::container_name(root_, run_id_, plan_->task(transition.task).path(), attempt);
        static const engine::CacheAnswer k_unasked;
        const engine::CacheAnswer& cache = transition.cache == nullptr ? k_unasked : *transition.cache;
        if (Result<> kept = keep_fingerprint(cache); !kept) return kept;
        Result<> intent = insert_attempt_.run(run_, task, attempt, container, transition.at, cache.fingerprint,
                                              cache.why, transition.memory);
        if (!intent || transition.inputs == nullptr) return intent;
        return data_.write_inputs({run_, task, attempt}, *transition.inputs);
      }
      case TaskState::running:
        return update_attempt_.run(run_, task, attempt, "running",
                                   std::optional<WallTime>(transition.at - transition.already), "");
      case TaskState::stopping:
        return update_attempt_.run(run_, task, attempt, "stopping", std::optional<WallTime>(),
                                   transition.stop_reason == engine::StopReason::timed_out ? "timed_out" : "cancelled");
      default: return {};
    }
  }

  Result<> write_cached(const Transition& transition, std::uint32_t task) {
    return Steps()
        .then([&] {
          return insert_cached_.run(run_, task, transition.at, transition.cache->made, transition.cache->fingerprint);
        })
        .then([&] {
          return data_.write_inputs({run_, task, 0}, *transition.inputs);
        })
        .then([&] {
          return data_.write_outputs({run_, task, 0}, *transition.outputs);
        })
        .result();
  }

  Result<> keep_fingerprint(const engine::CacheAnswer& cache) {
    if (cache.fingerprint.empty() || cache.fingerprint_text.empty()) return {};
    return insert_fingerprint_.run(cache.fingerprint, cache.fingerprint_text);
  }

  Result<> write_result(const Transition& transition, std::uint32_t task) {
    const engine::AttemptResult& result = *transition.result;
    const int attempt = transition.attempt;
    return Steps()
        .then([&] {
          return end_attempt_.run(run_, task, attempt, engine::to_string(result.end), result.exit_code,
                                  result.oom_killed, result.message, result.hint,
                                  result.ended_at.value_or(transition.at));
        })
        .then([&] {
          return data_.write_outputs({run_, task, attempt}, result.outputs);
        })
        .result();
  }

  Result<> write_counts(const engine::StateCounts& counts, std::size_t cached) {
    const auto of = [&](TaskState state) {
      return static_cast<std::uint64_t>(counts[static_cast<std::size_t>(state)]);
    };
    return update_counts_.run(run_, of(TaskState::waiting), of(TaskState::ready), of(TaskState::starting),
                              of(TaskState::running), of(TaskState::stopping), of(TaskState::retry_wait),
                              of(TaskState::succeeded), of(TaskState::failed), of(TaskState::skipped),
                              of(TaskState::cancelled), of(TaskState::deferred), static_cast<std::uint64_t>(cached));
  }

  std::unique_ptr<Database> database_;  // before the statements: they must go first
  Statement insert_run_, insert_argument_, insert_label_, insert_image_, name_image_, insert_task_, insert_event_,
      update_task_, insert_attempt_, update_attempt_, end_attempt_, update_counts_, update_run_, take_up_attempt_,
      insert_cached_, insert_fingerprint_, insert_build_, insert_premises_, update_cached_task_, mark_removed_;
  struct {
    std::string asked;  // empty: nothing to record
    std::string text;
  } premises_;
  std::optional<ResultReader> results_;
  std::optional<Transaction> snapshot_;  // for results(), until the next commit
  DataWriter data_;

  std::int64_t run_ = 0;  // the run's number in the database
  std::string run_id_;
  std::string root_;
  const plan::Plan* plan_ = nullptr;
  engine::StateCounts counts_{};
  std::size_t cached_ = 0;
  std::int64_t next_event_ = 1;
};

}  // namespace

Result<std::unique_ptr<RunRecord>> open_record(const std::filesystem::path& database) {
  return SqliteRunRecord::open(database);
}

}  // namespace mlpipe::metadata
