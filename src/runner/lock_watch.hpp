#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::runner {

// Tells when locks that others hold are let go, on a thread of its own. The kernel says so by inotify, for the holder's
// file is closed then, however it ended; where it does not (a network file system) the locks are looked at each second.
class LockWatch final {
 public:
  using LetGo = std::function<void(plan::TaskId)>;
  explicit LockWatch(LetGo let_go);
  ~LockWatch();
  LockWatch(const LockWatch&) = delete;
  LockWatch& operator=(const LockWatch&) = delete;

  // Calls let_go(task) once, from the watching thread, when nobody holds the lock at `path` any more.
  void add(std::filesystem::path path, plan::TaskId task);

 private:
  void watch();
  void wake() const;
  std::vector<plan::TaskId> take_free();

  LetGo let_go_;
  sys::Fd events_;
  sys::Fd wake_;
  std::mutex mutex_;
  std::multimap<std::filesystem::path, plan::TaskId> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mlpipe::runner
