#include "metadata/read_premises.hpp"

#include "metadata/read_tasks.hpp"
#include "metadata/reading.hpp"

namespace mlpipe::metadata {

Result<std::optional<Premises>> read_premises(Database& database, const std::string& asked) {
  std::optional<Premises> premises;
  Result<> read = each_row(
      database, "SELECT id, text FROM premises JOIN runs USING (run) WHERE asked = ?1",
      [&](const Statement& row) -> Result<> {
        premises = Premises{.run_id = std::string(row.text(0)), .text = std::string(row.text(1))};
        return {};
      },
      asked);
  if (!read) return Failure(std::move(read).error());
  return premises;
}

Result<std::vector<engine::Artifact>> read_kept_outputs(Database& database, std::int64_t run) {
  std::vector<engine::Artifact> outputs;
  Result<> read = each_row(
      database,
      fmt::format("SELECT {} FROM artifacts JOIN tasks USING (run, task) WHERE run = ?1 AND direction = 'output' AND "
                  "removed = 0 AND image <> ''",
                  k_artifact_columns),
      [&](const Statement& row) -> Result<> {
        Result<NamedArtifact> artifact = read_artifact(database, row, 0);
        if (!artifact) return Failure(std::move(artifact).error());
        outputs.push_back(std::move(artifact->artifact));
        return {};
      },
      run);
  if (!read) return Failure(std::move(read).error());
  return outputs;
}

}  // namespace mlpipe::metadata
