#include "runner/docker/stream_demultiplexer.hpp"

#include <algorithm>

namespace mlpipe::runner::docker {

Result<> StreamDemultiplexer::begin_frame() {
  const std::uint8_t type = header_[0];
  // 0 names standard input, which some engines use for output; 3 is the engine's own word on why it cannot give the
  // log.
  if (type > 3 || header_[1] != 0 || header_[2] != 0 || header_[3] != 0) {
    lost_ = true;
    return fail(ErrorCode::internal,
                "the engine's log stream is out of step: {:02x} {:02x} {:02x} {:02x} is no frame header", header_[0],
                header_[1], header_[2], header_[3]);
  }
  stream_ = type >= 2 ? Stream::err : Stream::out;
  left_ = static_cast<std::uint32_t>(header_[4]) << 24 | static_cast<std::uint32_t>(header_[5]) << 16 |
          static_cast<std::uint32_t>(header_[6]) << 8 | static_cast<std::uint32_t>(header_[7]);
  header_size_ = 0;
  return {};
}

Result<> StreamDemultiplexer::feed(std::span<const std::byte> bytes) {
  if (lost_) return fail(ErrorCode::internal, "the engine's log stream is out of step");
  while (!bytes.empty()) {
    if (left_ > 0) {
      const std::span<const std::byte> piece = bytes.first(std::min<std::size_t>(left_, bytes.size()));
      log_.write(stream_, piece);
      left_ -= static_cast<std::uint32_t>(piece.size());
      bytes = bytes.subspan(piece.size());
      continue;
    }
    header_[header_size_++] = std::to_integer<std::uint8_t>(bytes.front());
    bytes = bytes.subspan(1);
    if (header_size_ < header_.size()) continue;
    if (Result<> begun = begin_frame(); !begun) return begun;
  }
  return {};
}

}  // namespace mlpipe::runner::docker
