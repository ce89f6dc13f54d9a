#pragma once

#include <filesystem>
#include <string>

#include "mlpipe/base/result.hpp"

namespace mlpipe::runner {

// SHA-256 (lower-case hex) of what building `context` would send: names, kinds, link targets and contents of the
// files that .dockerignore leaves, the Dockerfile among them, and whether their owner may execute them. Times, owners and
// other permissions do not count: they are not sent. Reads every file once.
Result<std::string> build_context_digest(const std::filesystem::path& context);

}  // namespace mlpipe::runner
