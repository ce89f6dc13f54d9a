#include "metadata/schema.hpp"
#include "mlpipe/metadata/record.hpp"

namespace mlpipe::metadata {

Result<> cancel_interrupted(const std::filesystem::path& database, const std::string& run_id, WallTime at) {
  Result<std::unique_ptr<Database>> opened = open_for_writing(database);
  if (!opened) return Failure(std::move(opened).error());
  Database& record = **opened;
  Result<Transaction> transaction = Transaction::begin(record, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  static constexpr const char* k_steps[] = {
      "UPDATE attempts SET state = 'cancelled', finished = ?2, message = 'its mlpipe had ended; cancelled' "
      "WHERE run = (SELECT run FROM runs WHERE id = ?1) AND state IN ('starting', 'running', 'stopping')",
      "INSERT INTO events (run, event, at, task, attempt, from_state, to_state, reason) "
      "SELECT run, (SELECT max(event) FROM events AS e WHERE e.run = tasks.run) + row_number() OVER (ORDER BY task), "
      "?2, "
      "task, 0, state, 'cancelled', 'cancelled after its mlpipe had ended' FROM tasks "
      "WHERE run = (SELECT run FROM runs WHERE id = ?1) AND state NOT IN ('succeeded', 'failed', 'skipped', "
      "'cancelled')",
      "UPDATE tasks SET state = 'cancelled', reason = 'cancelled after its mlpipe had ended' "
      "WHERE run = (SELECT run FROM runs WHERE id = ?1) AND ?2 = ?2 "
      "AND state NOT IN ('succeeded', 'failed', 'skipped', 'cancelled')",
      "UPDATE runs SET state = 'cancelled', finished = ?2, waiting = 0, ready = 0, deferred = 0, starting = 0, running "
      "= 0, "
      "stopping = 0, retry_wait = 0, cancelled = (SELECT count(*) FROM tasks WHERE tasks.run = runs.run AND "
      "state = 'cancelled') WHERE id = ?1",
      "INSERT INTO events (run, event, at, task, attempt, from_state, to_state, reason) "
      "SELECT run, (SELECT max(event) FROM events AS e WHERE e.run = runs.run) + 1, ?2, NULL, 0, 'running', "
      "'cancelled', "
      "'cancelled after its mlpipe had ended' FROM runs WHERE id = ?1",
  };
  for (const char* sql : k_steps) {
    Result<Statement> step = record.prepare(sql);
    if (!step) return Failure(std::move(step).error());
    if (Result<> done = step->run(run_id, at); !done) {
      return within(fmt::format("recording that run {} is cancelled", run_id), std::move(done).error());
    }
  }
  return transaction->commit();
}

}  // namespace mlpipe::metadata
