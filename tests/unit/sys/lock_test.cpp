#include "mlpipe/sys/lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mlpipe/sys/machine.hpp"
#include "mlpipe/sys/subprocess.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::HasSubstr;

bool is_ours(const Result<std::variant<FileLock, LockHolder>>& lock) {
  return lock && std::holds_alternative<FileLock>(*lock);
}

TEST(FileLock, IsTakenOnceAndSaysByWhom) {
  const TempDir dir;
  const fs::path path = dir.path() / "locks" / "run.lock";
  const auto first = try_lock(path);
  ASSERT_TRUE(is_ours(first));
  EXPECT_TRUE(is_locked(path));
  const auto second = try_lock(path);
  ASSERT_TRUE(second);
  const LockHolder& holder = std::get<LockHolder>(*second);
  EXPECT_EQ(holder.pid, ::getpid());
  EXPECT_EQ(holder.boot_id, machine_info().boot_id);
  EXPECT_GT(holder.since.time_since_epoch().count(), 0);
  EXPECT_THAT(to_string(holder), HasSubstr("process " + std::to_string(::getpid()) + " since "));
}

TEST(FileLock, IsFreeAgainWhenItsObjectGoes) {
  const TempDir dir;
  const fs::path path = dir.path() / "run.lock";
  { const auto lock = try_lock(path); }
  EXPECT_TRUE(fs::exists(path));
  EXPECT_FALSE(is_locked(path));
  EXPECT_TRUE(is_ours(try_lock(path)));
}

TEST(FileLock, IsFreeWhereThereIsNoFile) {
  const TempDir dir;
  EXPECT_FALSE(is_locked(dir.path() / "absent"));
}

TEST(FileLock, AskingDoesNotTakeIt) {
  const TempDir dir;
  const fs::path path = dir.write("run.lock", "");
  EXPECT_FALSE(is_locked(path));
  EXPECT_TRUE(is_ours(try_lock(path)));
}

TEST(FileLock, ItsHolderIsNamedWithoutTakingIt) {
  TempDir folder;
  const fs::path path = folder.path() / "run.lock";
  EXPECT_FALSE(holder_of(path));
  {
    auto lock = try_lock(path);
    ASSERT_TRUE(lock);
    ASSERT_TRUE(holder_of(path));
    EXPECT_EQ(holder_of(path)->pid, ::getpid());
  }
  EXPECT_FALSE(holder_of(path));  // its words are still there
}

TEST(FileLock, DiesWithItsProcessEvenByKill9) {
  const TempDir dir;
  const fs::path path = dir.path() / "run.lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = try_lock(path);
    const char byte = is_ours(lock) ? 'y' : 'n';
    [[maybe_unused]] const ssize_t written = ::write(ready[1], &byte, 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const auto refused = try_lock(path);
  ASSERT_TRUE(refused);
  ASSERT_TRUE(std::holds_alternative<LockHolder>(*refused));
  EXPECT_EQ(std::get<LockHolder>(*refused).pid, child);
  EXPECT_TRUE(is_locked(path));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_FALSE(is_locked(path));
  EXPECT_TRUE(is_ours(try_lock(path)));
}

TEST(FileLock, IsNotInheritedByChildren) {
  const TempDir dir;
  const fs::path path = dir.path() / "run.lock";
  const fs::path pid = dir.path() / "pid";
  {
    const auto lock = try_lock(path);
    // The grandchild leaves the session and outlives the command.
    ASSERT_TRUE(run_command({"sh", "-c", "setsid sleep 100 & echo $! > " + pid.string()}));
  }
  EXPECT_FALSE(is_locked(path));
  ::kill(std::stoi(test::slurp(pid)), SIGKILL);
}

TEST(FileLock, AForeignFileNamesNobody) {
  const TempDir dir;
  const fs::path path = dir.path() / "run.lock";
  const auto lock = try_lock(path);
  dir.write("run.lock", "{ half");
  const auto refused = try_lock(path);
  EXPECT_EQ(to_string(std::get<LockHolder>(*refused)), "another process");
}

TEST(FileLock, AHolderThatDiedIsNotNamedForTheOneAfterIt) {
  const TempDir dir;
  const fs::path path = dir.path() / "run.lock";
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(is_ours(try_lock(path)) ? 0 : 1);
  int status = 0;
  ::waitpid(dead, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_THAT(test::slurp(path), HasSubstr(std::to_string(dead)));
  const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));  // taken, and not yet written down
  struct flock range {};
  range.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(file.get(), F_OFD_SETLK, &range), 0);
  const auto refused = try_lock(path);
  ASSERT_TRUE(refused);
  EXPECT_EQ(std::get<LockHolder>(*refused).pid, 0);
}

TEST(FileLock, OnAReadOnlyDiskIsAnErrorThatSaysSo) {
  test::SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  ASSERT_TRUE(disk.make_read_only());
  const auto lock = try_lock(disk.path() / "run.lock");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ErrorCode::permission);
  EXPECT_THAT(lock.error().hint, HasSubstr("read-only"));
}

}  // namespace
}  // namespace mlpipe::sys
