#include "mlpipe/sys/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mlpipe/base/assert.hpp"
#include "sigpipe_guard.hpp"

namespace mlpipe::sys {

namespace {

// Goes with the signal of ask_to_end().
constexpr int k_cancel = 0x6d6c7069;

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
         action.sa_handler == SIG_IGN;
}

void ignore(int signal, struct sigaction& old) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  ::sigaction(signal, &action, &old);
}

}  // namespace

SignalWatcher::SignalWatcher(Callback on_signal) : on_signal_(std::move(on_signal)) {
  sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // A blocked signal is queued even when it is ignored: watching it would undo nohup.
    if (!is_ignored(signal)) sigaddset(&watched_, signal);
  }
  ignore(SIGPIPE, old_pipe_);
  ignore(SIGXFSZ, old_file_size_);
  ::pthread_sigmask(SIG_BLOCK, &watched_, &old_mask_);
  signals_.reset(::signalfd(-1, &watched_, SFD_CLOEXEC | SFD_NONBLOCK));
  end_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  MLPIPE_ASSERT(signals_ && end_);
  thread_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_.get(), &one, sizeof one);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  ::sigaction(SIGXFSZ, &old_file_size_, nullptr);
  ::sigaction(SIGPIPE, &old_pipe_, nullptr);
}

void SignalWatcher::watch() {
  std::array<pollfd, 2> polled{{{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}}};
  for (;;) {
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;  // EINTR
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const bool is_cancel = info.ssi_code == SI_QUEUE && info.ssi_int == k_cancel;
      on_signal_(
          {.signal = static_cast<int>(info.ssi_signo), .canceller = is_cancel ? static_cast<int>(info.ssi_pid) : 0});
    }
    if (polled[1].revents != 0) return;
  }
}

Result<> ask_to_end(const Fd& process) {
  siginfo_t info{};
  info.si_signo = SIGTERM;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_int = k_cancel;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, &info, 0) != 0)
    return fail_errno("sending it SIGTERM", errno);
  return {};
}

Result<std::uint64_t> raise_open_file_limit() {
  constexpr rlim_t k_enough = 1'048'576;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("asking for the limit of open files", errno);
  const rlim_t wanted = std::max(limit.rlim_cur, std::min(limit.rlim_max, k_enough));
  if (wanted == limit.rlim_cur) return limit.rlim_cur;
  limit.rlim_cur = wanted;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("raising the limit of open files", errno);
  return limit.rlim_cur;
}

Result<> open_closed_standard_descriptors() {
  for (int wanted = 0; wanted <= 2; ++wanted) {
    if (::fcntl(wanted, F_GETFD) >= 0) continue;
    // Open gives the lowest free number, which is this one, for those below are open. Without O_CLOEXEC, as 0-2 are.
    const int opened = ::open("/dev/null", wanted == 0 ? O_RDONLY : O_WRONLY);
    if (opened < 0) return fail_errno("opening /dev/null", errno);
    MLPIPE_ASSERT(opened == wanted);
  }
  return {};
}

SigpipeGuard::SigpipeGuard() {
  sigset_t pending{};
  ::sigpending(&pending);
  was_pending_ = sigismember(&pending, SIGPIPE) == 1;
  sigemptyset(&pipe_);
  sigaddset(&pipe_, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_, &old_mask_);
}

SigpipeGuard::~SigpipeGuard() {
  const timespec at_once{};
  while (!was_pending_ && ::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
  }
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

}  // namespace mlpipe::sys
