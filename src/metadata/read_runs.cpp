#include "metadata/read_runs.hpp"

#include <algorithm>
#include <unordered_map>

#include "metadata/reading.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::metadata {
namespace {

constexpr std::size_t k_candidates_shown = 10;

// As RunReader::read_row() takes them. The columns of the counts have the names of the states.
std::string select_runs() {
  std::string sql =
      "SELECT run, id, pipeline, state, created, finished, root, spec_file, spec_digest, command_line, mlpipe_version, "
      "engine, host, git_commit, git_dirty, tasks, cached, parent, options, experiment, note";
  for (std::size_t state = 0; state < engine::k_task_states; ++state) {
    sql += fmt::format(", {}", engine::to_string(static_cast<engine::TaskState>(state)));
  }
  return sql + " FROM runs ";
}

// Gives `take` the rows of `table`, (run, name, value), of the runs with these numbers.
template <class Take>
Result<> read_names(Database& database, const std::vector<std::int64_t>& numbers, std::string_view table, Take&& take) {
  std::unordered_map<std::int64_t, std::size_t> row_of;
  for (std::size_t row = 0; row < numbers.size(); ++row) row_of.emplace(numbers[row], row);
  const auto [first, last] = std::minmax_element(numbers.begin(), numbers.end());
  // Mostly they are neighbours. When they are few among many, looking each up is quicker than reading all between.
  constexpr std::int64_t k_sparse = 16;
  const bool sparse = *last - *first > k_sparse * static_cast<std::int64_t>(numbers.size());
  Result<Statement> statement =
      database.prepare(fmt::format("SELECT run, name, value FROM {} WHERE run BETWEEN ?1 AND ?2", table));
  if (!statement) return Failure(std::move(statement).error());
  const auto read_between = [&](std::int64_t from, std::int64_t to) {
    statement->query(from, to);
    return each_row_of(*statement, [&](const Statement& found) -> Result<> {
      const auto row = row_of.find(found.integer(0));
      return row == row_of.end() ? Result<>() : take(row->second, std::string(found.text(1)), found.text(2));
    });
  };
  if (!sparse) return read_between(*first, *last);
  for (const std::int64_t number : numbers) {
    if (Result<> read = read_between(number, number); !read) return read;
  }
  return {};
}

Failure several_runs(const std::string& prefix, const std::vector<std::string>& fitting) {
  const std::size_t shown = std::min(fitting.size(), k_candidates_shown);
  std::string list = join(std::span(fitting).first(shown), ", ");
  if (shown < fitting.size()) list += fmt::format(" and {} more", fitting.size() - shown);
  return fail_with_hint(ErrorCode::conflict,
                        fmt::format("{} runs begin with \"{}\": {}", fitting.size(), printable(prefix), list),
                        "give more of the run id");
}

}  // namespace

Result<std::vector<RunRow>> RunReader::newest(std::size_t limit) {
  Result<Statement> statement = database_.prepare(select_runs() + "ORDER BY run DESC LIMIT ?1");
  if (!statement) return Failure(std::move(statement).error());
  statement->query(limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(limit));
  return read(*statement);
}

Result<std::vector<RunRow>> RunReader::with_numbers(const std::vector<std::int64_t>& numbers) {
  if (numbers.empty()) return std::vector<RunRow>();
  std::string list;
  for (const std::int64_t number : numbers) list += fmt::format("{}{}", list.empty() ? "" : ",", number);
  Result<Statement> statement = database_.prepare(fmt::format("{}WHERE run IN ({}) ORDER BY run", select_runs(), list));
  if (!statement) return Failure(std::move(statement).error());
  Result<std::vector<RunRow>> rows = read(*statement);
  if (!rows) return rows;

  std::vector<std::int64_t> sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  if (rows->size() != sorted.size()) return damaged(database_, "a run is not found by its number");
  std::vector<RunRow> ordered;
  ordered.reserve(numbers.size());
  for (const std::int64_t number : numbers) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), number) - sorted.begin();
    ordered.push_back(std::move((*rows)[static_cast<std::size_t>(at)]));
  }
  return ordered;
}

Result<RunRow> RunReader::find(const std::string& reference) {
  if (reference.empty())
    return fail(ErrorCode::invalid_input, "no run is named: give a run id, its beginning, or latest");
  Result<std::optional<RunRow>> exact = one("WHERE id = ?1", reference);
  if (!exact) return Failure(std::move(exact).error());
  if (*exact) return std::move(**exact);
  if (reference != "latest") return by_prefix(reference);
  Result<std::optional<RunRow>> latest = one("ORDER BY run DESC LIMIT 1");
  if (!latest) return Failure(std::move(latest).error());
  if (!*latest) return no_runs();
  return std::move(**latest);
}

Result<std::int64_t> RunReader::number_of(const std::string& run_id) {
  std::optional<std::int64_t> number;
  Result<> read = each_row(
      database_, "SELECT run FROM runs WHERE id = ?1",
      [&](const Statement& statement) -> Result<> {
        number = statement.integer(0);
        return {};
      },
      run_id);
  if (!read) return Failure(std::move(read).error());
  if (!number) return no_such_run(run_id);
  return *number;
}

Result<std::vector<RunRow>> RunReader::read(Statement& statement) {
  std::vector<RunRow> rows;
  std::vector<std::int64_t> numbers;
  Result<> done = each_row_of(statement, [&](const Statement& found) -> Result<> {
    Result<RunRow> row = read_row(found);
    if (!row) return Failure(std::move(row).error());
    numbers.push_back(found.integer(0));
    rows.push_back(std::move(*row));
    return {};
  });
  if (done && !rows.empty()) {
    done = read_names(database_, numbers, "arguments",
                      [&](std::size_t row, std::string name, std::string_view text) -> Result<> {
                        Result<Value> value = json_of(database_, text, "argument " + name);
                        if (!value) return Failure(std::move(value).error());
                        rows[row].arguments.as_struct().emplace(std::move(name), std::move(*value));
                        return {};
                      });
  }
  if (done && !rows.empty()) {
    done = read_names(database_, numbers, "labels",
                      [&](std::size_t row, std::string name, std::string_view text) -> Result<> {
                        rows[row].labels.emplace(std::move(name), text);
                        return {};
                      });
  }
  if (!done) return Failure(std::move(done).error());
  return rows;
}

Result<RunRow> RunReader::read_row(const Statement& statement) const {
  RunRow row;
  Columns columns(statement, 1);
  row.id = columns.text();
  row.pipeline = columns.text();
  const std::string_view state_text = columns.text();
  const auto state = run_state_of(state_text);
  if (!state)
    return damaged(database_, fmt::format("run {} has the state \"{}\"", printable(row.id), printable(state_text)));
  row.state = *state;
  row.created = columns.time();
  row.finished = columns.optional_time();
  row.root = columns.text();
  row.spec_file = columns.text();
  row.spec_digest = columns.text();
  row.command_line = columns.text();
  row.mlpipe_version = columns.text();
  row.engine = columns.text();
  row.host = columns.text();
  row.git_commit = columns.text();
  row.git_dirty = columns.flag();
  row.tasks = columns.count();
  row.cached = columns.count();
  row.parent = columns.text();
  Result<Value> options = json_of(database_, columns.text(), "options of run " + row.id);
  if (!options) return Failure(std::move(options).error());
  row.options = std::move(*options);
  row.experiment = columns.text();
  row.note = columns.text();
  for (std::size_t& count : row.counts) count = columns.count();
  row.interrupted = row.state == engine::RunState::running && !(is_running_ && is_running_(row.id));
  return row;
}

template <class... Values>
Result<std::optional<RunRow>> RunReader::one(std::string_view where, const Values&... values) {
  Result<Statement> statement = database_.prepare(select_runs().append(where));
  if (!statement) return Failure(std::move(statement).error());
  statement->query(values...);
  Result<std::vector<RunRow>> rows = read(*statement);
  if (!rows) return Failure(std::move(rows).error());
  return rows->empty() ? std::nullopt : std::optional(std::move(rows->front()));
}

Result<std::vector<std::string>> RunReader::ids_like(const std::string& prefix) {
  std::vector<std::string> ids;
  // Run ids are ASCII: all that begin with the prefix are below it with DEL added.
  Result<> read = each_row(
      database_, "SELECT id FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY run DESC",
      [&](const Statement& statement) -> Result<> {
        ids.emplace_back(statement.text(0));
        return {};
      },
      prefix, prefix + '\x7f');
  if (!read) return Failure(std::move(read).error());
  return ids;
}

Result<RunRow> RunReader::by_prefix(const std::string& prefix) {
  Result<std::vector<std::string>> fitting = ids_like(prefix);
  if (!fitting) return Failure(std::move(fitting).error());
  if (fitting->empty()) return no_such_run(prefix);
  if (fitting->size() > 1) return several_runs(prefix, *fitting);
  Result<std::optional<RunRow>> run = one("WHERE id = ?1", fitting->front());
  if (!run) return Failure(std::move(run).error());
  return std::move(run->value());
}

Failure RunReader::no_such_run(const std::string& reference) {
  const Result<std::vector<std::string>> all = ids_like("");
  if (!all) return Failure(all.error());
  if (all->empty()) return no_runs();
  const std::optional<std::string> near = closest(reference, *all);
  std::string hint = near ? fmt::format("did you mean {}? ", *near) : "";
  hint += "`mlpipe runs` lists the runs";
  return fail_with_hint(ErrorCode::not_found,
                        fmt::format("no run \"{}\" in the record {}", printable(reference), database_.file().string()),
                        hint);
}

Failure RunReader::no_runs() const {
  return fail_with_hint(ErrorCode::not_found,
                        fmt::format("record {}: there is no run on this root yet", database_.file().string()),
                        "start one with `mlpipe run`, or name another root with --root");
}

}  // namespace mlpipe::metadata
