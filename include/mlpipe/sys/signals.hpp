#pragma once

#include <signal.h>

#include <cstdint>
#include <functional>
#include <thread>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::sys {

// A signal that came.
struct Arrival {
  int signal = 0;
  int canceller = 0;  // the process that sent it by ask_to_end(); 0: somebody else did
};

// Turns SIGINT, SIGTERM and SIGHUP into calls of `on_signal` on a thread of its own, where anything may be done.
// Make it before any other thread: it blocks the signals in the calling thread, and threads made later inherit that.
// A signal that was ignored when it was made (nohup, a background job) stays ignored. SIGPIPE and SIGXFSZ are
// ignored, so that writing to a closed pipe or past RLIMIT_FSIZE is an error and not the end. The destructor puts all
// of it back. At most one at a time.
class SignalWatcher final {
 public:
  using Callback = std::function<void(Arrival)>;

  explicit SignalWatcher(Callback on_signal);  // aborts when the system has no descriptors left
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  void watch();

  Callback on_signal_;
  sigset_t watched_{};
  sigset_t old_mask_{};
  struct sigaction old_pipe_ {};
  struct sigaction old_file_size_ {};
  Fd signals_;
  Fd end_;
  std::thread thread_;
};

// SIGTERM to the process that the pidfd `process` means, with a word that it was `mlpipe cancel`.
Result<> ask_to_end(const Fd& process);

// Raises the soft limit of open files towards the hard one (at most to 1,048,576) and returns what it is then. The
// default of 1024 is too low for a few hundred containers at once.
Result<std::uint64_t> raise_open_file_limit();

// Opens /dev/null on each of the descriptors 0, 1 and 2 that is closed (cron and daemons may start us so), lest a
// database or a socket gets such a number and is written to by a stray print. The first thing main() does.
Result<> open_closed_standard_descriptors();

}  // namespace mlpipe::sys
