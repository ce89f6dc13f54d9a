#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "mlpipe/base/result.hpp"

namespace mlpipe::metadata {

// What people say of a run after it was recorded.
struct Annotations {
  std::map<std::string, std::optional<std::string>> labels;  // to set; without a text: to take away
  std::optional<std::string> note;                           // replaces what was said before; empty: takes it away
};

// Changes labels and note of the run with that exact id, all of it or nothing, also while the run goes on; waits for other
// writers as a run does. not_found when the record has no such run. Taking away a label that is not there is no error.
Result<> annotate(const std::filesystem::path& database, const std::string& run_id, const Annotations& change);

}  // namespace mlpipe::metadata
