#include "metadata/read_tasks.hpp"

#include "metadata/reading.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::metadata {
namespace {

// A task's result from the cache stands at this attempt.
constexpr int k_cached_attempt = 0;

// The tasks of one run while they are read, table by table.
class Tasks final {
 public:
  Tasks(Database& database, std::int64_t run) : database_(database), run_(run) {}

  Result<> read_tasks() {
    return each_row(
        database_,
        "SELECT task, path, component, image, state, reason, coalesce(images.id, ''), coalesce(digest, ''), "
        "cached_from, removed "
        "FROM tasks LEFT JOIN images ON images.run = tasks.run AND reference = image WHERE tasks.run = ?1 "
        "ORDER BY task",
        [&](const Statement& statement) -> Result<> {
          const auto state = task_state_of(statement.text(4));
          if (!state || statement.integer(0) != static_cast<std::int64_t>(rows_.size())) {
            return damaged(database_, fmt::format("task {} has the state \"{}\"", statement.integer(0),
                                                  printable(statement.text(4))));
          }
          TaskRow& row = rows_.emplace_back();
          latest_.push_back(-1);
          row.path = statement.text(1);
          row.component = statement.text(2);
          row.image = statement.text(3);
          row.state = *state;
          Columns columns(statement, 5);
          row.reason = columns.text();
          row.image_id = columns.text();
          row.image_digest = columns.text();
          row.cached_from = columns.text();
          row.removed = columns.flag();
          return {};
        },
        run_);
  }

  Result<> read_attempts() {
    return each_row(
        database_,
        "SELECT task, attempt, container, state, exit_code, oom_killed, message, hint, started, running, finished, "
        "fingerprint, why, stop_reason, memory "
        "FROM attempts WHERE run = ?1 ORDER BY task, attempt",
        [&](const Statement& statement) -> Result<> {
          const Result<std::size_t> task = task_of(statement);
          if (!task) return Failure(task.error());
          AttemptRow row;
          Columns columns(statement, 1);
          row.number = columns.small();
          row.container = columns.text();
          row.state = columns.text();
          row.exit_code = columns.small();
          row.oom_killed = columns.flag();
          row.message = columns.text();
          row.hint = columns.text();
          row.started = columns.optional_time();
          row.running = columns.optional_time();
          row.finished = columns.optional_time();
          row.fingerprint = columns.text();
          row.why = columns.text();
          row.stop_reason = columns.text();
          row.memory = static_cast<std::uint64_t>(columns.integer());
          latest_[*task] = row.number;
          rows_[*task].fingerprint = row.fingerprint;
          if (row.number == k_cached_attempt) {
            rows_[*task].cached_at = row.started;
            rows_[*task].made = row.finished;
          } else {
            rows_[*task].attempts.push_back(std::move(row));
          }
          return {};
        },
        run_);
  }

  Result<> read_parameters() {
    return each_row(
        database_, "SELECT task, attempt, direction, name, value, is_default FROM parameters WHERE run = ?1",
        [&](const Statement& statement) -> Result<> {
          const Result<engine::TaskData*> data = data_of(statement);
          if (!data) return Failure(data.error());
          if (*data == nullptr) return {};
          std::string name(statement.text(3));
          Result<Value> value = json_of(database_, statement.text(4), "parameter " + name);
          if (!value) return Failure(std::move(value).error());
          if (statement.integer(5) != 0) (*data)->defaults.insert(name);
          (*data)->parameters.insert_or_assign(std::move(name), std::move(*value));
          return {};
        },
        run_);
  }

  Result<> read_artifacts() {
    return each_row(
        database_, fmt::format("SELECT task, attempt, direction, {} FROM artifacts WHERE run = ?1", k_artifact_columns),
        [&](const Statement& statement) -> Result<> {
          const Result<engine::TaskData*> data = data_of(statement);
          if (!data) return Failure(data.error());
          if (*data == nullptr) return {};
          Result<NamedArtifact> read = read_artifact(database_, statement, 3);
          if (!read) return Failure(std::move(read).error());
          (*data)->artifacts.insert_or_assign(std::move(read->name), std::move(read->artifact));
          return {};
        },
        run_);
  }

  std::vector<TaskRow> take() { return std::move(rows_); }

 private:
  // The task that a row with its number in column 0 is about.
  Result<std::size_t> task_of(const Statement& statement) const {
    const std::int64_t number = statement.integer(0);
    if (number < 0 || number >= static_cast<std::int64_t>(rows_.size()))
      return damaged(database_, fmt::format("there is no task {}", number));
    return static_cast<std::size_t>(number);
  }

  // Where a row (task, attempt, direction, ...) belongs: the outputs, the inputs, or nowhere (inputs of an earlier attempt).
  Result<engine::TaskData*> data_of(const Statement& statement) {
    const Result<std::size_t> task = task_of(statement);
    if (!task) return Failure(task.error());
    if (statement.text(2) == "output") return &rows_[*task].outputs;
    return latest_[*task] == statement.integer(1) ? &rows_[*task].inputs : nullptr;
  }

  Database& database_;
  std::int64_t run_;
  std::vector<TaskRow> rows_;
  std::vector<int> latest_;  // attempt of each task; -1: none
};

}  // namespace

Result<NamedArtifact> read_artifact(const Database& database, const Statement& statement, int first) {
  NamedArtifact read;
  Columns columns(statement, first);
  read.name = columns.text();
  engine::Artifact& artifact = read.artifact;
  artifact.name = columns.text();
  artifact.type = columns.text();
  artifact.uri = columns.text();
  artifact.digest = columns.text();
  artifact.bytes = static_cast<std::uint64_t>(columns.integer());
  artifact.is_folder = columns.flag();
  Result<Value> metadata = json_of(database, columns.text(), "metadata of " + artifact.name);
  if (!metadata) return Failure(std::move(metadata).error());
  artifact.metadata = std::move(*metadata);
  return read;
}

Result<std::vector<TaskRow>> read_tasks(Database& database, std::int64_t run) {
  Tasks tasks(database, run);
  if (Result<> read = tasks.read_tasks(); !read) return Failure(std::move(read).error());
  if (Result<> read = tasks.read_attempts(); !read) return Failure(std::move(read).error());
  if (Result<> read = tasks.read_parameters(); !read) return Failure(std::move(read).error());
  if (Result<> read = tasks.read_artifacts(); !read) return Failure(std::move(read).error());
  return tasks.take();
}

}  // namespace mlpipe::metadata
