#include "mlpipe/sys/signals.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

// Collects signals from the watcher's thread; next() waits for one.
class Inbox {
 public:
  void put(int signal) {
    const std::lock_guard lock(mutex_);
    signals_.push_back(signal);
    arrived_.notify_all();
  }
  int next() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, std::chrono::seconds(20), [&] { return signals_.size() > read_; })) return -1;
    return signals_[read_++];
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<int> signals_;
  std::size_t read_ = 0;
};

TEST(SignalWatcher, CallsForEverySignalInsteadOfEndingTheProgram) {
  Inbox inbox;
  const SignalWatcher watcher([&](Arrival arrival) { inbox.put(arrival.signal); });
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGINT}) {
    ASSERT_EQ(::kill(::getpid(), signal), 0);
    EXPECT_EQ(inbox.next(), signal);
  }
}

TEST(SignalWatcher, CallsOnAThreadOfItsOwn) {
  std::thread::id caller;
  Inbox inbox;
  const SignalWatcher watcher([&](Arrival arrival) {
    caller = std::this_thread::get_id();
    inbox.put(arrival.signal);
  });
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  ASSERT_EQ(inbox.next(), SIGTERM);
  EXPECT_NE(caller, std::this_thread::get_id());
}

TEST(SignalWatcher, KnowsWhoAskedItToEnd) {
  Inbox signals;
  Inbox cancellers;
  const SignalWatcher watcher([&](Arrival arrival) {
    cancellers.put(arrival.canceller);
    signals.put(arrival.signal);
  });
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_EQ(signals.next(), SIGTERM);
  EXPECT_EQ(cancellers.next(), 0);
  const Fd myself(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  ASSERT_TRUE(ask_to_end(myself));
  EXPECT_EQ(signals.next(), SIGTERM);
  EXPECT_EQ(cancellers.next(), ::getpid());
}

TEST(SignalWatcher, PutsMaskAndActionsBack) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const SignalWatcher watcher([](Arrival) {});
    sigset_t during;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &during);
    EXPECT_EQ(sigismember(&during, SIGINT), 1);
    struct sigaction pipe {};
    ::sigaction(SIGPIPE, nullptr, &pipe);
    EXPECT_EQ(pipe.sa_handler, SIG_IGN);
  }
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal));
  }
  struct sigaction pipe {};
  ::sigaction(SIGPIPE, nullptr, &pipe);
  EXPECT_EQ(pipe.sa_handler, SIG_DFL);
}

TEST(SignalWatcher, LeavesSignalsIgnoredThatNohupIgnored) {
  struct sigaction old {};
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGHUP, &ignored, &old);
  {
    Inbox inbox;
    const SignalWatcher watcher([&](Arrival arrival) { inbox.put(arrival.signal); });
    ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    EXPECT_EQ(inbox.next(), SIGTERM);  // and no SIGHUP before it, though its number is lower
  }
  ::sigaction(SIGHUP, &old, nullptr);
}

// In a child of its own, for it changes limits and descriptors of the process.
template <class Check>
void in_child(Check check) {
  EXPECT_EXIT(std::_Exit(check() ? 0 : 1), testing::ExitedWithCode(0), "");
}

TEST(SignalWatcher, MakesAFileSizeLimitAnError) {
  in_child([] {
    const test::TempDir dir;
    const SignalWatcher watcher([](Arrival) {});
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Fd file(::open((dir.path() / "f").c_str(), O_WRONLY | O_CREAT, 0600));
    const std::string text(2000, 'x');
    const bool cut = ::write(file.get(), text.data(), text.size()) == 1000;
    return cut && ::write(file.get(), text.data(), text.size()) == -1 && errno == EFBIG;
  });
}

TEST(OpenFileLimit, IsRaisedToTheHardLimit) {
  in_child([] {
    const rlimit low{64, 512};
    ::setrlimit(RLIMIT_NOFILE, &low);
    const Result<std::uint64_t> now = raise_open_file_limit();
    rlimit after{};
    ::getrlimit(RLIMIT_NOFILE, &after);
    return now && *now == 512 && after.rlim_cur == 512;
  });
}

TEST(StandardDescriptors, AreOpenedOnDevNullWhenClosed) {
  in_child([] {
    ::close(0);
    ::close(1);
    ::close(2);
    if (!open_closed_standard_descriptors()) return false;
    struct stat null {};
    ::stat("/dev/null", &null);
    for (int fd = 0; fd <= 2; ++fd) {
      struct stat info {};
      if (::fstat(fd, &info) != 0 || info.st_rdev != null.st_rdev) return false;
    }
    char byte = 'x';
    return ::read(0, &byte, 1) == 0 && ::write(1, &byte, 1) == 1 && ::write(2, &byte, 1) == 1;
  });
}

TEST(StandardDescriptors, StayAsTheyAreWhenOpen) {
  in_child([] {
    const test::TempDir dir;
    const int file = ::open((dir.path() / "f").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(file, 1);
    ::close(0);
    if (!open_closed_standard_descriptors()) return false;
    return ::write(1, "kept", 4) == 4 && test::slurp(dir.path() / "f") == "kept";
  });
}

}  // namespace
}  // namespace mlpipe::sys
