#pragma once

#include <filesystem>
#include <functional>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::artifact {

// Makes an output folder ready to be published: files read-only, folders writable by their owner only, no set-id
// bits, all of it on the disk. Follows no links. `stop` true ends it with `cancelled`.
// What `digests` (or null) knew of a file it knows afterwards as well, though its change time is another. Only for
// folders that nobody writes to any more.
Result<> seal_output(const std::filesystem::path& folder, sys::FileDigests* digests, const std::function<bool()>& stop);

}  // namespace mlpipe::artifact
