#include "mlpipe/metadata/annotations.hpp"

#include "metadata/read_runs.hpp"
#include "metadata/schema.hpp"

namespace mlpipe::metadata {
namespace {

Result<> write(Database& database, std::int64_t run, const Annotations& change) {
  Result<Statement> set = database.prepare("INSERT OR REPLACE INTO labels (run, name, value) VALUES (?1, ?2, ?3)");
  if (!set) return Failure(std::move(set).error());
  Result<Statement> take = database.prepare("DELETE FROM labels WHERE run = ?1 AND name = ?2");
  if (!take) return Failure(std::move(take).error());
  for (const auto& [name, text] : change.labels) {
    Result<> done = text ? set->run(run, name, *text) : take->run(run, name);
    if (!done) return done;
  }
  if (!change.note) return {};
  Result<Statement> note = database.prepare("UPDATE runs SET note = ?2 WHERE run = ?1");
  if (!note) return Failure(std::move(note).error());
  return note->run(run, *change.note);
}

}  // namespace

Result<> annotate(const std::filesystem::path& file, const std::string& run_id, const Annotations& change) {
  Result<std::unique_ptr<Database>> database = open_for_writing(file);
  if (!database) return Failure(std::move(database).error());
  Result<Transaction> transaction = Transaction::begin(**database, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  const IsRunning nobody;
  const Result<std::int64_t> run = RunReader(**database, nobody).number_of(run_id);
  if (!run) return Failure(run.error());
  if (Result<> written = write(**database, *run, change); !written) return written;
  return transaction->commit();
}

}  // namespace mlpipe::metadata
