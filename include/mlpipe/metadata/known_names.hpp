#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"

namespace mlpipe::metadata {

// What runs can be asked by: names that at least one run on record has, each once.
struct KnownNames {
  std::vector<std::string> parameters;
  std::vector<std::string> labels;
  // in every form that means one: "rmse", "test.rmse", "evaluate.rmse", "evaluate.test.rmse"
  std::vector<std::string> metrics;
};

// Reads all of the record's: for a listing that found nothing.
Result<KnownNames> known_names(const std::filesystem::path& database);

}  // namespace mlpipe::metadata
