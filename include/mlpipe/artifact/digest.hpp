#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "mlpipe/base/result.hpp"

namespace mlpipe::artifact {

struct PathDigest {
  std::string digest;  // "sha256:<hex>"
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool is_folder = false;
};

// Hashes the file or folder at `path`, reading every payload byte once. A folder's digest is the SHA-256 of its canonical
// listing (docs/design.md, "Digests"): names, kinds, executable bits, sizes and content, sorted; never times or owners.
// Refused, with the offending path: FIFOs, devices, sockets, links that are absolute or lead out of `path`.
// `stop` is asked now and then; true ends it with `cancelled`.
Result<PathDigest> digest_path(const std::filesystem::path& path, const std::function<bool()>& stop);

}  // namespace mlpipe::artifact
