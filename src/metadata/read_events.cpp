#include "metadata/read_events.hpp"

#include "metadata/reading.hpp"

namespace mlpipe::metadata {

Result<std::vector<EventRow>> read_events(Database& database, std::int64_t run, const std::string& task,
                                          std::int64_t after) {
  std::vector<EventRow> rows;
  Result<> read = each_row(
      database,
      "SELECT event, at, coalesce(path, ''), attempt, from_state, to_state, events.reason, retry_in "
      "FROM events LEFT JOIN tasks USING (run, task) "
      "WHERE events.run = ?1 AND event > ?2 AND (?3 = '' OR path = ?3) ORDER BY event",
      [&](const Statement& statement) -> Result<> {
        EventRow& row = rows.emplace_back();
        Columns columns(statement);
        row.number = columns.integer();
        row.at = columns.time();
        row.task = columns.text();
        row.attempt = columns.small();
        row.from = columns.text();
        row.to = columns.text();
        row.reason = columns.text();
        if (!statement.is_null(7)) row.retry_in = std::chrono::milliseconds(columns.integer());
        return {};
      },
      run, after, task);
  if (!read) return Failure(std::move(read).error());
  return rows;
}

}  // namespace mlpipe::metadata
