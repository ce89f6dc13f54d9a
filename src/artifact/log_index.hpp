#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "mlpipe/artifact/log_file.hpp"

namespace mlpipe::artifact {

// One record of `log.index`, as log_file.hpp describes it.
struct LogRecord {
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;
  std::int64_t time_ns = 0;
};

constexpr std::size_t k_record_bytes = 16;
constexpr std::uint64_t k_stderr_bit = std::uint64_t{1} << 63U;
using RecordBytes = std::array<char, k_record_bytes>;

inline std::uint64_t little_endian(std::uint64_t number) {
  return std::endian::native == std::endian::little ? number : __builtin_bswap64(number);
}

inline RecordBytes encode(const LogRecord& record) {
  const std::uint64_t place = little_endian(record.offset | (record.stream == LogStream::err ? k_stderr_bit : 0));
  const std::uint64_t time = little_endian(static_cast<std::uint64_t>(record.time_ns));
  RecordBytes bytes{};
  std::memcpy(bytes.data(), &place, 8);
  std::memcpy(bytes.data() + 8, &time, 8);
  return bytes;
}

inline LogRecord decode(const char* bytes) {
  std::uint64_t place = 0;
  std::uint64_t time = 0;
  std::memcpy(&place, bytes, 8);
  std::memcpy(&time, bytes + 8, 8);
  place = little_endian(place);
  return {.stream = (place & k_stderr_bit) != 0 ? LogStream::err : LogStream::out,
          .offset = place & ~k_stderr_bit,
          .time_ns = static_cast<std::int64_t>(little_endian(time))};
}

inline std::filesystem::path index_of(const std::filesystem::path& log) {
  std::filesystem::path index = log;
  index += ".index";
  return index;
}

}  // namespace mlpipe::artifact
