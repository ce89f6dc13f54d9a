#include <sys/mount.h>
#include <sys/stat.h>

#include <map>

#include "fixture.hpp"
#include "metadata/schema.hpp"
#include "mlpipe/metadata/rebuild.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::AllOf;
using testing::HasSubstr;

struct OpenRecord : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";

  Error open_error() {
    auto record = open_record(file);
    EXPECT_FALSE(record);
    return record ? Error{} : record.error();
  }
};

// A small file system of its own, so that it can be full or read-only. Needs root.
class Mount final {
 public:
  Mount(std::filesystem::path folder, const char* options) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    mounted_ = ::mount("mlpipe-test", folder_.c_str(), "tmpfs", 0, options) == 0;
  }
  ~Mount() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  bool mounted() const { return mounted_; }
  bool make_read_only() const {
    return ::mount("mlpipe-test", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0;
  }
  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  bool mounted_ = false;
};

TEST_F(OpenRecord, MakesTheFoldersAndMarksTheFile) {
  file = folder.path() / "a" / "b" / "metadata.db";
  must_open(file);
  EXPECT_EQ(ask(file, "PRAGMA application_id"), k_application_id);
  EXPECT_EQ(ask(file, "PRAGMA user_version"), k_schema_version);
  EXPECT_EQ(integrity(file), "ok");
}

TEST_F(OpenRecord, AFileOfLengthZeroIsNew) {
  folder.write("metadata.db", "");
  auto record = must_open(file);
  RunWriter writer(*record, "r1", {"a"});
  EXPECT_TRUE(must_read(file)->find_run("r1"));
}

TEST_F(OpenRecord, LeavesOneFileBehind) {
  { RunWriter writer(*must_open(file), "r1", {"a"}); }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1u);
}

// What lies in the folder, with sizes and times of change. That of SQLite's shared memory does not count: every reader marks
// its place there.
std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> listing(
    const std::filesystem::path& folder) {
  std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const bool is_shared_memory = entry.path().extension() == ".db-shm";
    const auto written = is_shared_memory ? std::filesystem::file_time_type() : entry.last_write_time();
    files[entry.path().filename()] = {entry.file_size(), written};
  }
  return files;
}

TEST_F(OpenRecord, ReadingWithoutTraceLeavesTheFolderAsItWas) {
  { RunWriter writer(*must_open(file), "r1", {"a"}); }
  const auto before = listing(folder.path());
  EXPECT_TRUE(open_queries_without_trace(file, {}).value()->find_run("r1"));
  EXPECT_EQ(listing(folder.path()), before);

  must_read(file)->find_run("r1").value();  // which may leave files
  const auto left = listing(folder.path());
  EXPECT_TRUE(open_queries_without_trace(file, {}).value()->find_run("r1"));
  EXPECT_EQ(listing(folder.path()), left);
}

TEST_F(OpenRecord, ReadingWithoutTraceWorksBesideAWriter) {
  const auto record = must_open(file);
  RunWriter writer(*record, "r1", {"a"});
  const auto queries = open_queries_without_trace(file, {}).value();
  EXPECT_TRUE(queries->find_run("r1"));
  writer.succeed("a");
  EXPECT_EQ(queries->tasks("r1").value().at(0).state, engine::TaskState::succeeded);
}

TEST_F(OpenRecord, ReadingWithoutTraceMakesNothing) {
  file = folder.path() / "root" / "metadata.db";
  EXPECT_EQ(open_queries_without_trace(file, {}).error().code, ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "root"));
}

TEST_F(OpenRecord, AFolderInItsPlaceIsSaid) {
  std::filesystem::create_directory(file);
  EXPECT_THAT(open_error().message, AllOf(HasSubstr(file.string()), HasSubstr("it is a folder")));
  EXPECT_THAT(open_queries(file, {}).error().message, HasSubstr("it is a folder"));
}

TEST_F(OpenRecord, AFifoInItsPlaceIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_THAT(open_error().message, HasSubstr("not a file"));
}

TEST_F(OpenRecord, AFileInPlaceOfItsFolderIsSaid) {
  folder.write("state", "x");
  file = folder.path() / "state" / "metadata.db";
  EXPECT_THAT(open_error().message, HasSubstr("state"));
}

TEST_F(OpenRecord, AFileThatIsNoDatabaseIsDamagedAndNotChanged) {
  folder.write("metadata.db", "name,price\nhouse,1\n");
  EXPECT_THAT(open_error().message, AllOf(HasSubstr(file.string()), HasSubstr("no SQLite database any more")));
  EXPECT_EQ(examine_record(file, Depth::quick).kind, RecordCondition::Kind::damaged);
  EXPECT_EQ(test::slurp(file), "name,price\nhouse,1\n");
}

TEST_F(OpenRecord, AnotherProgramsDatabaseIsLeftAlone) {
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("CREATE TABLE photos (id INTEGER)"));
  const std::string before = test::slurp(file);
  const Error error = open_error();
  EXPECT_EQ(error.code, ErrorCode::io);
  EXPECT_THAT(error.message, HasSubstr("another program"));
  EXPECT_EQ(open_queries(file, {}).error().code, ErrorCode::io);
  EXPECT_EQ(test::slurp(file), before);
}

TEST_F(OpenRecord, ANewerSchemaIsLeftAlone) {
  must_open(file);
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("PRAGMA user_version = 99"));
  const std::string before = test::slurp(file);
  const Error error = open_error();
  EXPECT_EQ(error.code, ErrorCode::io);
  EXPECT_THAT(error.message, AllOf(HasSubstr("newer mlpipe"), HasSubstr("99")));
  EXPECT_THAT(open_queries(file, {}).error().message, HasSubstr("newer mlpipe"));
  EXPECT_EQ(test::slurp(file), before);
}

TEST_F(OpenRecord, AFolderThatCannotBeWrittenIsAPermissionError) {
  must_open(file);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const pid_t child = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 9;
    const auto existing = open_record(file);
    const auto fresh = open_record(folder.path() / "new" / "metadata.db");
    if (existing || existing.error().code != ErrorCode::permission) return 1;
    if (existing.error().message.find(folder.path().string()) == std::string::npos) return 2;
    return fresh || fresh.error().code != ErrorCode::permission ? 3 : 0;
  });
  EXPECT_EQ(exit_code_of(child), 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
}

TEST_F(OpenRecord, AReadOnlyDiskIsAPermissionErrorForWritersOnly) {
  const Mount disk(folder.path() / "disk", "size=4m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  file = disk.path() / ".mlpipe" / "metadata.db";
  {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", {"a"});
  }
  ASSERT_TRUE(disk.make_read_only());
  const Error error = open_error();
  EXPECT_EQ(error.code, ErrorCode::permission) << error.message;
  EXPECT_EQ(must_read(file)->find_run("latest")->id, "r1");
}

TEST_F(OpenRecord, AFullDiskIsSaidAndTheRecordGoesOnWhenThereIsRoom) {
  const Mount disk(folder.path() / "disk", "size=1m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  file = disk.path() / "metadata.db";
  auto record = must_open(file);
  RunWriter writer(*record, "r1", test::numbered_tasks(200));
  { std::ofstream(disk.path() / "ballast") << std::string(400'000, 'x'); }

  std::size_t done = 0;
  Result<> result;
  while (result && done < 200) {
    engine::Transition next = writer.change("task_" + std::to_string(done), engine::TaskState::skipped);
    next.reason = std::string(5000, 'y');
    result = writer.commit(next);
    if (result) ++done;
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::no_space) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(file.string()));
  EXPECT_THAT(result.error().hint, HasSubstr("free some space"));
  EXPECT_EQ(must_read(file)->find_run("r1")->counts[static_cast<std::size_t>(engine::TaskState::skipped)], done);

  std::filesystem::remove(disk.path() / "ballast");
  EXPECT_TRUE(writer.commit(writer.change("task_" + std::to_string(done), engine::TaskState::skipped)));
  EXPECT_EQ(must_read(file)->find_run("r1")->counts[static_cast<std::size_t>(engine::TaskState::skipped)], done + 1);
  record.reset();
  EXPECT_EQ(integrity(file), "ok");
}

TEST_F(OpenRecord, ADiskTooFullToBeginIsSaid) {
  const Mount disk(folder.path() / "disk", "size=64k");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  file = disk.path() / "metadata.db";
  EXPECT_EQ(open_error().code, ErrorCode::no_space);
}

TEST_F(OpenRecord, ManyProcessesMayMakeItAtOnce) {
  constexpr int k_processes = 12;
  std::vector<pid_t> children;
  for (int number = 0; number < k_processes; ++number) {
    children.push_back(in_child([&] {
      auto record = open_record(file);
      if (!record) return 1;
      auto spec = test::make_spec("p", {"a", "b"});
      const plan::Plan plan = plan::make_plan(*spec, {}).value();
      if (!(*record)->begin(test::start_of("run-" + std::to_string(number)), plan)) return 2;
      for (std::uint32_t task = 0; task < 2; ++task) {
        engine::Transition skipped;
        skipped.task = plan::TaskId{task};
        skipped.to = engine::TaskState::skipped;
        if (!(*record)->commit(std::span(&skipped, 1))) return 3;
      }
      return (*record)->finish(engine::RunState::succeeded, test::at_millisecond(5)) ? 0 : 4;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
  const auto rows = must_read(file)->runs(0).value();
  ASSERT_EQ(rows.size(), std::size_t{k_processes});
  for (const RunRow& row : rows) EXPECT_EQ(row.counts[static_cast<std::size_t>(engine::TaskState::skipped)], 2u);
  EXPECT_EQ(integrity(file), "ok");
}

}  // namespace
}  // namespace mlpipe::metadata
