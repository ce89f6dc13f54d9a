#pragma once

#include <filesystem>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::spec {

// A YAML or JSON file of plain values (`run --params FILE`): no references, no templates. Every mistake is in the one
// invalid_input this gives, as read_pipeline() would render it.
Result<Value> read_values(const std::filesystem::path& path);

}  // namespace mlpipe::spec
