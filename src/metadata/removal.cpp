#include "mlpipe/metadata/removal.hpp"

#include "metadata/reading.hpp"
#include "metadata/schema.hpp"

namespace mlpipe::metadata {

Result<> remove_run(const std::filesystem::path& file, const std::string& run_id) {
  Result<std::unique_ptr<Database>> opened = open_for_writing(file);
  if (!opened) return Failure(std::move(opened).error());
  Database& database = **opened;
  Result<Transaction> transaction = Transaction::begin(database, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  // Children first and each as one range of its table: the cascades would look up row by row.
  for (const std::string_view table :
       {"events", "metrics", "artifacts", "parameters", "attempts", "tasks", "images", "labels", "arguments", "runs"}) {
    Result<Statement> statement =
        database.prepare(fmt::format("DELETE FROM {} WHERE run = (SELECT run FROM runs WHERE id = ?1)", table));
    if (!statement) return Failure(std::move(statement).error());
    if (Result<> done = statement->run(run_id); !done) {
      return within(fmt::format("taking run {} out of the record", run_id), std::move(done).error());
    }
  }
  return transaction->commit();
}

Result<> remove_unused_texts(const std::filesystem::path& file) {
  Result<std::unique_ptr<Database>> database = open_for_writing(file);
  if (!database) return Failure(std::move(database).error());
  return (*database)->execute(
      "DELETE FROM fingerprints WHERE fingerprint NOT IN (SELECT fingerprint FROM attempts);"
      "DELETE FROM builds WHERE made_of NOT IN (SELECT made_of FROM images)");
}

Result<std::vector<GonePayload>> gone_payloads(const std::filesystem::path& file) {
  Result<std::unique_ptr<Database>> database = open_for_reading(file);
  if (!database) return Failure(std::move(database).error());
  std::vector<GonePayload> found;
  Result<> read =
      each_row(**database,
               "SELECT DISTINCT runs.id, path, name FROM tasks JOIN runs USING (run) JOIN artifacts USING (run, task) "
               "WHERE removed = 1 AND direction = 'output'",
               [&](const Statement& row) -> Result<> {
                 found.push_back({std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2))});
                 return {};
               });
  if (!read) return Failure(std::move(read).error());
  return found;
}

Result<std::vector<UsedImage>> used_images(const std::filesystem::path& file) {
  Result<std::unique_ptr<Database>> database = open_for_reading(file);
  if (!database) return Failure(std::move(database).error());
  std::vector<UsedImage> found;
  Result<> read = each_row(**database, "SELECT runs.id, images.id FROM images JOIN runs USING (run)",
                           [&](const Statement& row) -> Result<> {
                             found.push_back({std::string(row.text(0)), std::string(row.text(1))});
                             return {};
                           });
  if (!read) return Failure(std::move(read).error());
  return found;
}

}  // namespace mlpipe::metadata
