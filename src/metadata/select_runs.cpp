#include "metadata/select_runs.hpp"

#include <algorithm>

#include "metadata/read_runs.hpp"
#include "metadata/reading.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::metadata {
namespace {

using Parameter = Statement::Parameter;

// A condition of SQL and what is bound in it.
class Sql final {
 public:
  // The "?N" that stands for `value`.
  std::string bound(Parameter value) {
    values_.push_back(std::move(value));
    return fmt::format("?{}", values_.size());
  }
  void require(const std::string& condition) { where_ += (where_.empty() ? "WHERE " : " AND ") + condition; }
  const std::string& where() const { return where_; }
  const std::vector<Parameter>& values() const { return values_; }

 private:
  std::string where_;
  std::vector<Parameter> values_;
};

// Is the row of `metrics AS m JOIN tasks AS t` one that `metric` means? Looks at names first, so that tasks are read only for
// rows which may be.
std::string means(Sql& sql, const std::string& metric) {
  std::string condition = fmt::format("m.name = {}", sql.bound(metric));
  for (std::size_t dot = metric.find('.'); dot != std::string::npos; dot = metric.find('.', dot + 1)) {
    const std::string before = sql.bound(metric.substr(0, dot));
    condition += fmt::format(
        " OR (m.name = {0} AND (m.artifact = {1} OR EXISTS (SELECT 1 FROM tasks AS t WHERE t.run = m.run AND "
        "t.task = m.task AND (t.path = {1} OR t.path || '.' || m.artifact = {1}))))",
        sql.bound(metric.substr(dot + 1)), before);
  }
  return "(" + condition + ")";
}

const char* sql_of(Comparison comparison) {
  switch (comparison) {
    case Comparison::less: return "<";
    case Comparison::at_most: return "<=";
    case Comparison::equal: return "=";
    case Comparison::at_least: return ">=";
    case Comparison::greater: return ">";
  }
  return "=";
}

engine::RunState state_of(RunStatus status) {
  switch (status) {
    case RunStatus::running:
    case RunStatus::interrupted: return engine::RunState::running;
    case RunStatus::succeeded: return engine::RunState::succeeded;
    case RunStatus::failed: return engine::RunState::failed;
    case RunStatus::cancelled: return engine::RunState::cancelled;
  }
  return engine::RunState::running;
}

void require_named(Sql& sql, std::string_view table, const std::string& name, const std::string& values) {
  sql.require(fmt::format("EXISTS (SELECT 1 FROM {} AS n WHERE n.run = runs.run AND n.name = {} AND n.value IN ({}))",
                          table, sql.bound(name), values));
}

void require_all(Sql& sql, const RunFilter& filter) {
  if (!filter.pipeline.empty()) sql.require("pipeline = " + sql.bound(filter.pipeline));
  if (!filter.experiment.empty()) sql.require("experiment = " + sql.bound(filter.experiment));
  if (filter.since) sql.require("created >= " + sql.bound(std::int64_t{filter.since->time_since_epoch().count()}));
  if (!filter.statuses.empty()) {
    std::string states;
    for (const RunStatus status : filter.statuses) {
      states += (states.empty() ? "" : ", ") + sql.bound(std::string(engine::to_string(state_of(status))));
    }
    sql.require(fmt::format("state IN ({})", states));
  }
  for (const auto& [name, text] : filter.parameters) {
    // A parameter is recorded as JSON: the text is that of a string, or JSON itself.
    std::string values = sql.bound(to_json(Value(text)));
    if (const Result<Value> value = parse_json(text, "value"); value) values += ", " + sql.bound(to_json(*value));
    require_named(sql, "arguments", name, values);
  }
  for (const auto& [name, text] : filter.labels) require_named(sql, "labels", name, sql.bound(text));
  for (const MetricCondition& condition : filter.metrics) {
    const std::string meant = means(sql, condition.metric);
    sql.require(fmt::format("EXISTS (SELECT 1 FROM metrics AS m WHERE m.run = runs.run AND {} AND m.value {} {})",
                            meant, sql_of(condition.comparison), sql.bound(condition.value)));
  }
}

// What is known of a run before it is chosen.
struct Candidate {
  std::int64_t number = 0;
  std::optional<double> key;
};

class Selecting final {
 public:
  Selecting(Database& database, const IsRunning& is_running, const RunSelection& selection)
      : database_(database), is_running_(is_running), selection_(selection) {}

  Result<std::vector<SelectedRun>> run() {
    if (Result<> found = find_candidates(); !found) return Failure(std::move(found).error());
    if (selection_.sort) sort_candidates();
    if (selection_.limit > 0 && candidates_.size() > selection_.limit) candidates_.resize(selection_.limit);

    std::vector<std::int64_t> numbers;
    for (const Candidate& candidate : candidates_) numbers.push_back(candidate.number);
    Result<std::vector<RunRow>> rows = RunReader(database_, is_running_).with_numbers(numbers);
    if (!rows) return Failure(std::move(rows).error());
    std::vector<SelectedRun> selected;
    selected.reserve(rows->size());
    for (RunRow& row : *rows) selected.push_back({.run = std::move(row), .metrics = {}});
    for (const std::string& metric : asked_metrics(selection_)) {
      if (Result<> read = read_metric(metric, numbers, selected); !read) return Failure(std::move(read).error());
    }
    return selected;
  }

 private:
  Result<> find_candidates() {
    Sql sql;
    require_all(sql, selection_.filter);
    std::string key = "NULL";
    if (selection_.sort && selection_.sort->key == RunKey::metric) {
      const char* one = selection_.sort->direction == Direction::ascending ? "min" : "max";
      key = fmt::format("(SELECT {}(m.value) FROM metrics AS m WHERE m.run = runs.run AND {})", one,
                        means(sql, selection_.sort->metric));
    }
    Result<Statement> statement = database_.prepare(
        fmt::format("SELECT run, id, state, created, finished, {} FROM runs {} ORDER BY run DESC", key, sql.where()));
    if (!statement) return Failure(std::move(statement).error());
    statement->query_list(sql.values());
    while (true) {
      const Result<bool> more = statement->step();
      if (!more) return Failure(more.error());
      if (!*more) return {};
      add(*statement);
      const bool enough = selection_.limit > 0 && candidates_.size() == selection_.limit;
      if (enough && !selection_.sort) return {};
    }
  }

  void add(const Statement& statement) {
    const bool unfinished = statement.text(2) == engine::to_string(engine::RunState::running);
    const bool runs = unfinished && is_running_ && is_running_(std::string(statement.text(1)));
    const std::vector<RunStatus>& wanted = selection_.filter.statuses;
    const RunStatus status = runs ? RunStatus::running : RunStatus::interrupted;
    if (unfinished && !wanted.empty() && std::find(wanted.begin(), wanted.end(), status) == wanted.end()) return;
    Candidate& candidate = candidates_.emplace_back(Candidate{.number = statement.integer(0), .key = std::nullopt});
    if (!selection_.sort) return;
    switch (selection_.sort->key) {
      case RunKey::created: candidate.key = static_cast<double>(statement.integer(3)); break;
      case RunKey::duration: {
        if (unfinished && !runs) break;
        const std::int64_t end =
            statement.is_null(4) ? selection_.now.time_since_epoch().count() : statement.integer(4);
        candidate.key = static_cast<double>(std::max(std::int64_t{0}, end - statement.integer(3)));
        break;
      }
      case RunKey::metric:
        if (!statement.is_null(5)) candidate.key = statement.real(5);
        break;
    }
  }

  // They come newest first, which stays so among equals.
  void sort_candidates() {
    const bool ascending = selection_.sort->direction == Direction::ascending;
    std::stable_sort(candidates_.begin(), candidates_.end(), [&](const Candidate& left, const Candidate& right) {
      if (!left.key || !right.key) return left.key.has_value() && !right.key;
      return ascending ? *left.key < *right.key : *left.key > *right.key;
    });
  }

  Result<> read_metric(const std::string& metric, const std::vector<std::int64_t>& numbers,
                       std::vector<SelectedRun>& selected) {
    Sql sql;
    const std::string run = sql.bound(std::int64_t{0});
    const std::string meant = means(sql, metric);
    Result<Statement> statement = database_.prepare(fmt::format(
        "SELECT path, artifact, name, value FROM metrics AS m JOIN tasks USING (run, task) WHERE m.run = {} AND {} "
        "ORDER BY task, artifact, name",
        run, meant));
    if (!statement) return Failure(std::move(statement).error());
    std::vector<Parameter> values = sql.values();
    for (std::size_t at = 0; at < numbers.size(); ++at) {
      values[0] = numbers[at];
      statement->query_list(values);
      std::vector<MetricRow>& rows = selected[at].metrics.emplace_back();
      Result<> read = each_row_of(*statement, [&](const Statement& found) -> Result<> {
        Columns columns(found);
        MetricRow& row = rows.emplace_back();
        row.task = columns.text();
        row.output = columns.text();
        row.name = columns.text();
        row.value = columns.real();
        return {};
      });
      if (!read) return read;
    }
    return {};
  }

  Database& database_;
  const IsRunning& is_running_;
  const RunSelection& selection_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::string_view to_string(RunStatus status) {
  return status == RunStatus::interrupted ? "interrupted" : engine::to_string(state_of(status));
}

std::vector<std::string> asked_metrics(const RunSelection& selection) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const MetricCondition& condition : selection.filter.metrics) add(condition.metric);
  if (selection.sort && selection.sort->key == RunKey::metric) add(selection.sort->metric);
  return names;
}

Result<std::vector<SelectedRun>> select_runs(Database& database, const IsRunning& is_running,
                                             const RunSelection& selection) {
  return Selecting(database, is_running, selection).run();
}

}  // namespace mlpipe::metadata
