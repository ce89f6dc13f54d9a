#include "metadata/file_digests.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "fixture.hpp"
#include "mlpipe/base/sha256.hpp"
#include "support/small_disk.hpp"

namespace mlpipe::metadata {
namespace {

using sys::FileIdentity;

FileIdentity file_number(std::uint64_t inode) {
  return {.device = 0xffff'ffff'0000'0001U, .inode = inode, .bytes = 10, .modified_ns = 100, .changed_ns = 200};
}

std::string hex_of(std::uint64_t number) { return sha256_hex(std::to_string(number)); }

struct Digests : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / ".mlpipe" / "digests.db";

  // What a fresh process finds.
  std::optional<std::string> stored(const FileIdentity& identity) const {
    return open_file_digests(file)->find(identity);
  }
  void store(std::uint64_t inode) const { open_file_digests(file)->remember(file_number(inode), hex_of(inode)); }
  // That nothing but time was lost: it works, and is there for the next process again.
  void expect_usable() const {
    store(77);
    EXPECT_EQ(stored(file_number(77)), hex_of(77));
  }
};

TEST_F(Digests, AreFoundAtOnceAndByTheNextProcess) {
  const auto digests = open_file_digests(file);
  EXPECT_EQ(digests->find(file_number(1)), std::nullopt);
  digests->remember(file_number(1), hex_of(1));
  EXPECT_EQ(digests->find(file_number(1)), hex_of(1));
  store(2);
  EXPECT_EQ(stored(file_number(2)), hex_of(2));
  EXPECT_EQ(digests->find(file_number(2)), hex_of(2));
}

TEST_F(Digests, CanBeReadWithoutATrace) {
  EXPECT_EQ(read_file_digests(file)->find(file_number(1)), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(file.parent_path()));
  store(1);
  {
    const auto digests = read_file_digests(file);
    EXPECT_EQ(digests->find(file_number(1)), hex_of(1));
    digests->remember(file_number(2), hex_of(2));
    EXPECT_EQ(digests->find(file_number(2)), hex_of(2));
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(file.parent_path())) ++files;
  EXPECT_EQ(files, 1u);
  EXPECT_EQ(stored(file_number(2)), std::nullopt);
}

TEST_F(Digests, OfADamagedFileAreNoneAndReadingLeavesIt) {
  folder.write(".mlpipe/digests.db", std::string(5000, 'x'));
  EXPECT_EQ(read_file_digests(file)->find(file_number(1)), std::nullopt);
  EXPECT_EQ(test::slurp(file), std::string(5000, 'x'));
}

TEST_F(Digests, CountOnlyForTheVeryStateOfTheFile) {
  const auto all = {&FileIdentity::device, &FileIdentity::inode, &FileIdentity::bytes};
  const auto times = {&FileIdentity::modified_ns, &FileIdentity::changed_ns};
  const auto digests = open_file_digests(file);
  digests->remember(file_number(1), hex_of(1));
  store(2);
  for (const std::uint64_t inode : {1, 2}) {
    EXPECT_TRUE(digests->find(file_number(inode)));
    for (auto member : all) {
      FileIdentity other = file_number(inode);
      other.*member += 100;
      EXPECT_EQ(digests->find(other), std::nullopt);
    }
    for (auto member : times) {
      FileIdentity other = file_number(inode);
      other.*member += 1;
      EXPECT_EQ(digests->find(other), std::nullopt);
    }
  }
}

TEST_F(Digests, OfANewStateReplaceThoseOfTheOld) {
  store(1);
  FileIdentity changed = file_number(1);
  changed.changed_ns += 1;
  {
    const auto digests = open_file_digests(file);
    digests->remember(changed, hex_of(9));
    EXPECT_EQ(digests->find(file_number(1)), std::nullopt);
    EXPECT_EQ(digests->find(changed), hex_of(9));
  }
  EXPECT_EQ(stored(file_number(1)), std::nullopt);
  EXPECT_EQ(stored(changed), hex_of(9));
  EXPECT_EQ(ask(file, "SELECT count(*) FROM files"), 1);
}

TEST_F(Digests, AreWrittenWhenSomeHaveGathered) {
  const auto digests = open_file_digests(file, {.unwritten = 10});
  for (std::uint64_t i = 0; i < 10; ++i) digests->remember(file_number(i), hex_of(i));
  EXPECT_EQ(stored(file_number(3)), hex_of(3));
  EXPECT_EQ(digests->find(file_number(3)), hex_of(3));
}

TEST_F(Digests, TheOldestGoWhenThereAreTooMany) {
  for (std::uint64_t round = 0; round < 5; ++round) {
    const auto digests = open_file_digests(file, {.rows = 100, .unwritten = 10});
    for (std::uint64_t i = 0; i < 50; ++i) digests->remember(file_number(round * 50 + i), hex_of(i));
  }
  EXPECT_EQ(ask(file, "SELECT count(*) FROM files"), 100);
  EXPECT_EQ(stored(file_number(0)), std::nullopt);
  EXPECT_TRUE(stored(file_number(249)));
}

TEST_F(Digests, OnlyADigestIsRemembered) {
  const auto digests = open_file_digests(file);
  for (const char* text : {"", "sha256:ab", "zz"}) digests->remember(file_number(1), text);
  EXPECT_EQ(digests->find(file_number(1)), std::nullopt);
}

TEST_F(Digests, ARowThatWasTornIsNotBelieved) {
  store(1);
  {
    auto database = Database::open(file, OpenMode::create).value();
    ASSERT_TRUE(database->execute(("UPDATE files SET digest = '" + hex_of(2) + "'").c_str()));
  }
  EXPECT_EQ(stored(file_number(1)), std::nullopt);
  expect_usable();
}

TEST_F(Digests, DamagedOnesAreMadeAnew) {
  store(1);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << "this is no database, and never was one";
  expect_usable();
}

TEST_F(Digests, DamageFoundOnTheWayIsNoFailure) {
  {
    const auto digests = open_file_digests(file, {.unwritten = 100});
    for (std::uint64_t i = 0; i < 5000; ++i) digests->remember(file_number(i), hex_of(i));
  }
  const auto size = std::filesystem::file_size(file);
  {
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    for (std::uintmax_t at = 8192; at + 4096 <= size; at += 4096) {
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes << std::string(4096, '\x5a');
    }
  }
  {
    const auto digests = open_file_digests(file);
    for (std::uint64_t i = 0; i < 5000; i += 100) {
      const auto hex = digests->find(file_number(i));
      EXPECT_TRUE(!hex || *hex == hex_of(i));
    }
    digests->remember(file_number(6000), hex_of(6000));
    EXPECT_EQ(digests->find(file_number(6000)), hex_of(6000));
  }
  expect_usable();
}

TEST_F(Digests, AnotherProgramsDatabaseIsReplaced) {
  std::filesystem::create_directories(file.parent_path());
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("CREATE TABLE files (id INTEGER)"));
  expect_usable();
}

TEST_F(Digests, ANewerOneIsReplaced) {
  store(1);
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("PRAGMA user_version = 99"));
  EXPECT_EQ(stored(file_number(1)), std::nullopt);
  expect_usable();
}

TEST_F(Digests, WhereNoneCanBeMadeTheyLastAsLongAsTheProcess) {
  folder.write("plain", "x");
  ASSERT_EQ(::mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(folder.path() / "taken");
  for (const char* name : {"plain/digests.db", "fifo", "taken"}) {
    const auto digests = open_file_digests(folder.path() / name);
    digests->remember(file_number(1), hex_of(1));
    EXPECT_EQ(digests->find(file_number(1)), hex_of(1)) << name;
  }
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "taken"));
}

TEST_F(Digests, OnAReadOnlyDiskTheyLastAsLongAsTheProcess) {
  test::SmallDisk disk("size=1m");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  ASSERT_TRUE(disk.make_read_only());
  const auto digests = open_file_digests(disk.path() / "digests.db");
  digests->remember(file_number(1), hex_of(1));
  EXPECT_EQ(digests->find(file_number(1)), hex_of(1));
}

TEST_F(Digests, OnAFullDiskTheyLastAsLongAsTheProcess) {
  test::SmallDisk disk("size=256k");
  if (!disk.ok()) GTEST_SKIP() << disk.why_not();
  const auto digests = open_file_digests(disk.path() / "digests.db", {.unwritten = 100});
  for (std::uint64_t i = 0; i < 20'000; ++i) digests->remember(file_number(i), hex_of(i));
  EXPECT_EQ(digests->find(file_number(19'999)), hex_of(19'999));
}

TEST_F(Digests, AreTheSameWhenManyAreAskedFor) {
  {
    const auto digests = open_file_digests(file);
    for (std::uint64_t i = 0; i < 100; ++i) digests->remember(file_number(i), hex_of(i));
  }
  const auto digests = open_file_digests(file, {.in_memory = 60, .lookups = 10});
  store(200);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(digests->find(file_number(i)), hex_of(i));
    for (std::uint64_t i = 100; i < 120; ++i) EXPECT_EQ(digests->find(file_number(i)), std::nullopt);
  }
  store(201);  // of another process, since
  EXPECT_EQ(digests->find(file_number(200)), hex_of(200));
  EXPECT_EQ(digests->find(file_number(201)), hex_of(201));
  FileIdentity changed = file_number(5);
  changed.changed_ns += 1;
  open_file_digests(file)->remember(changed, hex_of(500));
  EXPECT_EQ(digests->find(changed), hex_of(500));
}

TEST_F(Digests, AreNotKeptInMemoryWithoutBound) {
  folder.write("plain", "x");
  const auto digests = open_file_digests(folder.path() / "plain" / "digests.db", {.unwritten = 10, .in_memory = 100});
  for (std::uint64_t i = 0; i < 150; ++i) digests->remember(file_number(i), hex_of(i));
  EXPECT_EQ(digests->find(file_number(0)), std::nullopt);
  EXPECT_EQ(digests->find(file_number(149)), hex_of(149));
}

TEST_F(Digests, AWriterThatHoldsTheLockIsNotWaitedForLong) {
  const auto digests = open_file_digests(file, {.unwritten = 1});
  {
    auto other = Database::open(file, OpenMode::create).value();
    auto transaction = Transaction::begin(*other, Transaction::Kind::write).value();
    digests->remember(file_number(1), hex_of(1));
    EXPECT_EQ(digests->find(file_number(1)), hex_of(1));
  }
  digests->remember(file_number(2), hex_of(2));
  digests->remember(file_number(3), hex_of(3));
  EXPECT_EQ(stored(file_number(1)), hex_of(1));
}

TEST_F(Digests, SeveralProcessesAtOnceAreFine) {
  std::vector<pid_t> children;
  for (std::uint64_t child = 0; child < 4; ++child) {
    children.push_back(in_child([&] {
      const auto digests = open_file_digests(file, {.unwritten = 20});
      for (std::uint64_t i = 0; i < 200; ++i) {
        digests->remember(file_number(child * 1000 + i), hex_of(i));
        if (digests->find(file_number(child * 1000 + i)) != hex_of(i)) return 1;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_EQ(integrity(file), "ok");
  EXPECT_TRUE(stored(file_number(0)) || stored(file_number(1000)));
  expect_usable();
}

TEST_F(Digests, SeveralThreadsAtOnceAreFine) {
  const auto digests = open_file_digests(file, {.unwritten = 16});
  std::vector<std::thread> threads;
  for (std::uint64_t number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        digests->remember(file_number(number * 1000 + i), hex_of(i));
        EXPECT_EQ(digests->find(file_number(number * 1000 + i)), hex_of(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mlpipe::metadata
