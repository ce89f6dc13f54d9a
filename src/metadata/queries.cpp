#include "mlpipe/metadata/queries.hpp"

#include <algorithm>

#include "metadata/schema.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::metadata {
namespace {

constexpr std::size_t k_candidates_shown = 10;

constexpr const char* k_run_columns =
    "SELECT run, id, pipeline, state, created, finished, root, spec_file, spec_digest, command_line, mlpipe_version, "
    "engine, host, "
    "git_commit, git_dirty, tasks, waiting, ready, starting, running, stopping, retry_wait, succeeded, failed, "
    "skipped, cancelled "
    "FROM runs ";

template <class State>
std::optional<State> state_from_text(std::string_view text, State last) {
  for (int number = 0; number <= static_cast<int>(last); ++number) {
    if (engine::to_string(static_cast<State>(number)) == text) return static_cast<State>(number);
  }
  return std::nullopt;
}

class SqliteQueries final : public Queries {
 public:
  static Result<std::unique_ptr<Queries>> open(const std::filesystem::path& file, IsRunning is_running) {
    Result<std::unique_ptr<Database>> database = open_for_reading(file);
    if (!database) return Failure(std::move(database).error());
    return std::unique_ptr<Queries>(new SqliteQueries(std::move(*database), std::move(is_running)));
  }

  Result<std::vector<RunRow>> runs(std::size_t limit) override {
    return snapshot([&]() -> Result<std::vector<RunRow>> {
      Result<Statement> statement = database_->prepare(std::string(k_run_columns) + "ORDER BY run DESC LIMIT ?1");
      if (!statement) return Failure(std::move(statement).error());
      statement->query(limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(limit));
      return read_runs(*statement);
    });
  }

  Result<RunRow> find_run(const std::string& reference) override {
    return snapshot([&]() -> Result<RunRow> {
      if (reference.empty())
        return fail(ErrorCode::invalid_input, "no run is named: give a run id, its beginning, or latest");
      const Result<std::optional<RunRow>> exact = one_run("WHERE id = ?1", reference);
      if (!exact) return Failure(exact.error());
      if (*exact) return **exact;
      if (reference == "latest") return latest_run();
      return run_by_prefix(reference);
    });
  }

  Result<std::vector<TaskRow>> tasks(const std::string& run_id) override {
    return snapshot([&]() -> Result<std::vector<TaskRow>> {
      const Result<std::int64_t> run = number_of_run(run_id);
      if (!run) return Failure(run.error());
      std::vector<TaskRow> rows;
      if (Result<> read = read_tasks(*run, rows); !read) return Failure(std::move(read).error());
      if (Result<> read = read_attempts(*run, rows); !read) return Failure(std::move(read).error());
      if (Result<> read = read_parameters(*run, rows); !read) return Failure(std::move(read).error());
      if (Result<> read = read_artifacts(*run, rows); !read) return Failure(std::move(read).error());
      return rows;
    });
  }

  Result<std::vector<EventRow>> events(const std::string& run_id, const std::string& task,
                                       std::int64_t after) override {
    return snapshot([&]() -> Result<std::vector<EventRow>> {
      const Result<std::int64_t> run = number_of_run(run_id);
      if (!run) return Failure(run.error());
      Result<Statement> statement = database_->prepare(
          "SELECT event, at, coalesce(path, ''), attempt, from_state, to_state, events.reason, retry_in "
          "FROM events LEFT JOIN tasks USING (run, task) "
          "WHERE events.run = ?1 AND event > ?2 AND (?3 = '' OR path = ?3) ORDER BY event");
      if (!statement) return Failure(std::move(statement).error());
      statement->query(*run, after, task);
      return read_events(*statement);
    });
  }

 private:
  SqliteQueries(std::unique_ptr<Database> database, IsRunning is_running)
      : database_(std::move(database)), is_running_(std::move(is_running)) {}

  // All of what `body` reads is from one moment.
  template <class Body>
  auto snapshot(Body&& body) -> decltype(body()) {
    Result<Transaction> transaction = Transaction::begin(*database_, Transaction::Kind::read);
    if (!transaction) return Failure(std::move(transaction).error());
    return body();
  }

  Failure damaged(std::string_view what) const {
    return fail_with_hint(ErrorCode::io, fmt::format("record {}: damaged: {}", database_->file().string(), what),
                          "restore the file from a backup, or move it and its -wal and -shm files aside; "
                          "the artifacts under runs/ do not depend on it");
  }

  Result<Value> json(std::string_view text, std::string_view what) const {
    Result<Value> value = parse_json(text, what);
    if (!value) return damaged(value.error().message);
    return value;
  }

  // ---- Runs ----

  Result<std::vector<RunRow>> read_runs(Statement& statement) {
    std::vector<RunRow> rows;
    std::vector<std::int64_t> numbers;
    while (true) {
      const Result<bool> more = statement.step();
      if (!more) return Failure(more.error());
      if (!*more) break;
      Result<RunRow> row = read_run(statement);
      if (!row) return Failure(std::move(row).error());
      numbers.push_back(statement.integer(0));
      rows.push_back(std::move(*row));
    }
    if (rows.empty()) return rows;
    Result<> arguments =
        read_names(numbers, "arguments", [&](std::size_t row, std::string name, std::string_view text) -> Result<> {
          Result<Value> value = json(text, "argument " + name);
          if (!value) return Failure(std::move(value).error());
          rows[row].arguments.as_struct().emplace(std::move(name), std::move(*value));
          return {};
        });
    if (!arguments) return Failure(std::move(arguments).error());
    Result<> labels =
        read_names(numbers, "labels", [&](std::size_t row, std::string name, std::string_view text) -> Result<> {
          rows[row].labels.emplace(std::move(name), text);
          return {};
        });
    if (!labels) return Failure(std::move(labels).error());
    return rows;
  }

  Result<RunRow> read_run(const Statement& statement) const {
    RunRow row;
    row.id = statement.text(1);
    row.pipeline = statement.text(2);
    const auto state = state_from_text(statement.text(3), engine::RunState::cancelled);
    if (!state)
      return damaged(fmt::format("run {} has the state \"{}\"", printable(row.id), printable(statement.text(3))));
    row.state = *state;
    row.created = statement.time(4);
    row.finished = statement.optional_time(5);
    row.root = statement.text(6);
    row.spec_file = statement.text(7);
    row.spec_digest = statement.text(8);
    row.command_line = statement.text(9);
    row.mlpipe_version = statement.text(10);
    row.engine = statement.text(11);
    row.host = statement.text(12);
    row.git_commit = statement.text(13);
    row.git_dirty = statement.integer(14) != 0;
    row.tasks = static_cast<std::size_t>(statement.integer(15));
    for (std::size_t index = 0; index < engine::k_task_states; ++index) {
      row.counts[index] = static_cast<std::size_t>(statement.integer(16 + static_cast<int>(index)));
    }
    row.interrupted = row.state == engine::RunState::running && !(is_running_ && is_running_(row.id));
    return row;
  }

  // Gives `take` the rows of `table`, (run, name, value), of the runs with these numbers, which are descending.
  template <class Take>
  Result<> read_names(const std::vector<std::int64_t>& numbers, std::string_view table, Take&& take) {
    Result<Statement> statement = database_->prepare(
        fmt::format("SELECT run, name, value FROM {} WHERE run BETWEEN ?1 AND ?2 ORDER BY run DESC, name DESC", table));
    if (!statement) return Failure(std::move(statement).error());
    statement->query(numbers.back(), numbers.front());
    std::size_t row = 0;
    while (true) {
      const Result<bool> more = statement->step();
      if (!more) return Failure(more.error());
      if (!*more) return {};
      while (row < numbers.size() && numbers[row] > statement->integer(0)) ++row;
      if (row == numbers.size()) return {};
      if (numbers[row] != statement->integer(0)) continue;
      if (Result<> taken = take(row, std::string(statement->text(1)), statement->text(2)); !taken) return taken;
    }
  }

  template <class... Values>
  Result<std::optional<RunRow>> one_run(std::string_view where, const Values&... values) {
    Result<Statement> statement = database_->prepare(fmt::format("{}{}", k_run_columns, where));
    if (!statement) return Failure(std::move(statement).error());
    statement->query(values...);
    Result<std::vector<RunRow>> rows = read_runs(*statement);
    if (!rows) return Failure(std::move(rows).error());
    return rows->empty() ? std::nullopt : std::optional(std::move(rows->front()));
  }

  Result<RunRow> latest_run() {
    Result<std::optional<RunRow>> run = one_run("ORDER BY run DESC LIMIT 1");
    if (!run) return Failure(std::move(run).error());
    if (!*run) return no_runs();
    return std::move(**run);
  }

  Failure no_runs() const {
    return fail_with_hint(ErrorCode::not_found,
                          fmt::format("record {}: there is no run on this root yet", database_->file().string()),
                          "start one with `mlpipe run`, or name another root with --root");
  }

  template <class... Values>
  Result<std::vector<std::string>> ids(std::string_view sql, const Values&... values) {
    Result<Statement> statement = database_->prepare(sql);
    if (!statement) return Failure(std::move(statement).error());
    statement->query(values...);
    std::vector<std::string> found;
    while (true) {
      const Result<bool> more = statement->step();
      if (!more) return Failure(more.error());
      if (!*more) return found;
      found.emplace_back(statement->text(0));
    }
  }

  Result<RunRow> run_by_prefix(const std::string& prefix) {
    // Run ids are ASCII: all that begin with the prefix are below it with DEL added.
    Result<std::vector<std::string>> fitting =
        ids("SELECT id FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY run DESC", prefix, prefix + '\x7f');
    if (!fitting) return Failure(std::move(fitting).error());
    if (fitting->empty()) return no_such_run(prefix);
    if (fitting->size() > 1) return several_runs(prefix, *fitting);
    Result<std::optional<RunRow>> run = one_run("WHERE id = ?1", fitting->front());
    if (!run) return Failure(std::move(run).error());
    return std::move(run->value());
  }

  Failure several_runs(const std::string& prefix, const std::vector<std::string>& fitting) const {
    const std::size_t shown = std::min(fitting.size(), k_candidates_shown);
    std::string list = join(std::span(fitting).first(shown), ", ");
    if (shown < fitting.size()) list += fmt::format(" and {} more", fitting.size() - shown);
    return fail_with_hint(ErrorCode::conflict,
                          fmt::format("{} runs begin with \"{}\": {}", fitting.size(), printable(prefix), list),
                          "give more of the run id");
  }

  Failure no_such_run(const std::string& reference) {
    const Result<std::vector<std::string>> all = ids("SELECT id FROM runs ORDER BY run DESC");
    if (!all) return Failure(all.error());
    if (all->empty()) return no_runs();
    const std::optional<std::string> near = closest(reference, *all);
    std::string hint = near ? fmt::format("did you mean {}? ", *near) : "";
    hint += "`mlpipe runs` lists the runs";
    return fail_with_hint(
        ErrorCode::not_found,
        fmt::format("no run \"{}\" in the record {}", printable(reference), database_->file().string()), hint);
  }

  Result<std::int64_t> number_of_run(const std::string& run_id) {
    Result<Statement> statement = database_->prepare("SELECT run FROM runs WHERE id = ?1");
    if (!statement) return Failure(std::move(statement).error());
    statement->query(run_id);
    const Result<bool> found = statement->step();
    if (!found) return Failure(found.error());
    if (!*found) return no_such_run(run_id);
    return statement->integer(0);
  }

  // ---- Tasks ----

  // Calls `take(statement)` for each row of `sql` about run ?1.
  template <class Take>
  Result<> each_row(std::string_view sql, std::int64_t run, Take&& take) {
    Result<Statement> statement = database_->prepare(sql);
    if (!statement) return Failure(std::move(statement).error());
    statement->query(run);
    while (true) {
      const Result<bool> more = statement->step();
      if (!more) return Failure(more.error());
      if (!*more) return {};
      if (Result<> taken = take(*statement); !taken) return taken;
    }
  }

  Result<> read_tasks(std::int64_t run, std::vector<TaskRow>& rows) {
    return each_row(
        "SELECT task, path, component, image, state, reason, coalesce(images.id, ''), coalesce(digest, '') "
        "FROM tasks LEFT JOIN images ON images.run = tasks.run AND reference = image WHERE tasks.run = ?1 ORDER BY "
        "task",
        run, [&](const Statement& statement) -> Result<> {
          const auto state = state_from_text(statement.text(4), engine::TaskState::cancelled);
          if (!state || statement.integer(0) != static_cast<std::int64_t>(rows.size())) {
            return damaged(
                fmt::format("task {} has the state \"{}\"", statement.integer(0), printable(statement.text(4))));
          }
          TaskRow& row = rows.emplace_back();
          row.path = statement.text(1);
          row.component = statement.text(2);
          row.image = statement.text(3);
          row.state = *state;
          row.reason = statement.text(5);
          row.image_id = statement.text(6);
          row.image_digest = statement.text(7);
          return {};
        });
  }

  // The task that a row with its number in column 0 is about.
  Result<TaskRow*> task_of(const Statement& statement, std::vector<TaskRow>& rows) const {
    const std::int64_t number = statement.integer(0);
    if (number < 0 || number >= static_cast<std::int64_t>(rows.size()))
      return damaged(fmt::format("there is no task {}", number));
    return &rows[static_cast<std::size_t>(number)];
  }

  Result<> read_attempts(std::int64_t run, std::vector<TaskRow>& rows) {
    return each_row(
        "SELECT task, attempt, container, state, exit_code, oom_killed, message, hint, started, running, finished "
        "FROM attempts WHERE run = ?1 ORDER BY task, attempt",
        run, [&](const Statement& statement) -> Result<> {
          const Result<TaskRow*> task = task_of(statement, rows);
          if (!task) return Failure(task.error());
          AttemptRow& row = (*task)->attempts.emplace_back();
          row.number = static_cast<int>(statement.integer(1));
          row.container = statement.text(2);
          row.state = statement.text(3);
          row.exit_code = static_cast<int>(statement.integer(4));
          row.oom_killed = statement.integer(5) != 0;
          row.message = statement.text(6);
          row.hint = statement.text(7);
          row.started = statement.optional_time(8);
          row.running = statement.optional_time(9);
          row.finished = statement.optional_time(10);
          return {};
        });
  }

  // Where a row (task, attempt, direction, ...) belongs: the outputs, the inputs, or nowhere (inputs of an earlier attempt).
  Result<engine::TaskData*> data_of(const Statement& statement, std::vector<TaskRow>& rows) const {
    const Result<TaskRow*> task = task_of(statement, rows);
    if (!task) return Failure(task.error());
    if (statement.text(2) == "output") return &(*task)->outputs;
    const std::vector<AttemptRow>& attempts = (*task)->attempts;
    return !attempts.empty() && attempts.back().number == statement.integer(1) ? &(*task)->inputs : nullptr;
  }

  Result<> read_parameters(std::int64_t run, std::vector<TaskRow>& rows) {
    return each_row("SELECT task, attempt, direction, name, value FROM parameters WHERE run = ?1", run,
                    [&](const Statement& statement) -> Result<> {
                      const Result<engine::TaskData*> data = data_of(statement, rows);
                      if (!data) return Failure(data.error());
                      if (*data == nullptr) return {};
                      std::string name(statement.text(3));
                      Result<Value> value = json(statement.text(4), "parameter " + name);
                      if (!value) return Failure(std::move(value).error());
                      (*data)->parameters.insert_or_assign(std::move(name), std::move(*value));
                      return {};
                    });
  }

  Result<> read_artifacts(std::int64_t run, std::vector<TaskRow>& rows) {
    return each_row(
        "SELECT task, attempt, direction, name, artifact, type, uri, digest, bytes, is_folder, metadata FROM artifacts "
        "WHERE run = ?1",
        run, [&](const Statement& statement) -> Result<> {
          const Result<engine::TaskData*> data = data_of(statement, rows);
          if (!data) return Failure(data.error());
          if (*data == nullptr) return {};
          engine::Artifact artifact;
          artifact.name = statement.text(4);
          artifact.type = statement.text(5);
          artifact.uri = statement.text(6);
          artifact.digest = statement.text(7);
          artifact.bytes = static_cast<std::uint64_t>(statement.integer(8));
          artifact.is_folder = statement.integer(9) != 0;
          Result<Value> metadata = json(statement.text(10), "metadata of " + artifact.name);
          if (!metadata) return Failure(std::move(metadata).error());
          artifact.metadata = std::move(*metadata);
          (*data)->artifacts.insert_or_assign(std::string(statement.text(3)), std::move(artifact));
          return {};
        });
  }

  Result<std::vector<EventRow>> read_events(Statement& statement) const {
    std::vector<EventRow> rows;
    while (true) {
      const Result<bool> more = statement.step();
      if (!more) return Failure(more.error());
      if (!*more) return rows;
      EventRow& row = rows.emplace_back();
      row.number = statement.integer(0);
      row.at = statement.time(1);
      row.task = statement.text(2);
      row.attempt = static_cast<int>(statement.integer(3));
      row.from = statement.text(4);
      row.to = statement.text(5);
      row.reason = statement.text(6);
      if (!statement.is_null(7)) row.retry_in = std::chrono::milliseconds(statement.integer(7));
    }
  }

  std::unique_ptr<Database> database_;
  IsRunning is_running_;
};

}  // namespace

Result<std::unique_ptr<Queries>> open_queries(const std::filesystem::path& database, IsRunning is_running) {
  return SqliteQueries::open(database, std::move(is_running));
}

}  // namespace mlpipe::metadata
