#include "mlpipe/sys/file_digests.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <climits>

#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

FileIdentity identity_of_path(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return identity_of(info);
}

TEST(FileIdentity, IsTakenFromStat) {
  struct stat info {};
  info.st_dev = 1;
  info.st_ino = 2;
  info.st_size = 3;
  info.st_mtim = {4, 5};
  info.st_ctim = {6, 7};
  EXPECT_EQ(identity_of(info), (FileIdentity{1, 2, 3, 4'000'000'005, 6'000'000'007}));
}

TEST(FileIdentity, OfAHardLinkDiffersAtMostInItsChangeTime) {
  const test::TempDir dir;
  const auto file = dir.write("a", "x");
  std::filesystem::create_hard_link(file, dir.path() / "b");
  FileIdentity link = identity_of_path(dir.path() / "b");
  EXPECT_EQ(link, identity_of_path(file));
  EXPECT_NE(identity_of_path(dir.write("c", "x")).inode, link.inode);
}

TEST(FileIdentity, IsSettledOnceItsStepOfTimeIsOver) {
  const FileTime changed = std::chrono::hours(24);
  const FileIdentity file{1, 2, 3, 0, changed.count()};
  EXPECT_FALSE(is_settled(file, changed));
  EXPECT_FALSE(is_settled(file, changed + k_file_time_step));
  EXPECT_TRUE(is_settled(file, changed + k_file_time_step + FileTime(1)));
  EXPECT_FALSE(is_settled(file, changed - std::chrono::hours(1)));  // the clock went back
  FileIdentity from_the_future = file;
  from_the_future.modified_ns = LLONG_MAX;
  EXPECT_FALSE(is_settled(from_the_future, changed + k_file_time_step * 2));
}

TEST(FileIdentity, OfAFreshFileIsNotSettled) {
  const test::TempDir dir;
  EXPECT_FALSE(is_settled(identity_of_path(dir.write("a", "x")), file_time_now()));
  EXPECT_TRUE(is_settled(identity_of_path(dir.path()), file_time_now() + std::chrono::hours(1)));
}

}  // namespace
}  // namespace mlpipe::sys
