#pragma once

#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// The tasks of the run with that number, in the order of its plan.
Result<std::vector<TaskRow>> read_tasks(Database& database, std::int64_t run);

// The artifact whose columns k_artifact_columns names stand from `first` on.
inline constexpr const char* k_artifact_columns = "name, artifact, type, uri, digest, bytes, is_folder, metadata";
struct NamedArtifact {
  std::string name;  // of the input or output
  engine::Artifact artifact;
};
Result<NamedArtifact> read_artifact(const Database& database, const Statement& statement, int first);

}  // namespace mlpipe::metadata
