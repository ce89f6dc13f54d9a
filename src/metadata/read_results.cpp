#include "metadata/read_results.hpp"

#include <array>

#include "metadata/read_tasks.hpp"
#include "metadata/reading.hpp"

namespace mlpipe::metadata {

Result<ResultReader> ResultReader::prepare(Database& database) {
  ResultReader reader(database);
  const std::pair<Statement*, std::string> entries[] = {
      {&reader.find_results_,
       "SELECT a.run, a.task, a.attempt, runs.id, tasks.path, a.finished, tasks.removed FROM attempts AS a "
       "JOIN tasks ON tasks.run = a.run AND tasks.task = a.task JOIN runs ON runs.run = a.run "
       "WHERE a.fingerprint = ?1 AND a.fingerprint <> '' AND a.state IN ('succeeded', 'cached') "
       "ORDER BY a.run DESC, a.task DESC LIMIT ?2"},
      {&reader.parameters_,
       "SELECT name, value FROM parameters WHERE run = ?1 AND task = ?2 AND attempt = ?3 AND direction = 'output'"},
      {&reader.artifacts_,
       fmt::format("SELECT {} FROM artifacts WHERE run = ?1 AND task = ?2 AND attempt = ?3 AND direction = 'output'",
                   k_artifact_columns)},
  };
  for (const auto& [statement, sql] : entries) {
    Result<Statement> prepared = database.prepare(sql);
    if (!prepared) return Failure(std::move(prepared).error());
    *statement = std::move(*prepared);
  }
  return reader;
}

Result<std::vector<StoredResult>> ResultReader::find(const std::string& fingerprint, std::size_t limit) {
  std::vector<StoredResult> found;
  std::vector<std::array<std::int64_t, 3>> keys;
  find_results_.query(fingerprint, static_cast<std::int64_t>(limit));
  Result<> read = each_row_of(find_results_, [&](const Statement& row) -> Result<> {
    Columns columns(row);
    auto& [run, task, attempt] = keys.emplace_back();
    run = columns.integer();
    task = columns.integer();
    attempt = columns.integer();
    StoredResult& result = found.emplace_back();
    result.run_id = columns.text();
    result.task = columns.text();
    result.finished = columns.optional_time().value_or(WallTime{});
    result.removed = columns.flag();
    return {};
  });
  if (!read) return Failure(std::move(read).error());

  for (std::size_t i = 0; i < keys.size(); ++i) {
    engine::TaskData& outputs = found[i].outputs;
    parameters_.query(keys[i][0], keys[i][1], keys[i][2]);
    read = each_row_of(parameters_, [&](const Statement& row) -> Result<> {
      std::string name(row.text(0));
      Result<Value> value = json_of(*database_, row.text(1), "output parameter " + name);
      if (!value) return Failure(std::move(value).error());
      outputs.parameters.emplace(std::move(name), std::move(*value));
      return {};
    });
    if (!read) return Failure(std::move(read).error());
    artifacts_.query(keys[i][0], keys[i][1], keys[i][2]);
    read = each_row_of(artifacts_, [&](const Statement& row) -> Result<> {
      Result<NamedArtifact> artifact = read_artifact(*database_, row, 0);
      if (!artifact) return Failure(std::move(artifact).error());
      outputs.artifacts.emplace(std::move(artifact->name), std::move(artifact->artifact));
      return {};
    });
    if (!read) return Failure(std::move(read).error());
  }
  return found;
}

}  // namespace mlpipe::metadata
