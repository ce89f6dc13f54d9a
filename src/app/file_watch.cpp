#include "app/file_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace mlpipe::app {
namespace {

// A busy writer wakes us this often at most.
constexpr std::chrono::milliseconds k_gather{20};

}  // namespace

FileWatch::FileWatch() : events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

void FileWatch::add(const std::filesystem::path& path) {
  if (!events_ || watched_.contains(path)) return;
  // Again after each folder on the way: what is looked for may have come before the folder was watched.
  while (::inotify_add_watch(events_.get(), path.c_str(), IN_MODIFY | IN_CLOSE_WRITE | IN_MASK_ADD) < 0) {
    std::filesystem::path folder = path.parent_path();
    std::error_code error;
    while (folder.has_relative_path() && !std::filesystem::exists(folder, error)) folder = folder.parent_path();
    if (::inotify_add_watch(events_.get(), folder.c_str(), IN_CREATE | IN_MASK_ADD) < 0) return;
    if (!folders_.insert(folder).second) return;
  }
  watched_.insert(path);
}

bool FileWatch::wait(std::chrono::milliseconds limit) {
  pollfd entry{.fd = events_ ? events_.get() : -1, .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, static_cast<int>(limit.count())) <= 0) return false;
  std::this_thread::sleep_for(k_gather);
  std::array<char, 16 * 1024> ignored;
  while (::read(events_.get(), ignored.data(), ignored.size()) > 0) {
  }
  return true;
}

}  // namespace mlpipe::app
