#pragma once

#include <mutex>
#include <string>

#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::test {

// Keeps what a container wrote, told apart by stream; readable while it is being written.
class CollectingLog final : public runner::LogSink {
 public:
  void write(runner::Stream stream, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(mutex_);
    (stream == runner::Stream::err ? err_ : out_).append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string out() const {
    const std::lock_guard lock(mutex_);
    return out_;
  }
  std::string err() const {
    const std::lock_guard lock(mutex_);
    return err_;
  }

 private:
  mutable std::mutex mutex_;
  std::string out_, err_;
};

}  // namespace mlpipe::test
