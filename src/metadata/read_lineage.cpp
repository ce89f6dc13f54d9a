#include "metadata/read_lineage.hpp"

#include "metadata/read_tasks.hpp"
#include "metadata/reading.hpp"

namespace mlpipe::metadata {
namespace {

struct Key {
  std::int64_t run = 0;
  std::int64_t task = 0;
  std::int64_t attempt = 0;
};

Key key_of(const Statement& statement) {
  return {.run = statement.integer(0), .task = statement.integer(1), .attempt = statement.integer(2)};
}

Result<> read_data(Database& database, const Key& key, Making& making) {
  const auto data_of = [&](std::string_view direction) -> engine::TaskData& {
    return direction == "output" ? making.outputs : making.inputs;
  };
  Result<> read = each_row(
      database,
      "SELECT direction, name, value, is_default FROM parameters WHERE run = ?1 AND task = ?2 AND attempt = ?3",
      [&](const Statement& row) -> Result<> {
        std::string name(row.text(1));
        Result<Value> value = json_of(database, row.text(2), "parameter " + name);
        if (!value) return Failure(std::move(value).error());
        if (row.integer(3) != 0) data_of(row.text(0)).defaults.insert(name);
        data_of(row.text(0)).parameters.emplace(std::move(name), std::move(*value));
        return {};
      },
      key.run, key.task, key.attempt);
  if (!read) return read;
  return each_row(
      database,
      fmt::format("SELECT direction, {} FROM artifacts WHERE run = ?1 AND task = ?2 AND attempt = ?3",
                  k_artifact_columns),
      [&](const Statement& row) -> Result<> {
        Result<NamedArtifact> artifact = read_artifact(database, row, 1);
        if (!artifact) return Failure(std::move(artifact).error());
        data_of(row.text(0)).artifacts.emplace(std::move(artifact->name), std::move(artifact->artifact));
        return {};
      },
      key.run, key.task, key.attempt);
}

Result<Making> read_making(Database& database, const Key& key) {
  std::optional<Making> making;
  Result<> read = each_row(
      database,
      "SELECT runs.id, pipeline, path, attempt, attempts.state, component, image, coalesce(images.id, ''), git_commit, "
      "git_dirty, cached_from, removed, attempts.finished, fingerprint "
      "FROM attempts JOIN tasks USING (run, task) JOIN runs USING (run) "
      "LEFT JOIN images ON images.run = tasks.run AND reference = image "
      "WHERE attempts.run = ?1 AND attempts.task = ?2 AND attempt = ?3",
      [&](const Statement& row) -> Result<> {
        Columns columns(row);
        Making& one = making.emplace();
        one.run = columns.text();
        one.pipeline = columns.text();
        one.task = columns.text();
        one.attempt = columns.small();
        one.state = columns.text();
        one.component = columns.text();
        one.image = columns.text();
        one.image_id = columns.text();
        one.git_commit = columns.text();
        one.git_dirty = columns.flag();
        one.cached_from = columns.text();
        one.removed = columns.flag();
        one.finished = columns.optional_time();
        one.fingerprint = columns.text();
        return {};
      },
      key.run, key.task, key.attempt);
  if (read && !making) return damaged(database, fmt::format("an artifact of run {} has no attempt", key.run));
  if (read) read = read_data(database, key, *making);
  if (!read) return Failure(std::move(read).error());
  return std::move(*making);
}

Result<std::optional<Making>> making_at(Database& database, const std::optional<Key>& key) {
  if (!key) return std::optional<Making>();
  Result<Making> making = read_making(database, *key);
  if (!making) return Failure(std::move(making).error());
  return std::optional(std::move(*making));
}

}  // namespace

Result<std::vector<Making>> read_makings(Database& database, const MakingQuery& query) {
  std::vector<Key> keys;
  const std::string_view side = query.side == Side::input ? "input" : "output";
  const bool by_digest = !query.digest.empty();
  Result<> read = each_row(
      database,
      fmt::format("SELECT DISTINCT a.run, a.task, a.attempt FROM artifacts AS a JOIN tasks AS t USING (run, task) "
                  "JOIN runs AS r USING (run) WHERE a.{} = ?1 AND a.direction = ?2 "
                  "AND a.attempt = (SELECT max(attempt) FROM attempts AS l WHERE l.run = a.run AND l.task = a.task) "
                  "AND NOT (r.id = ?5 AND t.path = ?6) "
                  "ORDER BY r.id = ?4 DESC, a.uri = ?3 DESC, a.attempt = 0, a.run DESC, a.task LIMIT ?7",
                  by_digest ? "digest" : "uri"),
      [&](const Statement& row) -> Result<> {
        keys.push_back(key_of(row));
        return {};
      },
      by_digest ? query.digest : query.uri, side, query.uri, query.first_run, query.not_of_run, query.not_of_task,
      static_cast<std::int64_t>(query.limit));
  if (!read) return Failure(std::move(read).error());
  std::vector<Making> makings;
  for (const Key& key : keys) {
    Result<Making> making = read_making(database, key);
    if (!making) return Failure(std::move(making).error());
    makings.push_back(std::move(*making));
  }
  return makings;
}

Result<std::optional<Making>> read_making_of(Database& database, std::int64_t run, const std::string& task) {
  std::optional<Key> key;
  Result<> read = each_row(
      database,
      "SELECT run, task, max(attempt) FROM tasks JOIN attempts USING (run, task) WHERE run = ?1 AND path = ?2 "
      "GROUP BY run, task",
      [&](const Statement& row) -> Result<> {
        key = key_of(row);
        return {};
      },
      run, task);
  if (!read) return Failure(std::move(read).error());
  return making_at(database, key);
}

Result<std::optional<Making>> read_earlier_making(Database& database, std::int64_t run, const std::string& task,
                                                  Comparable comparable) {
  // The order of the tables is the order of the loops, the newest run first: mostly the first row is the answer. Only when
  // no attempt succeeded all of them are looked at, twice.
  constexpr std::string_view k_sql =
      "SELECT a.run, a.task, a.attempt FROM runs AS now CROSS JOIN runs AS r CROSS JOIN tasks AS t CROSS JOIN attempts "
      "AS a WHERE now.run = ?1 AND r.pipeline = now.pipeline AND r.run < now.run AND t.run = r.run AND t.path = ?2 "
      "AND a.run = t.run AND a.task = t.task {} {} ORDER BY r.run DESC, a.attempt DESC LIMIT 1";
  const std::string_view with_fingerprint = comparable == Comparable::with_fingerprint ? "AND a.fingerprint <> ''" : "";
  std::optional<Key> key;
  for (const std::string_view ended : {"AND a.state IN ('succeeded', 'cached')", ""}) {
    if (key) break;
    Result<> read = each_row(
        database, fmt::format(fmt::runtime(k_sql), with_fingerprint, ended),
        [&](const Statement& row) -> Result<> {
          key = key_of(row);
          return {};
        },
        run, task);
    if (!read) return Failure(std::move(read).error());
  }
  return making_at(database, key);
}

Result<std::vector<std::string>> read_digests(Database& database, const std::string& prefix, std::size_t limit) {
  std::vector<std::string> digests;
  // Digests are ASCII: all that begin with the prefix are below it with DEL added.
  Result<> read = each_row(
      database, "SELECT DISTINCT digest FROM artifacts WHERE digest >= ?1 AND digest < ?2 ORDER BY digest LIMIT ?3",
      [&](const Statement& row) -> Result<> {
        digests.emplace_back(row.text(0));
        return {};
      },
      prefix, prefix + '\x7f', static_cast<std::int64_t>(limit));
  if (!read) return Failure(std::move(read).error());
  return digests;
}

Result<std::vector<OutputPlace>> read_outputs_at(Database& database, const std::string& uri) {
  std::vector<OutputPlace> places;
  Result<> read = each_row(
      database,
      "SELECT id, path, name FROM artifacts JOIN tasks USING (run, task) JOIN runs USING (run) "
      "WHERE direction = 'output' AND uri = ?1 ORDER BY attempt = 0, run DESC, task",
      [&](const Statement& row) -> Result<> {
        places.push_back({std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2))});
        return {};
      },
      uri);
  if (!read) return Failure(std::move(read).error());
  return places;
}

}  // namespace mlpipe::metadata
