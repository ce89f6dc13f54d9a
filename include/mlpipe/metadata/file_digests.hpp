#pragma once

#include <filesystem>
#include <memory>

#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::metadata {

// File digests kept in an SQLite database of their own (<root>/.mlpipe/digests.db) that any number of processes may share.
// Losing it costs only time, so nothing is ever synced, and it never fails: a database that is damaged, newer or another
// program's is replaced; where none can be made or written, what is remembered lasts as long as the object. What is
// remembered is found at once by this process, and by others when some has gathered or when the object goes; a crash may
// lose it. The two million newest entries are kept.
std::unique_ptr<sys::FileDigests> open_file_digests(const std::filesystem::path& database);

// What such a database knows; it is neither made nor changed, and nothing stays behind in its folder. What is remembered
// lasts as long as the object.
std::unique_ptr<sys::FileDigests> read_file_digests(const std::filesystem::path& database);

}  // namespace mlpipe::metadata
