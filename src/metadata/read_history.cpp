#include "metadata/read_history.hpp"

#include <algorithm>
#include <unordered_map>

#include "metadata/reading.hpp"

namespace mlpipe::metadata {
namespace {

using std::chrono::milliseconds;

constexpr int k_most_runs = 100;
constexpr int k_most_idle = 10;  // runs behind each other that tell nothing new

milliseconds median_of(std::vector<milliseconds>& durations) {
  const auto middle = durations.begin() + static_cast<std::ptrdiff_t>(durations.size() / 2);
  std::ranges::nth_element(durations, middle);
  if (durations.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(durations.begin(), middle)) / 2;
}

// The newest runs with `condition`.
Result<std::vector<std::int64_t>> runs_in_which(Database& database, std::string_view condition,
                                                const std::string& pipeline) {
  std::vector<std::int64_t> runs;
  Result<> read = each_row(
      database, fmt::format("SELECT run FROM runs WHERE pipeline = ?1 AND {} ORDER BY run DESC LIMIT ?2", condition),
      [&](const Statement& row) -> Result<> {
        runs.push_back(row.integer(0));
        return {};
      },
      pipeline, k_most_runs);
  if (!read) return Failure(std::move(read).error());
  return runs;
}

// The one text that `sql` gives for `keys`.
template <class... Keys>
Result<std::optional<std::string>> read_text(Database& database, const char* sql, const Keys&... keys) {
  std::optional<std::string> text;
  Result<> read = each_row(
      database, sql,
      [&](const Statement& row) -> Result<> {
        text = row.text(0);
        return {};
      },
      keys...);
  if (!read) return Failure(std::move(read).error());
  return text;
}

}  // namespace

Result<std::optional<std::string>> read_fingerprint_text(Database& database, const std::string& fingerprint) {
  return read_text(database, "SELECT text FROM fingerprints WHERE fingerprint = ?1", fingerprint);
}

Result<std::optional<std::string>> read_build(Database& database, const std::string& run_id,
                                              const std::string& reference) {
  return read_text(database,
                   "SELECT text FROM runs JOIN images USING (run) JOIN builds USING (made_of) "
                   "WHERE runs.id = ?1 AND reference = ?2",
                   run_id, reference);
}

Result<std::map<std::string, milliseconds>> read_usual_durations(Database& database, const std::string& pipeline,
                                                                 std::size_t most) {
  const Result<std::vector<std::int64_t>> runs = runs_in_which(database, "succeeded > cached", pipeline);
  if (!runs) return Failure(runs.error());
  Result<Statement> statement = database.prepare(
      "SELECT path, a.finished - a.started FROM attempts AS a CROSS JOIN tasks USING (run, task) "
      "WHERE a.run = ?1 AND a.state = 'succeeded' AND a.finished IS NOT NULL");
  if (!statement) return Failure(std::move(statement).error());
  std::unordered_map<std::string, std::vector<milliseconds>> found;
  int idle = 0;
  for (const std::int64_t run : *runs) {
    bool learned = false;
    statement->query(run);
    Result<> read = each_row_of(*statement, [&](const Statement& row) -> Result<> {
      std::vector<milliseconds>& durations = found[std::string(row.text(0))];
      if (durations.size() >= most) return {};
      // A clock that was set back must not make it negative.
      durations.push_back(std::max(milliseconds(0), milliseconds(row.integer(1))));
      learned = true;
      return {};
    });
    if (!read) return Failure(std::move(read).error());
    idle = learned ? 0 : idle + 1;
    if (idle == k_most_idle) break;  // the same tasks, over and over
  }
  std::map<std::string, milliseconds> usual;
  for (auto& [path, durations] : found) {
    if (!durations.empty()) usual.emplace(path, median_of(durations));
  }
  return usual;
}

namespace {

// Adds what the attempts of one run tell that `which` selects, where nothing newer is known.
Result<> add_newest(Database& database, const std::vector<std::int64_t>& runs, std::string_view which,
                    std::map<std::string, NewestResult>& newest) {
  Result<Statement> statement = database.prepare(
      fmt::format("SELECT path, runs.id, a.fingerprint, CASE WHEN image = '' THEN (SELECT digest FROM artifacts AS o "
                  "WHERE o.run = a.run AND o.task = a.task AND o.attempt = a.attempt AND direction = 'output') END "
                  "FROM attempts AS a CROSS JOIN tasks USING (run, task) JOIN runs USING (run) "
                  "WHERE a.run = ?1 AND {} ORDER BY attempt DESC",
                  which));
  if (!statement) return Failure(std::move(statement).error());
  int idle = 0;
  for (const std::int64_t run : runs) {
    const std::size_t known = newest.size();
    statement->query(run);
    Result<> read = each_row_of(*statement, [&](const Statement& row) -> Result<> {
      newest.try_emplace(std::string(row.text(0)), NewestResult{.run = std::string(row.text(1)),
                                                                .fingerprint = std::string(row.text(2)),
                                                                .import_digest = std::string(row.text(3))});
      return {};
    });
    if (!read) return read;
    idle = newest.size() > known ? 0 : idle + 1;
    if (idle == k_most_idle) break;
  }
  return {};
}

}  // namespace

Result<std::map<std::string, NewestResult>> read_newest_results(Database& database, const std::string& pipeline) {
  std::map<std::string, NewestResult> newest;
  // Without a fingerprint (no container) there is nothing to compare with. What did not succeed is better than nothing.
  for (const auto& [in_which, which] :
       {std::pair("succeeded > 0", "a.state IN ('succeeded', 'cached') AND (a.fingerprint <> '' OR image = '')"),
        std::pair("failed + cancelled > 0", "a.fingerprint <> ''")}) {
    const Result<std::vector<std::int64_t>> runs = runs_in_which(database, in_which, pipeline);
    if (!runs) return Failure(runs.error());
    if (Result<> added = add_newest(database, *runs, which, newest); !added) return Failure(std::move(added).error());
  }
  return newest;
}

}  // namespace mlpipe::metadata
