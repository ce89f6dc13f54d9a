#include "metadata/write_data.hpp"

#include <cmath>

namespace mlpipe::metadata {
namespace {

constexpr std::string_view k_metrics_type = "system.Metrics";

}  // namespace

Result<DataWriter> DataWriter::prepare(Database& database) {
  struct Entry {
    Statement DataWriter::*statement;
    const char* sql;
  };
  static constexpr Entry k_entries[] = {
      {&DataWriter::insert_parameter_, "INSERT INTO parameters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&DataWriter::insert_artifact_,
       "INSERT INTO artifacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
      {&DataWriter::insert_metric_, "INSERT INTO metrics VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
  };
  DataWriter writer;
  for (const Entry& entry : k_entries) {
    Result<Statement> statement = database.prepare(entry.sql);
    if (!statement) return Failure(std::move(statement).error());
    writer.*entry.statement = std::move(*statement);
  }
  return writer;
}

Result<> DataWriter::write_inputs(const AttemptKey& key, const engine::TaskData& inputs) {
  return write(key, inputs, "input");
}

Result<> DataWriter::write_outputs(const AttemptKey& key, const engine::TaskData& outputs) {
  if (Result<> written = write(key, outputs, "output"); !written) return written;
  return write_metrics(key, outputs);
}

Result<> DataWriter::write(const AttemptKey& key, const engine::TaskData& data, std::string_view direction) {
  for (const auto& [name, value] : data.parameters) {
    Result<> added = insert_parameter_.run(key.run, key.task, key.attempt, direction, name, to_json(value),
                                           data.defaults.contains(name));
    if (!added) return added;
  }
  for (const auto& [name, artifact] : data.artifacts) {
    Result<> added = insert_artifact_.run(key.run, key.task, key.attempt, direction, name, artifact.name, artifact.type,
                                          artifact.uri, artifact.digest, artifact.bytes, artifact.is_folder,
                                          to_json(artifact.metadata));
    if (!added) return added;
  }
  return {};
}

Result<> DataWriter::write_metrics(const AttemptKey& key, const engine::TaskData& outputs) {
  for (const auto& [output, artifact] : outputs.artifacts) {
    if (artifact.type != k_metrics_type || !artifact.metadata.is_struct()) continue;
    for (const auto& [name, value] : artifact.metadata.as_struct()) {
      // SQLite stores NaN as NULL; the metadata keeps it.
      if (!value.is_number() || std::isnan(value.as_double())) continue;
      Result<> added = insert_metric_.run(key.run, key.task, key.attempt, output, name, value.as_double());
      if (!added) return added;
    }
  }
  return {};
}

}  // namespace mlpipe::metadata
