#pragma once

#include "metadata/database.hpp"
#include "mlpipe/engine/values.hpp"

namespace mlpipe::metadata {

// Which attempt rows belong to; 0 stands for a result from the cache.
struct AttemptKey {
  std::int64_t run = 0;
  std::int64_t task = 0;
  int attempt = 0;
};

// Writes what an attempt was given and gave. Its statements are prepared once; the database must outlive it.
class DataWriter final {
 public:
  DataWriter() = default;
  static Result<DataWriter> prepare(Database& database);

  Result<> write_inputs(const AttemptKey& key, const engine::TaskData& inputs);
  // Parameters, artifacts, and the numbers of Metrics artifacts.
  Result<> write_outputs(const AttemptKey& key, const engine::TaskData& outputs);

 private:
  Result<> write(const AttemptKey& key, const engine::TaskData& data, std::string_view direction);
  Result<> write_metrics(const AttemptKey& key, const engine::TaskData& outputs);

  Statement insert_parameter_, insert_artifact_, insert_metric_;
};

}  // namespace mlpipe::metadata
