#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"

namespace mlpipe::sys {

constexpr std::uint64_t k_no_limit = UINT64_MAX;

// The whole of a regular file. Longer than `max_bytes`: invalid_input that names both sizes, nothing read into memory.
// A folder, a FIFO or a device is invalid_input, said so.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = k_no_limit);

// The same for the file `relative` below `folder`, for what a container wrote: a symlink on the way is invalid_input,
// so that nothing outside is read, and `relative` may not climb with "..".
Result<std::string> read_file_beneath(const std::filesystem::path& folder, const std::filesystem::path& relative,
                                      std::uint64_t max_bytes = k_no_limit);

// An errno of doing something with a file in words: "<doing> <path>: No space left on device", with a hint for what a
// person can mend (disk or inodes full, read-only file system, foreign owner).
Failure fail_file(std::string_view doing, const std::filesystem::path& path, int number);

enum class Durable { no, yes };  // yes: fsync of the file and of its folder

// Replaces `path` with `text`: a reader sees the old file or the new one, whole. Mode 0644 less the umask.
Result<> write_file_atomically(const std::filesystem::path& path, std::string_view text, Durable durable);

// mkdir -p; existing folders are fine. Durable: so are the names of those that it makes.
Result<> make_directories(const std::filesystem::path& path, Durable durable = Durable::no);

// rename(2), then fsync of the target's folder when durable. Never replaces: an existing target is a conflict.
Result<> rename_into_place(const std::filesystem::path& from, const std::filesystem::path& to, Durable durable);

Result<> fsync_path(const std::filesystem::path& path);

// Writes all that is not yet on disk of the file system that holds `path`: one call for any number of files.
Result<> sync_file_system(const std::filesystem::path& path);

// rm -rf that does not follow links; makes folders writable where it has to. A path that is not there is fine.
Result<> remove_tree(const std::filesystem::path& path);

// Bytes free for us on the file system that holds `path` (or its nearest existing parent).
Result<std::uint64_t> free_space(const std::filesystem::path& path);

// Points the symlink `link` at `target` in one step, replacing what it pointed at.
Result<> replace_symlink(const std::filesystem::path& target, const std::filesystem::path& link);

}  // namespace mlpipe::sys
