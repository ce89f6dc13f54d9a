#include "mlpipe/sys/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

namespace fs = std::filesystem;
using test::SmallDisk;
using test::TempDir;
using test::Unprivileged;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST(ReadFile, GivesTheWholeFileWithItsZeroBytes) {
  TempDir dir;
  const std::string text = std::string("a\0b\n", 4) + std::string(100'000, 'x');
  EXPECT_EQ(read_file(dir.write("f", text)).value(), text);
  EXPECT_EQ(read_file(dir.write("empty", "")).value(), "");
}

TEST(ReadFile, ReadsFilesWhoseSizeTheKernelDoesNotTell) {
  EXPECT_THAT(read_file("/proc/self/status").value(), HasSubstr("Name:"));
}

TEST(ReadFile, NamesBothSizesWhenAFileIsTooLong) {
  TempDir dir;
  const Result<std::string> text = read_file(dir.write("f", std::string(2048, 'x')), 1024);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(text.error().message, HasSubstr("2.0 KiB"));
  EXPECT_THAT(text.error().message, HasSubstr("1.0 KiB"));
  EXPECT_TRUE(read_file(dir.write("g", std::string(1024, 'x')), 1024));
}

TEST(ReadFile, KeepsToTheLimitAlsoWhereTheSizeIsUnknown) {
  EXPECT_EQ(read_file("/proc/self/status", 10).error().code, ErrorCode::invalid_input);
}

TEST(ReadFile, SaysWhatAnAbsentFileIs) {
  TempDir dir;
  const Result<std::string> text = read_file(dir.path() / "absent");
  EXPECT_EQ(text.error().code, ErrorCode::not_found);
  EXPECT_THAT(text.error().message, HasSubstr((dir.path() / "absent").string()));
}

TEST(ReadFile, RefusesFoldersFifosAndDevicesWithoutBlocking) {
  TempDir dir;
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0600), 0);
  for (const auto& [path, word] : std::vector<std::pair<fs::path, std::string>>{
           {dir.path(), "a folder"}, {dir.path() / "fifo", "a FIFO"}, {"/dev/zero", "a device"}}) {
    const Result<std::string> text = read_file(path);
    ASSERT_FALSE(text) << path;
    EXPECT_EQ(text.error().code, ErrorCode::invalid_input) << path;
    EXPECT_THAT(text.error().message, HasSubstr(word));
  }
}

TEST(ReadFile, SaysThatPermissionIsMissing) {
  TempDir dir;
  const fs::path file = dir.write("f", "x");
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0), 0);
  const Unprivileged nobody;
  const Result<std::string> text = read_file(file);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::permission);
  EXPECT_THAT(text.error().hint, HasSubstr("chown"));
}

TEST(ReadFileBeneath, ReadsWhatLiesInside) {
  TempDir dir;
  dir.write("a/b/c", "text");
  EXPECT_EQ(read_file_beneath(dir.path(), "a/b/c").value(), "text");
  EXPECT_EQ(read_file_beneath(dir.path(), "a/absent").error().code, ErrorCode::not_found);
}

TEST(ReadFileBeneath, FollowsNoLinkAndNoWayOut) {
  TempDir dir;
  TempDir outside;
  outside.write("secret", "hidden");
  fs::create_directory(dir.path() / "a");
  fs::create_symlink(outside.path() / "secret", dir.path() / "a" / "link");
  fs::create_symlink(outside.path(), dir.path() / "folder");
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0600), 0);
  for (const char* path : {"a/link", "folder/secret", "../x", "a/../a/link", "/etc/passwd", "", "fifo", "a"}) {
    const Result<std::string> text = read_file_beneath(dir.path(), path);
    ASSERT_FALSE(text) << path;
    EXPECT_EQ(text.error().code, ErrorCode::invalid_input) << path << ": " << text.error().message;
  }
}

TEST(WriteFile, ReplacesAFileAsAWhole) {
  TempDir dir;
  const fs::path file = dir.write("f", "old and longer");
  ASSERT_TRUE(write_file_atomically(file, "new", Durable::yes));
  EXPECT_EQ(test::slurp(file), "new");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"f"});
}

TEST(WriteFile, ReplacesALinkAndNotWhatItPointsAt) {
  TempDir dir;
  const fs::path target = dir.write("target", "kept");
  fs::create_symlink(target, dir.path() / "link");
  ASSERT_TRUE(write_file_atomically(dir.path() / "link", "new", Durable::no));
  EXPECT_EQ(test::slurp(target), "kept");
  EXPECT_FALSE(fs::is_symlink(dir.path() / "link"));
}

TEST(WriteFile, KeepsToTheUmask) {
  TempDir dir;
  const mode_t old = ::umask(077);
  ASSERT_TRUE(write_file_atomically(dir.path() / "f", "x", Durable::no));
  ::umask(old);
  EXPECT_EQ(fs::status(dir.path() / "f").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(WriteFile, TakesTheLongestNames) {
  TempDir dir;
  EXPECT_TRUE(write_file_atomically(dir.path() / std::string(255, 'n'), "x", Durable::no));
}

TEST(WriteFile, OnAFullDiskKeepsTheOldFileAndSaysSo) {
  SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const fs::path file = disk.path() / "f";
  ASSERT_TRUE(write_file_atomically(file, "old", Durable::yes));
  const Result<> written = write_file_atomically(file, std::string(200'000, 'x'), Durable::yes);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::no_space);
  EXPECT_THAT(written.error().message, HasSubstr(file.string()));
  EXPECT_THAT(written.error().hint, HasSubstr("full"));
  EXPECT_EQ(test::slurp(file), "old");
  EXPECT_EQ(names_in(disk.path()), std::vector<std::string>{"f"});  // no temporary left
}

TEST(WriteFile, SaysWhenInodesRunOut) {
  SmallDisk disk("size=1m,nr_inodes=4");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  Result<> written;
  for (int i = 0; i < 8 && written; ++i)
    written = write_file_atomically(disk.path() / std::to_string(i), "x", Durable::no);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::no_space);
  EXPECT_THAT(written.error().hint, HasSubstr("inodes"));
}

TEST(WriteFile, SaysThatAFileSystemIsReadOnly) {
  SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  ASSERT_TRUE(disk.make_read_only());
  const Result<> written = write_file_atomically(disk.path() / "f", "x", Durable::yes);
  EXPECT_EQ(written.error().code, ErrorCode::permission);
  EXPECT_THAT(written.error().hint, HasSubstr("read-only"));
  EXPECT_EQ(make_directories(disk.path() / "a" / "b").error().code, ErrorCode::permission);
}

TEST(MakeDirectories, MakesParentsAndTakesExistingOnes) {
  TempDir dir;
  EXPECT_TRUE(make_directories(dir.path() / "a" / "b"));
  EXPECT_TRUE(make_directories(dir.path() / "a" / "b"));
  EXPECT_TRUE(fs::is_directory(dir.path() / "a" / "b"));
}

TEST(MakeDirectories, NamesTheFileInTheWay) {
  TempDir dir;
  const fs::path file = dir.write("a", "x");
  const Result<> made = make_directories(dir.path() / "a" / "b" / "c");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::conflict);
  EXPECT_THAT(made.error().message, HasSubstr(file.string() + " is there and is no folder"));
}

TEST(RenameIntoPlace, MovesFilesAndFolders) {
  TempDir dir;
  dir.write("staged/data", "x");
  ASSERT_TRUE(rename_into_place(dir.path() / "staged", dir.path() / "final", Durable::yes));
  EXPECT_EQ(test::slurp(dir.path() / "final" / "data"), "x");
  EXPECT_FALSE(fs::exists(dir.path() / "staged"));
}

TEST(RenameIntoPlace, NeverReplaces) {
  TempDir dir;
  const fs::path from = dir.write("from", "new");
  for (const char* name : {"file", "folder", "dangling"}) {
    if (name == std::string("file")) dir.write("file", "old");
    if (name == std::string("folder")) fs::create_directory(dir.path() / "folder");
    if (name == std::string("dangling")) fs::create_symlink("nowhere", dir.path() / "dangling");
    const Result<> moved = rename_into_place(from, dir.path() / name, Durable::no);
    ASSERT_FALSE(moved) << name;
    EXPECT_EQ(moved.error().code, ErrorCode::conflict) << name;
  }
  EXPECT_EQ(test::slurp(dir.path() / "file"), "old");
  EXPECT_TRUE(fs::exists(from));
}

TEST(ReplaceSymlink, WhatAKilledProcessLeftOfItIsNotInTheWay) {
  const test::TempDir dir;
  fs::create_symlink("runs/old", dir.path() / ".mlpipe-tmp-latest");
  ASSERT_TRUE(replace_symlink("runs/new", dir.path() / "latest"));
  EXPECT_EQ(fs::read_symlink(dir.path() / "latest"), "runs/new");
  EXPECT_FALSE(fs::exists(fs::symlink_status(dir.path() / ".mlpipe-tmp-latest")));
}

TEST(ReplaceSymlink, ManyMayDoItAtOnce) {
  const test::TempDir dir;
  const auto replace = [&](const std::string& target) {
    for (int i = 0; i < 300; ++i) {
      const Result<> replaced = replace_symlink(target, dir.path() / "latest");
      ASSERT_TRUE(replaced) << replaced.error().message;
    }
  };
  std::thread other(replace, "runs/a");
  replace("runs/b");
  other.join();
  const fs::path target = fs::read_symlink(dir.path() / "latest");
  EXPECT_TRUE(target == "runs/a" || target == "runs/b") << target;
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(ReplaceSymlink, PointsAtTheNewTarget) {
  TempDir dir;
  ASSERT_TRUE(replace_symlink("runs/a", dir.path() / "latest"));
  ASSERT_TRUE(replace_symlink("runs/b", dir.path() / "latest"));
  EXPECT_EQ(fs::read_symlink(dir.path() / "latest"), "runs/b");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"latest"});
}

TEST(FreeSpace, IsThatOfTheNearestExistingParent) {
  SmallDisk disk("size=1m");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const std::uint64_t free = free_space(disk.path() / "not" / "yet" / "there").value();
  EXPECT_GT(free, 0U);
  EXPECT_LE(free, 1024U * 1024U);
}

TEST(SyncFileSystem, TakesFilesAndFolders) {
  const test::TempDir dir;
  EXPECT_TRUE(sync_file_system(dir.path()));
  EXPECT_TRUE(sync_file_system(dir.write("a", "x")));
  EXPECT_EQ(sync_file_system(dir.path() / "absent").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace mlpipe::sys
