#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner::docker {

// Splits the engine's attach and log streams into standard output and error. A frame is a header of 8 bytes (stream
// type, three zeros, big-endian length) and that many bytes, both cut anywhere by the transport; bytes are passed on
// as they come, never held. Feeding is O(bytes), memory is constant.
class StreamDemultiplexer final {
 public:
  explicit StreamDemultiplexer(LogSink& log) : log_(log) {}

  // `internal` once the bytes are not frames: what follows has no meaning any more, and every later feed() says so
  // again.
  Result<> feed(std::span<const std::byte> bytes);
  // Whether the stream stands between two frames, where it may end.
  bool at_frame_boundary() const { return header_size_ == 0 && left_ == 0; }

 private:
  Result<> begin_frame();

  LogSink& log_;
  std::array<std::uint8_t, 8> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t left_ = 0;  // bytes still to come of this frame
  Stream stream_ = Stream::out;
  bool lost_ = false;
};

}  // namespace mlpipe::runner::docker
