#pragma once

#include <filesystem>
#include <string>

#include "mlpipe/base/result.hpp"

namespace mlpipe::runner {

// SHA-256 (lower-case hex) of what building `context` would send: names, kinds, permissions, link targets and contents
// of the files that .dockerignore leaves, the Dockerfile among them. Times and owners do not count. Reads every file
// once.
Result<std::string> build_context_digest(const std::filesystem::path& context);

}  // namespace mlpipe::runner
