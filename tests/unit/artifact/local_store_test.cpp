#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/sys/file.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::artifact {
namespace {

using test::TempDir;
using testing::HasSubstr;

const std::function<bool()> k_never;

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

class LocalStore : public testing::Test {
 protected:
  const TempDir dir_;
  const fs::path run_ = dir_.path() / "runs" / "r1";
  const TaskTree train_{run_, "train"};
  const std::unique_ptr<ArtifactStore> store_ = make_local_store(run_);
  const std::string uri_ = store_->uri_of("train", "model", "data");

  fs::path stage(const std::string& text, int attempt = 1) const {
    const fs::path file = train_.work(attempt) / "model" / "data";
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file;
  }
};

TEST_F(LocalStore, NamesTheFinalPath) { EXPECT_EQ(uri_, (run_ / "train" / "model" / "data").string()); }

TEST_F(LocalStore, PublishesTheOutputFolderByOneRename) {
  const fs::path staged = stage("weights");
  dir_.write("runs/r1/train/.mlpipe/attempts/1/work/model/data.extra", "more");
  struct stat before {};
  ASSERT_EQ(::stat(staged.c_str(), &before), 0);
  const Result<> committed = store_->commit(staged, uri_, k_never);
  ASSERT_TRUE(committed) << committed.error().message;
  struct stat after {};
  ASSERT_EQ(::stat(uri_.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);  // moved and not copied
  EXPECT_EQ(test::slurp(uri_), "weights");
  EXPECT_EQ(test::slurp(run_ / "train" / "model" / "data.extra"), "more");
  EXPECT_FALSE(fs::exists(staged.parent_path()));
}

TEST_F(LocalStore, MakesThePayloadReadOnlyAndDropsSetIdBits) {
  const fs::path staged = train_.work(1) / "model" / "data";
  fs::create_directories(staged / "sub");
  for (const char* name : {"plain", "sub/tool"}) std::ofstream(staged / name) << "x";
  ASSERT_EQ(::chmod((staged / "plain").c_str(), 0666), 0);
  ASSERT_EQ(::chmod((staged / "sub" / "tool").c_str(), 06777), 0);
  ASSERT_EQ(::chmod((staged / "sub").c_str(), 03777), 0);
  fs::create_symlink("plain", staged / "link");
  ASSERT_TRUE(store_->commit(staged, uri_, k_never));
  EXPECT_EQ(mode_of(fs::path(uri_) / "plain"), 0444U);
  EXPECT_EQ(mode_of(fs::path(uri_) / "sub" / "tool"), 0555U);
  EXPECT_EQ(mode_of(fs::path(uri_) / "sub"), 0755U);
  EXPECT_TRUE(fs::is_symlink(fs::path(uri_) / "link"));
  EXPECT_TRUE(sys::remove_tree(run_));
}

TEST_F(LocalStore, DoesNotFollowLinksWhenItChangesModes) {
  const fs::path victim = dir_.write("victim", "x");
  ASSERT_EQ(::chmod(victim.c_str(), 0666), 0);
  const fs::path staged = stage("weights");
  fs::create_symlink(victim, staged.parent_path() / "trap");
  fs::create_directory_symlink(dir_.path(), staged.parent_path() / "trap_folder");
  ASSERT_TRUE(store_->commit(staged, uri_, k_never));
  EXPECT_EQ(mode_of(victim), 0666U);
}

TEST_F(LocalStore, PublishesNoOutputFolderThatIsALink) {
  const fs::path elsewhere = dir_.write("elsewhere/data", "secret");
  fs::create_directories(train_.work(1));
  fs::create_directory_symlink(elsewhere.parent_path(), train_.work(1) / "model");
  EXPECT_FALSE(store_->commit(train_.work(1) / "model" / "data", uri_, k_never));
  EXPECT_FALSE(fs::exists(uri_));
  EXPECT_NE(mode_of(elsewhere) & 0222U, 0U);
}

TEST_F(LocalStore, PublishesManyFiles) {
  const fs::path staged = train_.work(1) / "model" / "data";
  fs::create_directories(staged);
  for (int i = 0; i < 50; ++i) std::ofstream(staged / std::to_string(i)) << i;
  const std::string before = digest_path(staged, k_never).value().digest;
  ASSERT_TRUE(store_->commit(staged, uri_, k_never));
  EXPECT_EQ(digest_path(uri_, k_never).value().digest, before);
}

TEST_F(LocalStore, PublishingAgainAfterACrashIsFine) {
  const fs::path staged = stage("weights");
  ASSERT_TRUE(store_->commit(staged, uri_, k_never));
  const Result<> again = store_->commit(staged, uri_, k_never);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_EQ(test::slurp(uri_), "weights");
}

TEST_F(LocalStore, ReplacesWhatAnAttemptLeftThatCrashedBeforeItWasRecorded) {
  ASSERT_TRUE(store_->commit(stage("of the crash", 1), uri_, k_never));
  const fs::path second = stage("weights", 2);
  const Result<> committed = store_->commit(second, uri_, k_never);
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(test::slurp(uri_), "weights");
  EXPECT_EQ(test::slurp(second), "of the crash");  // kept in the attempt's folder until the run is cleaned
}

TEST_F(LocalStore, SaysThatNothingIsStaged) {
  const Result<> committed = store_->commit(train_.work(1) / "model" / "data", uri_, k_never);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::not_found);
}

TEST_F(LocalStore, PublishesNothingOutsideItsRun) {
  const fs::path staged = stage("weights");
  for (const std::string& uri :
       {(dir_.path() / "elsewhere" / "data").string(), run_.string() + "/../r2/train/model/data",
        std::string("relative/data"), std::string("gs://bucket/model/data")}) {
    EXPECT_FALSE(store_->commit(staged, uri, k_never)) << uri;
  }
  EXPECT_TRUE(fs::exists(staged));
}

TEST_F(LocalStore, StopsWhenAskedAndLeavesTheOutputStaged) {
  const fs::path staged = stage("weights");
  EXPECT_EQ(store_->commit(staged, uri_, [] { return true; }).error().code, ErrorCode::cancelled);
  EXPECT_TRUE(fs::exists(staged));
  EXPECT_FALSE(fs::exists(uri_));
}

TEST_F(LocalStore, SaysWhoseFilesItMayNotMakeReadOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of another owner";
  const fs::path staged = stage("weights");
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const test::Unprivileged nobody;
  const Result<> committed = store_->commit(staged, uri_, k_never);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::permission);
  EXPECT_THAT(committed.error().message, HasSubstr(staged.string()));
  EXPECT_THAT(committed.error().hint, HasSubstr("chown"));
}

TEST(LocalStoreDisk, SaysThatTheDiskIsReadOnly) {
  test::SmallDisk disk("size=256k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const fs::path run = disk.path() / "run";
  const fs::path staged = run / "t" / ".mlpipe" / "attempts" / "1" / "work" / "o" / "data";
  fs::create_directories(staged.parent_path());
  std::ofstream(staged) << "x";
  ASSERT_TRUE(disk.make_read_only());
  const Result<> committed = make_local_store(run)->commit(staged, (run / "t" / "o" / "data").string(), k_never);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::permission);
  EXPECT_THAT(committed.error().hint, HasSubstr("read-only"));
}

TEST(LocalStoreDisk, WhenInodesRunOutTheOutputStaysStagedAndCanBePublishedLater) {
  test::SmallDisk disk("size=1m,nr_inodes=10");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const fs::path run = disk.path() / "run";  // root, run, work, o and data take 5 inodes; "t" is yet to be made
  const fs::path staged = run / "work" / "o" / "data";
  fs::create_directories(staged.parent_path());
  std::ofstream(staged) << "x";
  int made = 0;
  while (std::ofstream(disk.path() / std::to_string(made)).is_open()) ++made;
  const std::unique_ptr<ArtifactStore> store = make_local_store(run);
  const std::string uri = store->uri_of("t", "o", "data");
  const Result<> committed = store->commit(staged, uri, k_never);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::no_space);
  EXPECT_THAT(committed.error().hint, HasSubstr("inodes"));
  ASSERT_TRUE(fs::exists(staged));
  fs::remove(disk.path() / "0");
  EXPECT_TRUE(store->commit(staged, uri, k_never));
  EXPECT_EQ(test::slurp(uri), "x");
}

TEST_F(LocalStore, FetchGivesThePathItself) {
  const fs::path file = dir_.write("data.csv", "a");
  EXPECT_EQ(store_->fetch(file.string(), k_never).value(), file);
  EXPECT_EQ(store_->fetch("file://" + file.string(), k_never).value(), file);
}

TEST_F(LocalStore, FetchSaysWhatIsWrongWithAUri) {
  const auto error_of = [&](const std::string& uri) { return store_->fetch(uri, k_never).error(); };
  EXPECT_EQ(error_of((dir_.path() / "absent").string()).code, ErrorCode::not_found);
  EXPECT_EQ(error_of("relative.csv").code, ErrorCode::invalid_input);
  EXPECT_EQ(error_of("").code, ErrorCode::invalid_input);
  EXPECT_EQ(error_of("gs://bucket/data.csv").code, ErrorCode::invalid_input);
  EXPECT_THAT(error_of("gs://bucket/data.csv").message, HasSubstr("\"gs\" is not on this machine's disk"));
}

TEST_F(LocalStore, DescribesFilesAndFolders) {
  const fs::path file = dir_.write("in/data.csv", "abc");
  const engine::Artifact artifact = store_->describe(file.string(), k_never).value();
  EXPECT_EQ(artifact.uri, file.string());
  EXPECT_EQ(artifact.bytes, 3U);
  EXPECT_FALSE(artifact.is_folder);
  EXPECT_EQ(artifact.digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(store_->describe((dir_.path() / "in").string(), k_never).value().is_folder);
}

TEST_F(LocalStore, DescribesWhatTheUsersOwnLinkPointsAt) {
  const fs::path file = dir_.write("data.csv", "abc");
  fs::create_symlink(file, dir_.path() / "link.csv");
  const engine::Artifact artifact = store_->describe((dir_.path() / "link.csv").string(), k_never).value();
  EXPECT_EQ(artifact.bytes, 3U);
  EXPECT_EQ(artifact.uri, (dir_.path() / "link.csv").string());
}

TEST_F(LocalStore, DescribeSaysWhatIsNotThere) {
  EXPECT_EQ(store_->describe((dir_.path() / "absent").string(), k_never).error().code, ErrorCode::not_found);
  fs::create_symlink("nowhere", dir_.path() / "dangling");
  EXPECT_EQ(store_->describe((dir_.path() / "dangling").string(), k_never).error().code, ErrorCode::not_found);
  EXPECT_EQ(store_->describe("data.csv", k_never).error().code, ErrorCode::invalid_input);
}

}  // namespace
}  // namespace mlpipe::artifact
