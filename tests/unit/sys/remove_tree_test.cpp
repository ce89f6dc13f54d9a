#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mlpipe/sys/file.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::Unprivileged;

TEST(RemoveTree, RemovesEverythingBelow) {
  TempDir dir;
  dir.write("t/a/b/c", "x");
  dir.write("t/d", "x");
  ASSERT_EQ(::mkfifo((dir.path() / "t" / "fifo").c_str(), 0600), 0);
  ASSERT_TRUE(remove_tree(dir.path() / "t"));
  EXPECT_FALSE(fs::exists(dir.path() / "t"));
}

TEST(RemoveTree, IsFineWithWhatIsNotThere) {
  TempDir dir;
  EXPECT_TRUE(remove_tree(dir.path() / "absent"));
  EXPECT_TRUE(remove_tree(dir.path() / "absent" / "deeper"));
}

TEST(RemoveTree, RemovesLinksAndNotTheirTargets) {
  TempDir dir;
  const fs::path kept = dir.write("kept/file", "x");
  fs::create_directory(dir.path() / "t");
  fs::create_directory_symlink(dir.path() / "kept", dir.path() / "t" / "link");
  fs::create_directory_symlink(dir.path() / "kept", dir.path() / "top_link");
  ASSERT_TRUE(remove_tree(dir.path() / "t"));
  ASSERT_TRUE(remove_tree(dir.path() / "top_link"));
  EXPECT_FALSE(fs::is_symlink(dir.path() / "top_link"));
  EXPECT_TRUE(fs::exists(kept));
}

TEST(RemoveTree, MakesReadOnlyFoldersOfOursWritable) {
  TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0777), 0);
  const Unprivileged nobody;
  fs::create_directories(dir.path() / "t" / "a" / "b");
  dir.write("t/a/file", "x");
  ASSERT_EQ(::chmod((dir.path() / "t" / "a" / "b").c_str(), 0), 0);
  ASSERT_EQ(::chmod((dir.path() / "t" / "a").c_str(), 0500), 0);
  ASSERT_EQ(::chmod((dir.path() / "t").c_str(), 0), 0);
  const Result<> removed = remove_tree(dir.path() / "t");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(dir.path() / "t"));
}

TEST(RemoveTree, NamesWhatItMayNotRemove) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of another owner";
  TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0777), 0);
  const fs::path theirs = dir.write("t/theirs", "x");
  const Unprivileged nobody;
  const Result<> removed = remove_tree(dir.path() / "t");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ErrorCode::permission);
  EXPECT_THAT(removed.error().message, testing::HasSubstr(theirs.string()));
  EXPECT_THAT(removed.error().hint, testing::HasSubstr("chown"));
}

TEST(RemoveTree, GoesDeeperThanAnyPathMayBeLong) {
  TempDir dir;
  fs::create_directory(dir.path() / "t");
  int at = ::open((dir.path() / "t").c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(::mkdirat(at, "down", 0755), 0);
    const int next = ::openat(at, "down", O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = next;
  }
  ::close(at);
  const Result<> removed = remove_tree(dir.path() / "t");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(dir.path() / "t"));
}

}  // namespace
}  // namespace mlpipe::sys
