#include "mlpipe/report/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

#include "mlpipe/sys/fd.hpp"

namespace mlpipe::report {
namespace {

enum class Way { plain, non_blocking, socket, in_pieces };

class FdSink final : public Sink {
 public:
  FdSink(int fd, std::function<void(int)> on_failure) : fd_(fd), on_failure_(std::move(on_failure)) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || S_ISREG(status.st_mode)) return;
    if (S_ISSOCK(status.st_mode)) {
      way_ = Way::socket;
      return;
    }
    // O_NONBLOCK belongs to the open file, which a shell and other programs share with us; so open the terminal or pipe
    // once more, for a flag of our own.
    own_ =
        sys::Fd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own_) {
      fd_ = own_.get();
      way_ = Way::non_blocking;
    } else {
      way_ = Way::in_pieces;
    }
  }

  std::optional<std::size_t> write(std::string_view text) override {
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t count = write_some(text.substr(done));
      if (count > 0) {
        done += static_cast<std::size_t>(count);
      } else if (count < 0 && errno == EINTR) {
        continue;
      } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        break;
      } else {
        if (on_failure_) on_failure_(count < 0 ? errno : 0);
        return std::nullopt;
      }
    }
    return done;
  }

  void wait_for_room(std::chrono::milliseconds limit) override {
    pollfd wanted{.fd = fd_, .events = POLLOUT, .revents = 0};
    ::poll(&wanted, 1, static_cast<int>(std::clamp<std::int64_t>(limit.count(), 0, INT_MAX)));
  }

 private:
  ssize_t write_some(std::string_view text) {
    switch (way_) {
      case Way::plain:
      case Way::non_blocking: return ::write(fd_, text.data(), text.size());
      case Way::socket: return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      case Way::in_pieces: break;
    }
    // POLLOUT promises room for PIPE_BUF bytes.
    pollfd wanted{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&wanted, 1, 0);
    if (ready < 0) return -1;
    if (ready == 0) {
      errno = EAGAIN;
      return -1;
    }
    return ::write(fd_, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
  }

  int fd_;
  sys::Fd own_;
  std::function<void(int)> on_failure_;
  Way way_ = Way::plain;
};

}  // namespace

std::unique_ptr<Sink> make_fd_sink(int fd, std::function<void(int error)> on_failure) {
  return std::make_unique<FdSink>(fd, std::move(on_failure));
}

bool Output::write(std::string_view text) {
  if (closed_) return false;
  flush();
  if (closed_) return false;
  if (!queue_.empty() && queue_.size() + text.size() > limit_) {
    ++dropped_;
    return false;
  }
  if (queue_.empty()) text.remove_prefix(push(text));
  if (closed_) return false;
  queue_ += text;
  return true;
}

void Output::flush() {
  if (!queue_.empty()) queue_.erase(0, push(queue_));
}

std::uint64_t Output::take_dropped() { return std::exchange(dropped_, 0); }

void Output::finish(std::chrono::milliseconds patience) {
  while (!queue_.empty() && !closed_) {
    const std::size_t before = queue_.size();
    sink_->wait_for_room(patience);
    flush();
    if (queue_.size() == before) return;
  }
}

std::size_t Output::push(std::string_view text) {
  const std::optional<std::size_t> taken = sink_->write(text);
  if (taken) return *taken;
  closed_ = true;
  queue_.clear();
  return 0;
}

}  // namespace mlpipe::report
