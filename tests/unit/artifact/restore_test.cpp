#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <thread>

#include "known_files.hpp"
#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/sys/file.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::artifact {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::function<bool()> k_never;
const std::string k_false_hex(64, 'f');

struct stat stat_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}
mode_t mode_of(const fs::path& path) { return stat_of(path).st_mode & 07777U; }

// An output of run r1, published as runs do, and the store of run r2, which may use it.
class Restore : public testing::Test {
 protected:
  const test::TempDir dir_;
  const fs::path runs_ = dir_.path() / "runs";
  test::KnownFiles known_;
  std::unique_ptr<ArtifactStore> first_ = make_local_store(runs_ / "r1", &known_);
  std::unique_ptr<ArtifactStore> second_ = make_local_store(runs_ / "r2", &known_);
  const std::string uri_ = second_->uri_of("fit", "model", "data");

  fs::path staged() const { return TaskTree(runs_ / "r1", "train").work(1) / "model" / "data"; }

  // Hashes and publishes what is staged.
  engine::Artifact publish() {
    const fs::path work = staged().parent_path().parent_path();
    const PathDigest digest = digest_beneath(work, "model/data", k_never, &known_).value();
    engine::Artifact stored;
    stored.uri = first_->uri_of("train", "model", "data");
    stored.digest = digest.digest;
    stored.bytes = digest.bytes;
    stored.is_folder = digest.is_folder;
    const Result<> committed = first_->commit(staged(), stored.uri, k_never);
    EXPECT_TRUE(committed) << (committed ? "" : committed.error().message);
    return stored;
  }
  engine::Artifact publish_file(const std::string& text) {
    fs::create_directories(staged().parent_path());
    std::ofstream(staged()) << text;
    return publish();
  }
  engine::Artifact publish_folder() {
    fs::create_directories(staged() / "sub" / "empty");
    std::ofstream(staged() / "a") << "aa";
    std::ofstream(staged() / "sub" / "run.sh") << "#!/bin/sh";
    fs::permissions(staged() / "sub" / "run.sh", fs::perms(0755));
    fs::create_symlink("sub/run.sh", staged() / "link");
    fs::create_symlink("nowhere", staged() / "dangling");
    return publish();
  }
  bool whole(const engine::Artifact& stored) {
    const Result<bool> whole = second_->is_whole(stored, k_never);
    EXPECT_TRUE(whole) << (whole ? "" : whole.error().message);
    return whole && *whole;
  }
  void restore(const engine::Artifact& stored) { ASSERT_TRUE(can_restore(*second_, stored, uri_)); }
  // False: what is stored is not whole.
  static bool can_restore(ArtifactStore& store, const engine::Artifact& stored, const std::string& uri) {
    const Result<bool> restored = store.restore(stored, uri, k_never);
    EXPECT_TRUE(restored) << (restored ? "" : restored.error().message);
    return restored && *restored;
  }
  // As if it had been written some time later: within one step of the file system's clock nobody could tell.
  static void make_later(const fs::path& file) {
    const timeval times[2] = {{2'000'000'000, 0}, {2'000'000'000, 0}};
    ASSERT_EQ(::utimes(file.c_str(), times), 0);
  }
  // As the owner can.
  static void overwrite(const fs::path& file, const std::string& text) {
    const mode_t mode = mode_of(file);
    fs::permissions(file, fs::perms(0644));
    std::ofstream(file, std::ios::in | std::ios::out) << text;
    fs::permissions(file, fs::perms(mode));
    make_later(file);
  }
};

engine::Artifact at(engine::Artifact stored, const std::string& uri) {
  stored.uri = uri;
  return stored;
}

TEST_F(Restore, PublishingReadsEveryByteOnce) {
  const engine::Artifact stored = publish_folder();
  EXPECT_EQ(known_.take_misses(), 2);  // before they were hashed
  EXPECT_TRUE(whole(stored));
  EXPECT_EQ(known_.take_misses(), 0);
}

TEST_F(Restore, AFileIsThereWithoutACopy) {
  const engine::Artifact stored = publish_file("weights");
  const auto inode = stat_of(stored.uri).st_ino;
  restore(stored);
  EXPECT_EQ(test::slurp(uri_), "weights");
  EXPECT_EQ(mode_of(uri_), 0444U);
  const bool linked = stat_of(uri_).st_ino == inode;  // else it is a clone
  EXPECT_EQ(stat_of(uri_).st_nlink, linked ? 2U : 1U);
}

TEST_F(Restore, OfAFileIsKnownAfterwardsByBothNames) {
  const engine::Artifact stored = publish_file("weights");
  known_.take_misses();
  restore(stored);
  for (int more = 0; more < 3; ++more) {
    ASSERT_TRUE(can_restore(*second_, stored, second_->uri_of("more" + std::to_string(more), "o", "data")));
  }
  EXPECT_TRUE(whole(stored));
  EXPECT_TRUE(whole(at(stored, uri_)));
  EXPECT_EQ(known_.take_misses(), 0);
}

TEST_F(Restore, AFolderIsThereAsItWas) {
  const engine::Artifact stored = publish_folder();
  known_.take_misses();
  restore(stored);
  EXPECT_TRUE(whole(at(stored, uri_)));
  EXPECT_TRUE(whole(stored));
  EXPECT_EQ(known_.take_misses(), 0);
  EXPECT_EQ(digest_path(uri_, k_never).value().digest, stored.digest);  // read
  EXPECT_EQ(mode_of(fs::path(uri_) / "sub" / "run.sh"), 0555U);
  EXPECT_EQ(mode_of(fs::path(uri_) / "sub"), mode_of(fs::path(stored.uri) / "sub"));
  EXPECT_EQ(fs::read_symlink(fs::path(uri_) / "link"), "sub/run.sh");
  EXPECT_EQ(stat_of(fs::path(uri_) / "link").st_nlink, 1U);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(uri_).parent_path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::ElementsAre("data"));
}

TEST_F(Restore, AFolderThatItsOwnerMayNotWriteIsRestoredToo) {
  fs::create_directories(staged() / "sub");
  std::ofstream(staged() / "sub" / "a") << "a";
  fs::permissions(staged() / "sub", fs::perms(0555));
  fs::permissions(staged(), fs::perms(0555));
  const engine::Artifact stored = publish();
  restore(stored);
  restore(stored);  // over itself
  EXPECT_EQ(mode_of(fs::path(uri_) / "sub"), 0555U);
  EXPECT_TRUE(whole(at(stored, uri_)));
  EXPECT_TRUE(sys::remove_tree(runs_));
}

TEST_F(Restore, GoingAndComingRunsDoNotDisturbEachOther) {
  const engine::Artifact stored = publish_folder();
  restore(stored);
  ASSERT_TRUE(sys::remove_tree(runs_ / "r1"));
  EXPECT_TRUE(whole(at(stored, uri_)));
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, ReplacesWhatACrashLeft) {
  const engine::Artifact folder = publish_folder();
  fs::create_directories(fs::path(uri_) / "half");
  dir_.write("runs/r2/fit/model/.mlpipe-restore/half", "x");
  restore(folder);
  EXPECT_TRUE(whole(at(folder, uri_)));
  EXPECT_FALSE(fs::exists(fs::path(uri_).parent_path() / ".mlpipe-restore"));

  ASSERT_TRUE(sys::remove_tree(runs_ / "r1"));
  const engine::Artifact file = publish_file("weights");
  restore(file);  // over the folder
  EXPECT_EQ(test::slurp(uri_), "weights");
  restore(file);  // over itself
  EXPECT_TRUE(whole(at(file, uri_)));
  ASSERT_TRUE(sys::remove_tree(uri_));
  std::ofstream(uri_) << "half";
  restore(file);  // over another file
  EXPECT_EQ(test::slurp(uri_), "weights");
}

TEST_F(Restore, OntoItselfIsNothing) {
  const engine::Artifact stored = publish_folder();
  ASSERT_TRUE(can_restore(*first_, stored, stored.uri));
  EXPECT_TRUE(whole(stored));
}

TEST_F(Restore, AFileThatSomebodyMayWriteIsNotShared) {
  const engine::Artifact stored = publish_file("weights");
  fs::permissions(stored.uri, fs::perms(0644));
  restore(stored);
  std::ofstream(stored.uri) << "changed";
  EXPECT_EQ(test::slurp(uri_), "weights");
  EXPECT_EQ(mode_of(uri_), 0444U);
}

TEST_F(Restore, ToAnotherFileSystemCopies) {
  test::SmallDisk disk("size=4m");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const engine::Artifact stored = publish_folder();
  known_.take_misses();
  const auto store = make_local_store(disk.path() / "r3", &known_);
  const std::string uri = store->uri_of("fit", "model", "data");
  ASSERT_TRUE(can_restore(*store, stored, uri));
  EXPECT_TRUE(store->is_whole(at(stored, uri), k_never).value());
  EXPECT_EQ(known_.take_misses(), 0);
  EXPECT_EQ(digest_path(uri, k_never).value().digest, stored.digest);
}

TEST_F(Restore, OnAFullDiskLeavesNothingHalf) {
  test::SmallDisk disk("size=64k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const engine::Artifact stored = publish_file(std::string(200'000, 'x'));
  const auto store = make_local_store(disk.path() / "r3", &known_);
  const std::string uri = store->uri_of("fit", "model", "data");
  const Result<bool> restored = store->restore(stored, uri, k_never);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::no_space);
  EXPECT_TRUE(fs::is_empty(fs::path(uri).parent_path()));
}

TEST_F(Restore, SaysWhatIsGone) {
  engine::Artifact stored = publish_file("weights");
  ASSERT_TRUE(sys::remove_tree(runs_ / "r1"));
  EXPECT_FALSE(can_restore(*second_, stored, uri_));
  EXPECT_FALSE(fs::exists(uri_));
  stored.uri = "gs://bucket/data";
  EXPECT_EQ(second_->restore(stored, uri_, k_never).error().code, ErrorCode::invalid_input);
  EXPECT_FALSE(second_->is_whole(stored, k_never));
}

TEST_F(Restore, MakesNothingOutsideItsRun) {
  const engine::Artifact stored = publish_file("weights");
  for (const std::string& uri : {runs_.string() + "/r2/../r3/t/o/data", (dir_.path() / "data").string()}) {
    EXPECT_FALSE(second_->restore(stored, uri, k_never)) << uri;
  }
}

TEST_F(Restore, FollowsNoLink) {
  const fs::path secret = dir_.write("secret", "secret");
  const engine::Artifact folder = publish_folder();
  const fs::path inside = fs::path(folder.uri) / "a";
  fs::remove(inside);
  fs::create_symlink(secret, inside);
  EXPECT_FALSE(can_restore(*second_, folder, uri_));

  ASSERT_TRUE(sys::remove_tree(folder.uri));
  const engine::Artifact file = publish_file("secret");
  ASSERT_TRUE(sys::remove_tree(file.uri));
  fs::create_symlink(secret, file.uri);
  EXPECT_FALSE(can_restore(*second_, file, uri_));
  EXPECT_FALSE(fs::exists(uri_));
  EXPECT_EQ(stat_of(secret).st_nlink, 1U);
}

TEST_F(Restore, MakesNothingOfWhatIsNotWhole) {
  const engine::Artifact stored = publish_file("weights");
  restore(stored);  // from now on files are linked without ado
  const std::string uri = second_->uri_of("other", "model", "data");
  overwrite(stored.uri, "weighty");
  EXPECT_FALSE(can_restore(*second_, stored, uri));  // read, and found changed
  EXPECT_FALSE(can_restore(*second_, stored, uri));  // known to have changed
  EXPECT_FALSE(fs::exists(uri));
}

TEST_F(Restore, OfFilesThatAreKnownReplacesWhatACrashLeft) {
  const engine::Artifact stored = publish_file("weights");
  restore(stored);
  for (int number = 0; number < 2; ++number) {
    const std::string uri = second_->uri_of("other" + std::to_string(number), "model", "data");
    fs::create_directories(fs::path(uri).parent_path());
    if (number == 0) {
      std::ofstream(uri) << "half";
    } else {
      fs::create_directories(fs::path(uri) / "half");
    }
    ASSERT_TRUE(can_restore(*second_, stored, uri));
    EXPECT_EQ(test::slurp(uri), "weights");
    ASSERT_TRUE(can_restore(*second_, stored, uri));  // over itself
    EXPECT_TRUE(whole(at(stored, uri)));
  }
}

TEST_F(Restore, OfATaskInAFolderOfTasks) {
  const engine::Artifact stored = publish_file("weights");
  restore(stored);
  const std::string uri = second_->uri_of("inner/fit", "model", "data");
  ASSERT_TRUE(can_restore(*second_, stored, uri));
  EXPECT_EQ(test::slurp(uri), "weights");
}

TEST_F(Restore, StopsWhenAsked) {
  const engine::Artifact stored = publish_folder();
  EXPECT_EQ(second_->restore(stored, uri_, [] { return true; }).error().code, ErrorCode::cancelled);
  EXPECT_FALSE(fs::exists(uri_));
  EXPECT_EQ(make_local_store(runs_ / "r2")->is_whole(stored, [] { return true; }).error().code, ErrorCode::cancelled);
}

TEST_F(Restore, ManyAtOnceOfOneFileAreFine) {
  class Locked final : public sys::FileDigests {
   public:
    std::optional<std::string> find(const sys::FileIdentity& identity) override {
      const std::lock_guard lock(mutex_);
      return known.find(identity);
    }
    void remember(const sys::FileIdentity& identity, const std::string& hex) override {
      const std::lock_guard lock(mutex_);
      known.remember(identity, hex);
    }
    test::KnownFiles known;

   private:
    std::mutex mutex_;
  };
  const engine::Artifact stored = publish_file("weights");
  Locked known;
  known.remember(sys::identity_of(stat_of(stored.uri)), stored.digest.substr(7));
  const auto store = make_local_store(runs_ / "r4", &known);
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      for (int i = 0; i < 25; ++i) {
        const std::string uri = store->uri_of("t" + std::to_string(number * 100 + i), "o", "data");
        EXPECT_TRUE(can_restore(*store, stored, uri));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  known.known.take_misses();
  EXPECT_TRUE(store->is_whole(stored, k_never).value());
  EXPECT_EQ(known.known.take_misses(), 0);
}

TEST_F(Restore, WithoutKnownDigestsReadsAndWorks) {
  const engine::Artifact stored = publish_folder();
  const auto store = make_local_store(runs_ / "r2");
  EXPECT_TRUE(store->is_whole(stored, k_never).value());
  ASSERT_TRUE(can_restore(*store, stored, uri_));
  EXPECT_TRUE(store->is_whole(at(stored, uri_), k_never).value());
}

// ---- is_whole() --------------------------------------------------------------------------------------------------

TEST_F(Restore, ABitFlipMakesItNotWhole) {
  const engine::Artifact stored = publish_file("weights");
  overwrite(stored.uri, "weighty");
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, ABitFlipInAFolderMakesItNotWhole) {
  const engine::Artifact stored = publish_folder();
  overwrite(fs::path(stored.uri) / "a", "ab");
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, ATruncatedFileIsNotWhole) {
  const engine::Artifact stored = publish_file("weights");
  fs::permissions(stored.uri, fs::perms(0644));
  fs::resize_file(stored.uri, 3);
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, OtherTimesAndModesLeaveItWhole) {
  const engine::Artifact stored = publish_folder();
  const timeval times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimes((fs::path(stored.uri) / "a").c_str(), times), 0);
  fs::permissions(fs::path(stored.uri) / "a", fs::perms(0400));
  known_.take_misses();
  EXPECT_TRUE(whole(stored));
  EXPECT_EQ(known_.take_misses(), 1);  // read again to know it
}

TEST_F(Restore, AnotherExecutableBitMakesItNotWhole) {
  const engine::Artifact stored = publish_folder();
  fs::permissions(fs::path(stored.uri) / "a", fs::perms(0555));
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, AFileReplacedByALinkIsNotWhole) {
  const engine::Artifact stored = publish_file("weights");
  const fs::path copy = dir_.write("copy", "weights");
  fs::remove(stored.uri);
  fs::create_symlink(copy, stored.uri);
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, AFileReplacedByAnotherOrAFolderIsNotWhole) {
  const engine::Artifact stored = publish_file("weights");
  fs::remove(stored.uri);
  std::ofstream(stored.uri) << "weighty";
  make_later(stored.uri);
  EXPECT_FALSE(whole(stored));
  fs::remove(stored.uri);
  fs::create_directory(stored.uri);
  EXPECT_FALSE(whole(stored));
  fs::remove(stored.uri);
  ASSERT_EQ(::mkfifo(stored.uri.c_str(), 0600), 0);
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, AMissingOrMoreFileInAFolderMakesItNotWhole) {
  const engine::Artifact stored = publish_folder();
  const fs::path more = fs::path(stored.uri) / "sub" / "more";
  std::ofstream(more) << "";
  EXPECT_FALSE(whole(stored));
  fs::remove(more);
  EXPECT_TRUE(whole(stored));
  fs::remove(fs::path(stored.uri) / "sub" / "empty");
  EXPECT_FALSE(whole(stored));
}

// A file that holds a folder's listing has that folder's digest.
TEST_F(Restore, AFileIsNotTheFolderThatItLists) {
  engine::Artifact stored = publish_file("mlpipe-tree 1\n");
  EXPECT_TRUE(whole(stored));
  stored.is_folder = true;
  EXPECT_FALSE(whole(stored));
}

TEST_F(Restore, WhatMayNotBeReadIsAnErrorAndNotAnAnswer) {
  const engine::Artifact stored = publish_file("weights");
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  fs::permissions(stored.uri, fs::perms(0000));
  const test::Unprivileged nobody;
  const Result<bool> whole = make_local_store(runs_ / "r2")->is_whole(stored, k_never);
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::permission);
}

// ---- digests by what is known ------------------------------------------------------------------------------------

TEST(KnownDigests, AKnownFileIsNotRead) {
  const test::TempDir dir;
  dir.write("t/a", "a");
  dir.write("t/b", "bb");
  test::KnownFiles known;
  const PathDigest read = digest_beneath(dir.path(), "t", k_never, &known).value();
  EXPECT_EQ(known.size(), 2U);
  const PathDigest again = digest_path(dir.path() / "t", k_never, &known).value();
  EXPECT_EQ(again.digest, read.digest);
  EXPECT_EQ(again.bytes, 3U);
  EXPECT_EQ(again.files, 2U);
  known.falsify(k_false_hex);
  EXPECT_NE(digest_path(dir.path() / "t", k_never, &known).value().digest, read.digest);
  EXPECT_EQ(digest_path(dir.path() / "t" / "a", k_never, &known).value().digest, "sha256:" + k_false_hex);
  EXPECT_EQ(digest_path(dir.path() / "t", k_never).value().digest, read.digest);
}

// Within one step of the file system's clock a file may change again unseen.
TEST(KnownDigests, AFileThatWasJustChangedIsNotRemembered) {
  const test::TempDir dir;
  test::KnownFiles known;
  ASSERT_TRUE(digest_path(dir.write("a", "a"), k_never, &known));
  EXPECT_EQ(known.size(), 0U);
}

TEST(KnownDigests, AFileThatIsLongAsItIsIsRemembered) {
  test::KnownFiles known;
  const fs::path file = "/usr/bin/env";  // older than any test
  ASSERT_TRUE(sys::is_settled(sys::identity_of(stat_of(file)), sys::file_time_now()));
  const std::string digest = digest_path(file, k_never).value().digest;
  EXPECT_EQ(digest_path(file, k_never, &known).value().digest, digest);
  EXPECT_EQ(known.size(), 1U);
  EXPECT_EQ(digest_path(file, k_never, &known).value().digest, digest);
  EXPECT_EQ(known.hits, 1);
}

TEST(KnownDigests, AWrittenFileIsReadAgain) {
  const test::TempDir dir;
  const fs::path file = dir.write("t/a", "a");
  test::KnownFiles known;
  ASSERT_TRUE(digest_beneath(dir.path(), "t/a", k_never, &known));
  dir.write("t/a", "bb");
  EXPECT_EQ(digest_path(file, k_never, &known).value().digest, "sha256:" + sha256_hex("bb"));
}

}  // namespace
}  // namespace mlpipe::artifact
