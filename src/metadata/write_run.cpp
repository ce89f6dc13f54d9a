#include "metadata/write_run.hpp"

#include <unordered_map>

#include "metadata/write_data.hpp"

namespace mlpipe::metadata {
namespace {

using engine::TaskState;

class RunRows final {
 public:
  RunRows(Database& database, const RecordedRun& recorded) : database_(database), recorded_(recorded) {}

  Result<> write() {
    Result<DataWriter> data = DataWriter::prepare(database_);
    if (!data) return Failure(std::move(data).error());
    data_ = std::move(*data);
    using Step = Result<> (RunRows::*)();
    for (const Step step : {&RunRows::write_run, &RunRows::write_names, &RunRows::write_tasks, &RunRows::write_events,
                            &RunRows::write_fingerprints}) {
      if (Result<> done = (this->*step)(); !done) return done;
    }
    return {};
  }

 private:
  // Runs `sql` for one row. Statements are few beside rows; the ones of rows are kept by their callers.
  template <class... Values>
  Result<> once(std::string_view sql, const Values&... values) {
    Result<Statement> statement = database_.prepare(sql);
    if (!statement) return Failure(std::move(statement).error());
    return statement->run(values...);
  }

  Result<> write_run() {
    const RunRow& run = recorded_.run;
    Result<> written = once(
        "INSERT INTO runs (id, pipeline, state, created, finished, root, spec_file, spec_digest, command_line, "
        "mlpipe_version, engine, host, git_commit, git_dirty, parent, options, experiment, note, tasks, waiting) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, 0)",
        run.id, run.pipeline, engine::to_string(run.state), run.created, run.finished, run.root, run.spec_file,
        run.spec_digest, run.command_line, run.mlpipe_version, run.engine, run.host, run.git_commit, run.git_dirty,
        run.parent, to_json(run.options), run.experiment, run.note, static_cast<std::uint64_t>(recorded_.tasks.size()));
    if (!written) return written;
    Result<std::int64_t> number = database_.number("SELECT last_insert_rowid()");
    if (!number) return Failure(std::move(number).error());
    run_ = *number;
    return write_counts();
  }

  // The columns of the counts have the names of the states.
  Result<> write_counts() {
    engine::StateCounts counts{};
    std::uint64_t cached = 0;
    for (const TaskRow& task : recorded_.tasks) {
      ++counts[static_cast<std::size_t>(task.state)];
      if (task.state == TaskState::succeeded && !task.cached_from.empty()) ++cached;
    }
    std::string sql = fmt::format("UPDATE runs SET cached = {}", cached);
    for (std::size_t state = 0; state < counts.size(); ++state) {
      sql += fmt::format(", {} = {}", engine::to_string(static_cast<TaskState>(state)), counts[state]);
    }
    return once(sql + " WHERE run = ?1", run_);
  }

  Result<> write_names() {
    for (const auto& [name, value] : recorded_.run.arguments.as_struct()) {
      if (Result<> added = once("INSERT INTO arguments VALUES (?1, ?2, ?3)", run_, name, to_json(value)); !added)
        return added;
    }
    for (const auto& [name, text] : recorded_.run.labels) {
      if (Result<> added = once("INSERT INTO labels VALUES (?1, ?2, ?3)", run_, name, text); !added) return added;
    }
    for (const RunRecord::ResolvedImage& image : recorded_.images) {
      Result<> added = once("INSERT INTO images (run, reference, id, digest) VALUES (?1, ?2, ?3, ?4)", run_,
                            image.reference, image.id, image.digest);
      if (!added) return added;
    }
    return {};
  }

  Result<> write_tasks() {
    Result<Statement> insert = database_.prepare("INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    if (!insert) return Failure(std::move(insert).error());
    Result<Statement> attempt = database_.prepare(
        "INSERT INTO attempts (run, task, attempt, container, state, exit_code, oom_killed, message, hint, started, "
        "running, "
        "finished, fingerprint, why, stop_reason, memory) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
        "?13, "
        "?14, ?15, ?16)");
    if (!attempt) return Failure(std::move(attempt).error());
    for (const TaskRow& task : recorded_.tasks) {
      const auto number = static_cast<std::int64_t>(number_of_.size());
      number_of_.emplace(task.path, number);
      Result<> added = insert->run(run_, number, task.path, task.component, task.image, engine::to_string(task.state),
                                   task.reason, task.cached_from, task.removed);
      if (added) added = write_attempts(task, number, *attempt);
      if (!added) return added;
    }
    return {};
  }

  Result<> write_attempts(const TaskRow& task, std::int64_t number, Statement& insert) {
    std::vector<AttemptRow> attempts = task.attempts;
    if (!task.cached_from.empty() && attempts.empty()) {
      AttemptRow& cached = attempts.emplace_back();
      cached.state = "cached";
      cached.started = task.cached_at;
      cached.finished = task.made;
      cached.fingerprint = task.fingerprint;
    }
    for (const AttemptRow& row : attempts) {
      const std::optional<int> exit_code = row.finished && row.number > 0 ? std::optional(row.exit_code) : std::nullopt;
      Result<> added = insert.run(run_, number, row.number, row.container, row.state, exit_code, row.oom_killed,
                                  row.message, row.hint, row.started.value_or(recorded_.run.created), row.running,
                                  row.finished, row.fingerprint, row.why, row.stop_reason, row.memory);
      if (!added) return added;
    }
    if (attempts.empty()) return {};
    // What it was given is known of the latest attempt; what it gave, the one that succeeded gave, which is the latest.
    const AttemptKey latest{run_, number, attempts.back().number};
    if (Result<> given = data_.write_inputs(latest, task.inputs); !given) return given;
    return data_.write_outputs(latest, task.outputs);
  }

  Result<> write_events() {
    Result<Statement> insert = database_.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    if (!insert) return Failure(std::move(insert).error());
    for (const EventRow& event : recorded_.events) {
      std::optional<std::int64_t> task;
      if (!event.task.empty()) {
        const auto found = number_of_.find(event.task);
        if (found == number_of_.end()) continue;
        task = found->second;
      }
      Result<> added = insert->run(run_, event.number, event.at, task, event.attempt, event.from, event.to,
                                   event.reason, event.retry_in);
      if (!added) return added;
    }
    return {};
  }

  Result<> write_fingerprints() {
    for (const auto& [fingerprint, text] : recorded_.fingerprints) {
      Result<> kept = once("INSERT OR IGNORE INTO fingerprints VALUES (?1, ?2)", fingerprint, text);
      if (!kept) return kept;
    }
    return {};
  }

  Database& database_;
  const RecordedRun& recorded_;
  DataWriter data_;
  std::int64_t run_ = 0;
  std::unordered_map<std::string, std::int64_t> number_of_;
};

}  // namespace

Result<> write_run(Database& database, const RecordedRun& recorded) { return RunRows(database, recorded).write(); }

}  // namespace mlpipe::metadata
