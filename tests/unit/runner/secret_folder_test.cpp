#include "mlpipe/runner/secret_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <thread>

#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

class SecretFolderTest : public testing::Test {
 protected:
  SecretFolder make() { return *SecretFolder::make(dir_.path()); }

  // As a process that is killed leaves it.
  fs::path leave() {
    int tell[2];
    EXPECT_EQ(::pipe(tell), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const SecretFolder folder = make();
      std::ofstream(folder.path() / "key") << "secret";
      const std::string path = folder.path().string();
      [[maybe_unused]] const ssize_t told = ::write(tell[1], path.data(), path.size());
      ::raise(SIGKILL);
    }
    ::close(tell[1]);
    std::string path(4096, '\0');
    const ssize_t length = ::read(tell[0], path.data(), path.size());
    ::close(tell[0]);
    ::waitpid(child, nullptr, 0);
    path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return path;
  }

  test::TempDir dir_;
};

TEST_F(SecretFolderTest, IsOursAloneAndGoesWithItsObject) {
  fs::path path;
  {
    const SecretFolder folder = make();
    path = folder.path();
    std::ofstream(path / "key") << "secret";
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SecretFolderTest, WhatIsInUseIsNotAbandoned) {
  const SecretFolder folder = make();
  remove_abandoned_secrets(dir_.path());
  EXPECT_TRUE(fs::exists(folder.path()));
}

TEST_F(SecretFolderTest, StaysInUseWhereItIsMovedTo) {
  SecretFolder folder = make();
  const std::optional<SecretFolder> there(std::move(folder));
  remove_abandoned_secrets(dir_.path());
  EXPECT_TRUE(fs::exists(there->path()));
}

TEST_F(SecretFolderTest, WhatAKilledProcessLeftIsRemoved) {
  const fs::path left = leave();
  ASSERT_TRUE(fs::exists(left / "key"));
  const SecretFolder mine = make();
  remove_abandoned_secrets(dir_.path());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(mine.path()));
}

// Each takes what the others just make for abandoned, whenever it is not locked yet.
TEST_F(SecretFolderTest, IsMadeWhileOthersLookForAbandonedOnes) {
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) remove_abandoned_secrets(dir_.path());
  });
  for (int i = 0; i < 500; ++i) {
    const SecretFolder folder = make();
    EXPECT_TRUE(std::ofstream(folder.path() / "key") << "secret");
  }
  over = true;
  other.join();
}

TEST_F(SecretFolderTest, OtherNamesLinksAndFilesAreNotOurs) {
  fs::create_directory(dir_.path() / "elsewhere");
  fs::create_directory(dir_.path() / "mlpipe-secret");
  fs::create_directory_symlink(dir_.path() / "elsewhere", dir_.path() / "mlpipe-secrets-link");
  std::ofstream(dir_.path() / "mlpipe-secrets-file") << "x";
  remove_abandoned_secrets(dir_.path());
  for (const char* name : {"elsewhere", "mlpipe-secret", "mlpipe-secrets-link", "mlpipe-secrets-file"}) {
    EXPECT_TRUE(fs::exists(dir_.path() / name)) << name;
  }
}

TEST_F(SecretFolderTest, FoldersOfOthersAreLeftAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const fs::path left = dir_.path() / "mlpipe-secrets-others";
  fs::create_directory(left);
  ASSERT_EQ(::chown(left.c_str(), 12345, 12345), 0);
  remove_abandoned_secrets(dir_.path());
  EXPECT_TRUE(fs::exists(left));
}

}  // namespace
}  // namespace mlpipe::runner
