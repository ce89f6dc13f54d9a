#include "mlpipe/artifact/digest.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/sys/fd.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::artifact {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::HasSubstr;

const std::function<bool()> k_never;

std::string digest_of(const fs::path& path) {
  const Result<PathDigest> digest = digest_path(path, k_never);
  return digest ? digest->digest : "error: " + digest.error().message;
}

std::string digest_of_listing(const std::vector<std::string>& lines) {
  std::string text = "mlpipe-tree 1\n";
  for (const std::string& line : lines) text += line + "\n";
  return "sha256:" + sha256_hex(text);
}

// digest_path() refuses `path`, naming `offender`.
void expect_refused(const fs::path& path, const fs::path& offender, const std::string& why) {
  const Result<PathDigest> digest = digest_path(path, k_never);
  ASSERT_FALSE(digest) << why;
  EXPECT_EQ(digest.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(digest.error().message, HasSubstr(offender.string()));
  EXPECT_THAT(digest.error().message, HasSubstr(why));
}

TEST(Digest, OfAFileIsThatOfSha256sum) {
  const TempDir dir;
  const PathDigest digest = digest_path(dir.write("f", "abc"), k_never).value();
  EXPECT_EQ(digest.digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest.bytes, 3U);
  EXPECT_EQ(digest.files, 1U);
  EXPECT_FALSE(digest.is_folder);
  EXPECT_EQ(digest_of(dir.write("empty", "")), "sha256:" + sha256_hex(""));
}

TEST(Digest, OfAFileReadsAllOfIt) {
  const TempDir dir;
  std::string text(3'000'001, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 >> 3);
  EXPECT_EQ(digest_of(dir.write("f", text)), "sha256:" + sha256_hex(text));
}

TEST(Digest, OfAFolderIsThatOfItsListing) {
  const TempDir dir;
  dir.write("t/b", "bb");
  dir.write("t/a/z", "z");
  dir.write("t/a-b", "");
  ::chmod(dir.write("t/run.sh", "#!").c_str(), 0755);
  fs::create_directory(dir.path() / "t" / "empty");
  fs::create_symlink("a/z", dir.path() / "t" / "link");
  const PathDigest digest = digest_path(dir.path() / "t", k_never).value();
  EXPECT_EQ(digest.digest, digest_of_listing({
                               "d 0 - a",
                               "f 1 " + sha256_hex("z") + " a/z",
                               "f 0 " + sha256_hex("") + " a-b",
                               "f 2 " + sha256_hex("bb") + " b",
                               "d 0 - empty",
                               "l 3 " + sha256_hex("a/z") + " link",
                               "x 2 " + sha256_hex("#!") + " run.sh",
                           }));
  EXPECT_EQ(digest.bytes, 5U);
  EXPECT_EQ(digest.files, 4U);
  EXPECT_TRUE(digest.is_folder);
}

TEST(Digest, OfAFolderIsTheSameWithASlashAtItsEnd) {
  const TempDir dir;
  dir.write("t/a", "x");
  EXPECT_EQ(digest_of(dir.path() / "t" / ""), digest_of(dir.path() / "t"));
}

TEST(Digest, IgnoresTimesOwnersAndOtherModes) {
  const TempDir dir;
  const fs::path file = dir.write("t/a", "x");
  const std::string before = digest_of(dir.path() / "t");
  const timeval times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimes(file.c_str(), times), 0);
  ::chmod(file.c_str(), 0400);
  ::chmod((dir.path() / "t").c_str(), 0700);
  EXPECT_EQ(digest_of(dir.path() / "t"), before);
}

TEST(Digest, SeesEveryOtherChange) {
  const TempDir dir;
  const fs::path tree = dir.path() / "t";
  const fs::path file = dir.write("t/a", "x");
  std::vector<std::string> seen{digest_of(tree)};
  const auto expect_new = [&](const char* what) {
    const std::string now = digest_of(tree);
    EXPECT_THAT(seen, testing::Not(testing::Contains(now))) << what;
    seen.push_back(now);
  };
  dir.write("t/a", "y");
  expect_new("content");
  ::chmod(file.c_str(), 0755);
  expect_new("executable");
  fs::rename(file, tree / "b");
  expect_new("name");
  fs::create_directory(tree / "c");
  expect_new("an empty folder");
  fs::create_symlink("b", tree / "l");
  expect_new("a link");
  fs::remove(tree / "l");
  fs::create_symlink("c", tree / "l");
  expect_new("a link's target");
  fs::remove(tree / "l");
  dir.write("t/l", "c");
  expect_new("a file for a link");
}

TEST(Digest, NamesCannotForgeEntries) {
  const TempDir dir;
  const std::string hex = sha256_hex("");
  dir.write("one/a", "");
  dir.write("one/b", "");
  dir.write("two/a\nf 0 " + hex + " b", "");
  dir.write("three/a\\x0af 0 " + hex + " b", "");
  EXPECT_NE(digest_of(dir.path() / "one"), digest_of(dir.path() / "two"));
  EXPECT_NE(digest_of(dir.path() / "two"), digest_of(dir.path() / "three"));
}

TEST(Digest, TakesAnyNameTheSystemTakes) {
  const TempDir dir;
  const std::string longest(255, 'n');
  for (const std::string& name :
       {std::string("new\nline"), std::string("\xff\xfe"), longest, std::string("na\xc3\xafve"), std::string("-rf"),
        std::string(" "), std::string("A"), std::string("a")}) {
    dir.write("t/" + name, "");
  }
  const std::string hex = sha256_hex("");
  EXPECT_EQ(digest_of(dir.path() / "t"),
            digest_of_listing({"f 0 " + hex + "  ", "f 0 " + hex + " -rf", "f 0 " + hex + " A", "f 0 " + hex + " a",
                               "f 0 " + hex + " na\xc3\xafve", "f 0 " + hex + " new\\x0aline",
                               "f 0 " + hex + " " + longest, "f 0 " + hex + " \\xff\\xfe"}));
}

TEST(Digest, CountsHardLinksAsFiles) {
  const TempDir dir;
  dir.write("t/a", "x");
  fs::create_hard_link(dir.path() / "t" / "a", dir.path() / "t" / "b");
  EXPECT_EQ(digest_path(dir.path() / "t", k_never).value().files, 2U);
}

TEST(Digest, RefusesWhatIsNoFileFolderOrLink) {
  const TempDir dir;
  const fs::path tree = dir.path() / "t";
  fs::create_directory(tree);
  ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
  expect_refused(tree, tree / "fifo", "FIFO");
  expect_refused(tree / "fifo", tree / "fifo", "FIFO");
  fs::remove(tree / "fifo");

  const sys::Fd server(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (tree / "s").string();
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect_refused(tree, tree / "s", "socket");
  fs::remove(tree / "s");

  if (::mknod((tree / "null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0)
    expect_refused(tree, tree / "null", "device");
}

TEST(Digest, RefusesLinksThatLeadOut) {
  const TempDir dir;
  const fs::path tree = dir.path() / "t";
  fs::create_directories(tree / "deep" / "er");
  for (const char* target : {"/etc/passwd", "/", "..", "../outside", "../t/deep", "./../x", "deep/../../x"}) {
    fs::create_symlink(target, tree / "link");
    expect_refused(tree, tree / "link", "leads out");
    fs::remove(tree / "link");
  }
  fs::create_symlink("../../../x", tree / "deep" / "er" / "link");
  expect_refused(tree, tree / "deep" / "er" / "link", "leads out");
}

TEST(Digest, RefusesAWayOutThroughAnotherLink) {
  const TempDir dir;
  const fs::path tree = dir.path() / "t";
  fs::create_directories(tree / "a" / "b");
  fs::create_symlink("../..", tree / "a" / "b" / "top");  // to the tree itself: inside
  EXPECT_THAT(digest_of(tree), testing::StartsWith("sha256:"));
  fs::create_symlink("top/../outside", tree / "a" / "b" / "sly");  // in its text it stays in a/b
  expect_refused(tree, tree / "a" / "b" / "sly", "leads out");
}

TEST(Digest, TakesLinksThatStayInside) {
  const TempDir dir;
  const fs::path tree = dir.path() / "t";
  dir.write("t/deep/er/file", "x");
  fs::create_symlink("../../deep/er/file", tree / "deep" / "er" / "up");
  fs::create_symlink("deep", tree / "folder");
  fs::create_symlink("folder/er/../er/up", tree / "through");
  fs::create_symlink("nowhere", tree / "dangling");
  EXPECT_THAT(digest_of(tree), testing::StartsWith("sha256:"));
  EXPECT_EQ(digest_path(tree, k_never).value().files, 1U);
}

TEST(Digest, RefusesLinksThatGoRoundInACircle) {
  const TempDir dir;
  fs::create_directory(dir.path() / "t");
  fs::create_symlink("b", dir.path() / "t" / "a");
  fs::create_symlink("a", dir.path() / "t" / "b");
  expect_refused(dir.path() / "t", dir.path() / "t" / "a", "circle");
}

TEST(Digest, RefusesALinkAsThePayload) {
  const TempDir dir;
  dir.write("f", "x");
  fs::create_symlink("f", dir.path() / "link");
  expect_refused(dir.path() / "link", dir.path() / "link", "symbolic link");
}

TEST(Digest, RefusesFoldersThatAreTooDeep) {
  const TempDir dir;
  fs::path deep = dir.path() / "t";
  for (int i = 0; i < 260; ++i) deep /= "d";
  fs::create_directories(deep);
  expect_refused(dir.path() / "t", dir.path() / "t" / "d" / "d", "more than 256 folders deep");
}

TEST(Digest, SaysWhatIsNotThereOrMayNotBeRead) {
  const TempDir dir;
  EXPECT_EQ(digest_path(dir.path() / "absent", k_never).error().code, ErrorCode::not_found);
  const fs::path file = dir.write("t/secret", "x");
  ::chmod(dir.path().c_str(), 0755);
  ::chmod(file.c_str(), 0);
  const test::Unprivileged nobody;
  const Result<PathDigest> digest = digest_path(dir.path() / "t", k_never);
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code, ErrorCode::permission);
  EXPECT_THAT(digest.error().message, HasSubstr(file.string()));
  EXPECT_THAT(digest.error().hint, HasSubstr("chown"));
}

TEST(Digest, SeesAFileThatGrowsWhileItIsRead) {
  const TempDir dir;
  const fs::path file = dir.write("f", std::string(5'000'000, 'x'));
  int asked = 0;
  const std::function<bool()> meddle = [&] {
    if (++asked == 2) std::ofstream(file, std::ios::app) << "more";
    return false;
  };
  const Result<PathDigest> digest = digest_path(file, meddle);
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code, ErrorCode::conflict);
  EXPECT_THAT(digest.error().message, HasSubstr("changed while it was read"));
}

TEST(Digest, SeesAFileThatIsWrittenOverWhileItIsRead) {
  const TempDir dir;
  const fs::path file = dir.write("t/f", std::string(5'000'000, 'x'));
  int asked = 0;
  const std::function<bool()> meddle = [&] {
    if (++asked == 4) std::fstream(file, std::ios::in | std::ios::out) << "y";  // same size
    return false;
  };
  EXPECT_EQ(digest_path(dir.path() / "t", meddle).error().code, ErrorCode::conflict);
}

TEST(Digest, SeesAFolderThatGrowsWhileItIsRead) {
  const TempDir dir;
  dir.write("t/a", "");
  dir.write("t/b", "");
  const std::function<bool()> meddle = [&] {
    dir.write("t/c", "");
    return false;
  };
  EXPECT_EQ(digest_path(dir.path() / "t", meddle).error().code, ErrorCode::conflict);
}

TEST(Digest, StopsInTheMiddleOfASparseTerabyte) {
  const TempDir dir;
  const fs::path file = dir.write("f", "");
  if (::truncate(file.c_str(), 1LL << 40) != 0) GTEST_SKIP() << "this file system takes no file of 1 TiB";
  int asked = 0;
  const Result<PathDigest> digest = digest_path(file, [&] { return ++asked > 10; });
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code, ErrorCode::cancelled);
  EXPECT_EQ(asked, 11);
}

TEST(DigestBeneath, GivesTheSameDigest) {
  const TempDir dir;
  const fs::path file = dir.write("work/out/data", "x");
  EXPECT_EQ(digest_beneath(dir.path() / "work", "out/data", k_never).value().digest, digest_of(file));
}

TEST(DigestBeneath, FollowsNoLinkOnTheWay) {
  const TempDir dir;
  const TempDir outside;
  outside.write("data", "secret");
  fs::create_directory(dir.path() / "work");
  fs::create_directory_symlink(outside.path(), dir.path() / "work" / "out");
  const Result<PathDigest> digest = digest_beneath(dir.path() / "work", "out/data", k_never);
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(digest.error().message, HasSubstr("out on the way is a symbolic link"));
  for (const char* path : {"../x", "out/..", "", "/etc"}) {
    EXPECT_EQ(digest_beneath(dir.path() / "work", path, k_never).error().code, ErrorCode::invalid_input) << path;
  }
  EXPECT_EQ(digest_beneath(dir.path() / "work", "none/data", k_never).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace mlpipe::artifact
