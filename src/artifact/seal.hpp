#pragma once

#include <filesystem>
#include <functional>

#include "mlpipe/base/result.hpp"

namespace mlpipe::artifact {

// Makes an output folder ready to be published: files read-only, folders writable by their owner only, no set-id
// bits, all of it on the disk. Follows no links. `stop` true ends it with `cancelled`.
Result<> seal_output(const std::filesystem::path& folder, const std::function<bool()>& stop);

}  // namespace mlpipe::artifact
