#pragma once

#include <vector>

#include "metadata/database.hpp"
#include "mlpipe/metadata/lineage.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::metadata {

// As the methods of Queries promise.
Result<std::vector<Making>> read_makings(Database& database, const MakingQuery& query);
Result<std::optional<Making>> read_making_of(Database& database, std::int64_t run, const std::string& task);
Result<std::optional<Making>> read_earlier_making(Database& database, std::int64_t run, const std::string& task,
                                                  Comparable comparable);
Result<std::vector<std::string>> read_digests(Database& database, const std::string& prefix, std::size_t limit);
Result<std::vector<OutputPlace>> read_outputs_at(Database& database, const std::string& uri);

}  // namespace mlpipe::metadata
