#include "runner/lock_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "mlpipe/sys/lock.hpp"

namespace mlpipe::runner {
namespace {

constexpr int k_look_again_ms = 1000;

void drain(int descriptor) {
  std::array<char, 4096> buffer;
  while (::read(descriptor, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

LockWatch::LockWatch(LetGo let_go)
    : let_go_(std::move(let_go)),
      events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_([this] { watch(); }) {}

LockWatch::~LockWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
}

void LockWatch::add(std::filesystem::path path, plan::TaskId task) {
  if (events_) ::inotify_add_watch(events_.get(), path.c_str(), IN_CLOSE | IN_DELETE_SELF | IN_ATTRIB);
  {
    std::lock_guard lock(mutex_);
    waiting_.emplace(std::move(path), task);
  }
  wake();  // it may have been let go before it was watched
}

void LockWatch::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

std::vector<plan::TaskId> LockWatch::take_free() {
  std::lock_guard lock(mutex_);
  std::vector<plan::TaskId> free;
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    if (sys::is_locked(entry->first)) {
      ++entry;
      continue;
    }
    free.push_back(entry->second);
    entry = waiting_.erase(entry);
  }
  return free;
}

void LockWatch::watch() {
  for (;;) {
    bool idle = false;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      idle = waiting_.empty();
    }
    std::array<pollfd, 2> ready{{{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = events_ ? events_.get() : -1, .events = POLLIN, .revents = 0}}};
    ::poll(ready.data(), ready.size(), idle ? -1 : k_look_again_ms);
    drain(wake_.get());
    if (events_) drain(events_.get());
    for (plan::TaskId task : take_free()) let_go_(task);
  }
}

}  // namespace mlpipe::runner
