#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::artifact {

struct PathDigest {
  std::string digest;  // "sha256:<hex>"
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool is_folder = false;
};

// Hashes the file or folder at `path`, reading every payload byte once. A folder's digest is the SHA-256 of its
// canonical listing (docs/digests.md): names, kinds, executable bits, sizes and content, sorted; never times or
// owners. A file's digest is the SHA-256 of its bytes.
// invalid_input, with the offending path: `path` itself is a link; FIFOs, devices, sockets; links that are absolute
// or lead out of `path`; more than 256 folders deep. conflict: something changed while it was read.
// `stop` is asked before every file and every MiB; true ends it with `cancelled`. A file with holes is read as what it
// is, zeros: a sparse terabyte takes a quarter of an hour, unless `stop` ends it.
// A file whose identity `digests` knows is not read; what is read is remembered there, unless it was changed a moment
// ago. Null: everything is read.
Result<PathDigest> digest_path(const std::filesystem::path& path, const std::function<bool()>& stop,
                               sys::FileDigests* digests = nullptr);

// The same for `relative` below `folder`, for what a container wrote: a link on the way there is invalid_input as well.
// All processes that could write there must have ended: what is read is remembered however new it is.
Result<PathDigest> digest_beneath(const std::filesystem::path& folder, const std::filesystem::path& relative,
                                  const std::function<bool()>& stop, sys::FileDigests* digests = nullptr);

// One line of the canonical listing, without its newline; for docs, tests and `verify`.
// `kind` is 'd', 'f', 'x' or 'l'; `hex` and `bytes` are those of the content, or of a link's target.
std::string listing_line(char kind, std::uint64_t bytes, std::string_view hex, std::string_view relative_path);

}  // namespace mlpipe::artifact
