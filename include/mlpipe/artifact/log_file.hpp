#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/file.hpp"

// The log of one attempt: `log` holds the bytes as they came, both streams in order of arrival, nothing added or
// decoded. `log.index` beside it tells the streams apart: records of 16 bytes, little-endian: u64: bit 63 is set for
// stderr, the others are the offset in `log` where a piece begins; i64: wall time in ns since 1970. A piece ends
// where the next begins.
namespace mlpipe::artifact {

enum class LogStream : std::uint8_t { out, err };

struct LogOptions {
  std::vector<std::string> secrets = {};      // each, and each longer line of it, becomes "***"
  std::uint64_t max_bytes = sys::k_no_limit;  // then a line "… truncated", and the rest is dropped
};

struct LogTotals {
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;  // that the disk did not take, or past max_bytes
  bool truncated = false;     // max_bytes was reached
};

// Writes a log; straight to the file, so that what a task says can be read at once. A full or failing disk never fails
// or delays the writer: what it does not take is counted, and a line in the log says so where room is left. One
// thread at a time.
class LogWriter {
 public:
  virtual ~LogWriter() = default;
  virtual void write(LogStream stream, std::span<const std::byte> bytes) = 0;
  // Writes what the masking still held back. No write() after it. The destructor closes too.
  virtual LogTotals close() = 0;
};

// Makes `path` and its index anew. The clock is borrowed as long as the writer lives.
Result<std::unique_ptr<LogWriter>> create_log(const std::filesystem::path& path, const LogOptions& options,
                                              const Clock& clock);

// `text` with secrets masked as in a log.
std::string mask_secrets(std::string_view text, const std::vector<std::string>& secrets);

enum class LogFilter : std::uint8_t { both, out, err };

struct LogPiece {
  LogStream stream = LogStream::out;
  WallTime time{};         // when the piece began; 0 when the index does not tell
  std::string_view bytes;  // lives as long as the call
};

// Gives `sink` what `filter` passes from byte `offset` to the present end, in pieces of at most 64 KiB, and returns the
// offset to go on from: so a log that is being written is followed by calling again. A missing index: all is stdout.
Result<std::uint64_t> read_log(const std::filesystem::path& path, std::uint64_t offset, LogFilter filter,
                               const std::function<void(const LogPiece&)>& sink);

// The offset where the last `lines` lines of what `filter` passes begin; reads backwards, only as far as it must.
Result<std::uint64_t> log_tail_offset(const std::filesystem::path& path, std::size_t lines, LogFilter filter);

// The last line that is not empty, fit for a terminal; of a progress bar the last state. Reads the last 4 KiB. Empty
// when there is none, or no log.
std::string last_line(const std::filesystem::path& path);

}  // namespace mlpipe::artifact
