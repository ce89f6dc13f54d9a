#include "mlpipe/runner/build_context.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "mlpipe/sys/subprocess.hpp"
#include "runner/docker/context_files.hpp"
#include "runner/docker/dockerignore.hpp"
#include "runner/docker/tar_stream.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

using docker::ContextFile;
using docker::DockerIgnore;
using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool excluded(const std::string& patterns, const std::string& path) {
  const Result<DockerIgnore> ignore = DockerIgnore::parse(patterns);
  EXPECT_TRUE(ignore) << ignore.error().message;
  return ignore && ignore->excludes(path);
}

TEST(DockerIgnoreFile, PatternsMatchAsDockersDo) {
  struct Case {
    const char* patterns;
    const char* path;
    bool excluded;
  };
  const Case cases[] = {
      {"a", "a", true},
      {"a", "b/a", false},
      {"a", "a/b/c", true},
      {"/a", "a", true},
      {"a/", "a/b", true},
      {"./a//b/../c", "a/c", true},
      {"*.pyc", "x.pyc", true},
      {"*.pyc", "d/x.pyc", false},
      {"*/x", "d/x", true},
      {"*/x", "d/e/x", false},
      {"**/*.pyc", "x.pyc", true},
      {"**/*.pyc", "d/e/x.pyc", true},
      {"**/*.pyc", "d/e/x.py", false},
      {"**/node_modules", "a/node_modules/b", true},
      {"a/**", "a/b", true},
      {"a/**", "a/b/c", true},
      {"a/**", "a", false},
      {"a/**/z", "a/z", true},
      {"a/**/z", "a/b/c/z", true},
      {"a/**/z", "a/bz", false},
      {"**", "anything/at/all", true},
      {"x?", "xy", true},
      {"x?", "x/", false},
      {"x?", "x", false},
      {"[a-c]1", "b1", true},
      {"[^a-c]1", "b1", false},
      {"[^a-c]1", "d1", true},
      {"a\\*b", "a*b", true},
      {"a\\*b", "axb", false},
      {"# a", "a", false},
      {"  a  ", "a", true},
      {"*\n!keep", "keep", false},
      {"*\n!keep", "other", true},
      {"*\n!keep", "keep/below", false},
      {"!a\na", "a", true},
      {"a\n!a\na", "a", true},
      {"docs\n!docs/README.md", "docs/README.md", false},
      {"docs\n!docs/README.md", "docs/x.md", true},
      {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
      {"a.b", "axb", false},
      {".", "a", false},
      {"", "a", false},
      {"\xEF\xBB\xBF"
       "a",
       "a", true},
      {"a\r\nb\r\n", "b", true},
      {"***a", "x/a", true},
  };
  for (const Case& one : cases)
    EXPECT_EQ(excluded(one.patterns, one.path), one.excluded) << one.patterns << " on " << one.path;
}

TEST(DockerIgnoreFile, AClassThatIsNotClosedNamesItsLine) {
  const Result<DockerIgnore> ignore = DockerIgnore::parse("good\nba[d\n");
  ASSERT_FALSE(ignore);
  EXPECT_THAT(ignore.error().message, HasSubstr(".dockerignore:2: the [ at column 3"));
}

TEST(DockerIgnoreFile, AHostilePatternTakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a**/";
  EXPECT_FALSE(excluded(pattern + "b", std::string(2000, 'a')));
}

std::vector<std::string> paths_of(const std::filesystem::path& context) {
  const Result<std::vector<ContextFile>> files = docker::list_context(context);
  EXPECT_TRUE(files) << files.error().message;
  std::vector<std::string> paths;
  if (files) {
    for (const ContextFile& file : *files) paths.push_back(file.path);
  }
  return paths;
}

TEST(BuildContext, IsListedInOrderWithoutWhatIsIgnored) {
  const TempDir folder;
  folder.write("Dockerfile", "FROM scratch\n");
  folder.write("src/main.py", "x");
  folder.write("src/cache/a.pyc", "x");
  folder.write("data/big.bin", "x");
  folder.write("data/keep/small.txt", "x");
  folder.write(".dockerignore", "**/*.pyc\ndata\n!data/keep/*.txt\nDockerfile\n.dockerignore\n");
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(paths_of(folder.path()),
              ElementsAre(".dockerignore", "Dockerfile", "data/keep/small.txt", "src", "src/cache", "src/main.py"));
}

TEST(BuildContext, WithoutFolderOrDockerfileItIsNotFound) {
  const TempDir folder;
  EXPECT_THAT(docker::list_context(folder.path()).error().message, HasSubstr("no Dockerfile"));
  EXPECT_EQ(docker::list_context(folder.path() / "absent").error().code, ErrorCode::not_found);
  EXPECT_FALSE(read_build_context(folder.path()));
}

TEST(BuildContext, WhatChangedIsNamed) {
  const TempDir folder;
  folder.write("Dockerfile", "FROM scratch\n");
  folder.write("a b", "1");
  folder.write("gone", "1");
  const std::string before = "from base:1 sha256:1\n" + read_build_context(folder.path())->files;
  EXPECT_EQ(build_changes(before, before), "");
  folder.write("a b", "2");
  for (const char* name : {"n1", "n2", "n3", "n4"}) folder.write(name, "");
  std::filesystem::remove(folder.path() / "gone");
  const std::string after = "from base:1 sha256:2\n" + read_build_context(folder.path())->files;
  EXPECT_EQ(build_changes(before, after), "changed: a b, from base:1; new: n1, n2, n3 and 1 more; gone: gone");
}

TEST(BuildContext, TheDigestSeesEveryChangeThatABuildWould) {
  const TempDir folder;
  folder.write("Dockerfile", "FROM scratch\n");
  folder.write("a", "1");
  folder.write("skip/x", "1");
  folder.write(".dockerignore", "skip\n");
  std::filesystem::create_symlink("a", folder.path() / "link");
  const auto digest = [&] {
    const Result<BuildContext> made = read_build_context(folder.path());
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->digest : std::string();
  };
  const std::string first = digest();
  EXPECT_EQ(first.size(), 64U);

  std::filesystem::last_write_time(folder.path() / "a",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(5));
  folder.write("skip/y", "not sent");
  EXPECT_EQ(digest(), first);

  folder.write("a", "2");
  const std::string content = digest();
  EXPECT_NE(content, first);
  std::filesystem::permissions(folder.path() / "a", std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);
  const std::string mode = digest();
  EXPECT_NE(mode, content);
  std::filesystem::rename(folder.path() / "a", folder.path() / "b");
  const std::string name = digest();
  EXPECT_NE(name, mode);
  std::filesystem::remove(folder.path() / "link");
  std::filesystem::create_symlink("b", folder.path() / "link");
  const std::string link = digest();
  EXPECT_NE(link, name);
  std::filesystem::create_directory(folder.path() / "empty");
  EXPECT_NE(digest(), link);
}

TEST(BuildContext, AFileThatChangesWhileItIsReadIsAConflict) {
  const TempDir folder;
  folder.write("Dockerfile", "FROM scratch\n");
  folder.write("a", "12345");
  const Result<std::vector<ContextFile>> files = docker::list_context(folder.path());
  ASSERT_TRUE(files);
  for (const char* now : {"123", "1234567"}) {
    folder.write("a", now);
    Result<docker::ContextReader> reader = docker::ContextReader::open(files->back());
    ASSERT_TRUE(reader);
    const Result<std::string> piece = reader->next();
    ASSERT_FALSE(piece);
    EXPECT_EQ(piece.error().code, ErrorCode::conflict);
  }
}

std::string tar_of(const std::filesystem::path& context) {
  Result<std::vector<ContextFile>> files = docker::list_context(context);
  EXPECT_TRUE(files);
  docker::TarStream tar(std::move(*files));
  std::string bytes;
  while (true) {
    const Result<std::string> piece = tar.next();
    EXPECT_TRUE(piece) << piece.error().message;
    if (!piece || piece->empty()) return bytes;
    bytes += *piece;
  }
}

TEST(TarStream, IsUnpackedByTarToTheSameFiles) {
  const TempDir folder;
  const TempDir target;
  const std::string long_name = std::string(120, 'd') + "/" + std::string(200, 'n') + ".txt";
  const std::string long_link = std::string(150, 'l');
  folder.write("Dockerfile", "FROM scratch\n");
  folder.write(long_name, "long");
  folder.write("ümlaut/ß.txt", "utf8");
  folder.write("exactly512", std::string(512, 'x'));
  folder.write("empty", "");
  folder.write("big", std::string(700'000, 'b'));
  folder.write("run.sh", "#!/bin/sh\n");
  ASSERT_EQ(::chmod((folder.path() / "run.sh").c_str(), 0750), 0);
  std::filesystem::create_symlink(long_link, folder.path() / "link");
  std::filesystem::create_directory(folder.path() / "hollow");

  std::ofstream(target.path() / "context.tar", std::ios::binary) << tar_of(folder.path());
  const Result<sys::CommandResult> unpacked =
      sys::run_command({"tar", "-C", target.path().string(), "-xf", (target.path() / "context.tar").string()});
  ASSERT_TRUE(unpacked);
  ASSERT_TRUE(unpacked->ok()) << unpacked->err;
  EXPECT_EQ(unpacked->err, "");
  EXPECT_EQ(test::slurp(target.path() / long_name), "long");
  EXPECT_EQ(test::slurp(target.path() / "ümlaut/ß.txt"), "utf8");
  EXPECT_EQ(test::slurp(target.path() / "exactly512"), std::string(512, 'x'));
  EXPECT_EQ(std::filesystem::file_size(target.path() / "empty"), 0U);
  EXPECT_EQ(test::slurp(target.path() / "big"), std::string(700'000, 'b'));
  EXPECT_EQ(std::filesystem::read_symlink(target.path() / "link").string(), long_link);
  EXPECT_TRUE(std::filesystem::is_directory(target.path() / "hollow"));
  struct stat status {};
  ASSERT_EQ(::stat((target.path() / "run.sh").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0700U, 0700U);
}

TEST(TarStream, PermissionsDoNotDependOnTheUmaskOfACheckout) {
  const TempDir open;
  const TempDir closed;
  for (const TempDir* folder : {&open, &closed}) {
    folder->write("Dockerfile", "FROM scratch\n");
    folder->write("below/plain.py", "x");
    folder->write("below/run.sh", "x");
    std::filesystem::create_symlink("plain.py", folder->path() / "below/link");
  }
  const auto set = [](const TempDir& folder, mode_t plain, mode_t executable) {
    for (const char* name : {"Dockerfile", "below/plain.py"})
      EXPECT_EQ(::chmod((folder.path() / name).c_str(), plain), 0);
    for (const char* name : {"below", "below/run.sh"})
      EXPECT_EQ(::chmod((folder.path() / name).c_str(), executable), 0);
  };
  set(open, 0666, 04777);
  set(closed, 0400, 0700);
  EXPECT_EQ(tar_of(open.path()), tar_of(closed.path()));
  EXPECT_EQ(read_build_context(open.path())->digest, read_build_context(closed.path())->digest);

  const Result<std::vector<ContextFile>> files = docker::list_context(closed.path());
  ASSERT_TRUE(files);
  std::vector<std::string> modes;
  for (const ContextFile& file : *files) modes.push_back(fmt::format("{} {:o}", file.path, file.mode));
  EXPECT_THAT(modes,
              ElementsAre("Dockerfile 644", "below 755", "below/link 777", "below/plain.py 644", "below/run.sh 755"));
}

TEST(TarStream, TheSameFilesGiveTheSameBytes) {
  const TempDir first;
  const TempDir second;
  for (const TempDir* folder : {&first, &second}) {
    folder->write("Dockerfile", "FROM scratch\n");
    folder->write("z/y", "x");
  }
  std::filesystem::last_write_time(second.path() / "z/y",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(5));
  EXPECT_EQ(tar_of(first.path()), tar_of(second.path()));
  EXPECT_EQ(tar_of(first.path()).size() % 512, 0U);
}

}  // namespace
}  // namespace mlpipe::runner
