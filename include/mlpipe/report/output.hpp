#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mlpipe::report {

// Where text goes: a terminal, a pipe, a file, a test's string. Loop thread only.
class Sink {
 public:
  virtual ~Sink() = default;
  // Takes as many bytes of `text` as there is room for, without blocking: 0 when there is none now; nothing: closed for good.
  virtual std::optional<std::size_t> write(std::string_view text) = 0;
  // Blocks until there may be room again, at most for `limit`.
  virtual void wait_for_room(std::chrono::milliseconds limit) = 0;
};

// Writes to `fd`, which stays the caller's. The flags of `fd` are not changed (other processes share them).
// The program must ignore SIGPIPE.
// `on_failure` is given the errno of the write that closed it.
std::unique_ptr<Sink> make_fd_sink(int fd, std::function<void(int error)> on_failure = {});

// A sink with a bounded queue, so that neither a slow nor a closed reader ever holds up a run. Reporters that write to the
// same place share one Output. Loop thread only.
class Output final {
 public:
  static constexpr std::size_t k_default_limit = std::size_t{8} << 20;
  explicit Output(std::unique_ptr<Sink> sink, std::size_t limit = k_default_limit)
      : sink_(std::move(sink)), limit_(limit) {}

  // Writes `text` (whole lines, or one frame), or queues what there is no room for. False: dropped whole, because the
  // queue is full or the sink closed.
  bool write(std::string_view text);
  // Tries to write what is queued.
  void flush();
  bool has_queued() const { return !queue_.empty(); }
  bool closed() const { return closed_; }
  // Calls to write() that were dropped because the queue was full, since the last call of this.
  std::uint64_t take_dropped();
  // Blocks until the queue is written. Gives up when nothing could be written for `patience`.
  void finish(std::chrono::milliseconds patience);

 private:
  std::size_t push(std::string_view text);

  std::unique_ptr<Sink> sink_;
  std::size_t limit_;
  std::string queue_;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace mlpipe::report
