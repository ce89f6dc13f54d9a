#pragma once

#include <cstddef>
#include <cstdint>

#include "mlpipe/metadata/file_digests.hpp"

namespace mlpipe::metadata {

struct DigestLimits {
  std::int64_t rows = 2'000'000;    // in the database: the oldest go
  std::size_t unwritten = 1'000;    // remembered here before they are written
  std::size_t in_memory = 200'000;  // past that all in memory is forgotten; some 200 bytes each
  std::size_t lookups = 200;        // in the database before the newest rows are read into memory
};

// open_file_digests() with limits that tests can reach.
std::unique_ptr<sys::FileDigests> open_file_digests(const std::filesystem::path& database, const DigestLimits& limits);

}  // namespace mlpipe::metadata
