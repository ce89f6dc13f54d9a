#include "mlpipe/metadata/rebuild.hpp"

#include <csignal>
#include <random>

#include "fixture.hpp"
#include "metadata/schema.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::HasSubstr;
using Kind = RecordCondition::Kind;

struct RebuildTest : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";

  void write_record(const std::string& id, std::size_t tasks = 3) {
    auto record = must_open(file);
    RunWriter writer(*record, id, test::numbered_tasks(tasks));
    for (std::size_t task = 0; task < tasks / 2; ++task) {
      engine::TaskData outputs;
      outputs.artifacts["model"] = test::make_artifact("model", "system.Model", "/root/model");
      writer.succeed("task_" + std::to_string(task), outputs);
    }
    writer.finish(engine::RunState::cancelled);
  }

  static RecordedRun some_run(const std::string& id) {
    RecordedRun recorded;
    recorded.run.id = id;
    recorded.run.state = engine::RunState::succeeded;
    recorded.run.created = test::at_millisecond(0);
    TaskRow& task = recorded.tasks.emplace_back();
    task.path = "train";
    task.state = engine::TaskState::succeeded;
    AttemptRow& attempt = task.attempts.emplace_back();
    attempt.number = 1;
    attempt.state = "succeeded";
    attempt.fingerprint = "f1";
    task.outputs.parameters["n"] = Value(7);
    recorded.fingerprints = {{"f1", "version mlpipe 1\n"}};
    return recorded;
  }

  std::vector<std::string> run_ids() {
    std::vector<std::string> ids;
    const std::vector<RunRow> rows = must_read(file)->runs(0).value();
    for (const RunRow& row : rows) ids.push_back(row.id);
    return ids;
  }

  std::size_t files_named(const std::string& part) {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      found += entry.path().filename().string().find(part) != std::string::npos ? 1 : 0;
    return found;
  }
};

TEST_F(RebuildTest, TheNewRecordTakesThePlaceOfTheOldOneWhichIsKept) {
  write_record("old");
  auto rebuild = begin_rebuild(file).value();
  ASSERT_TRUE(rebuild->add(some_run("new")));
  const std::filesystem::path kept = rebuild->put_in_place("replaced-1").value();
  rebuild.reset();
  EXPECT_EQ(run_ids(), std::vector<std::string>{"new"});
  EXPECT_EQ(kept, file.string() + ".replaced-1");
  EXPECT_EQ(must_read(kept)->find_run("latest")->id, "old");
  EXPECT_EQ(integrity(file), "ok");
  EXPECT_EQ(ask(file, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
  EXPECT_EQ(must_read(file)->results("f1", 5)->size(), 1u);
  EXPECT_EQ(must_read(file)->fingerprint_text("f1").value(), "version mlpipe 1\n");
  EXPECT_EQ(files_named("building") + files_named("rebuilt"), 0u);
}

TEST_F(RebuildTest, AnOldOneKeptUnderThatNameIsNotReplaced) {
  for (const char* id : {"a", "b"}) {
    auto rebuild = begin_rebuild(file).value();
    ASSERT_TRUE(rebuild->add(some_run(id)));
    ASSERT_TRUE(rebuild->put_in_place("replaced-1"));
    rebuild.reset();
    write_record(std::string(id) + "2");
  }
  auto rebuild = begin_rebuild(file).value();
  EXPECT_EQ(rebuild->put_in_place("replaced-1").value(), file.string() + ".replaced-1-2");
  EXPECT_EQ(must_read(file.string() + ".replaced-1")->runs(0)->size(), 2u);
}

TEST_F(RebuildTest, ARunThatCannotBeRecordedIsLeftOutAsAWhole) {
  auto rebuild = begin_rebuild(file).value();
  ASSERT_TRUE(rebuild->add(some_run("a")));
  RecordedRun twice = some_run("b");
  twice.tasks[0].attempts.push_back(twice.tasks[0].attempts[0]);
  EXPECT_FALSE(rebuild->add(twice));
  EXPECT_FALSE(rebuild->add(some_run("a")));
  ASSERT_TRUE(rebuild->add(some_run("c")));
  ASSERT_TRUE(rebuild->put_in_place("replaced-1"));
  rebuild.reset();
  EXPECT_EQ(run_ids(), (std::vector<std::string>{"c", "a"}));
  EXPECT_EQ(integrity(file), "ok");
}

TEST_F(RebuildTest, GivenUpItLeavesNothingBehind) {
  write_record("old");
  const std::string before = test::slurp(file);
  { ASSERT_TRUE(begin_rebuild(file).value()->add(some_run("new"))); }
  EXPECT_EQ(test::slurp(file), before);
  EXPECT_EQ(files_named(""), 1u);
}

// The writer is killed, so its log stays.
TEST_F(RebuildTest, TheOldLogIsNotPlayedIntoTheNewRecord) {
  const pid_t child = in_child([&] {
    auto record = must_open(file);
    RunWriter writer(*record, "old", {"a"});
    std::raise(SIGKILL);
    return 0;
  });
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(has_open_log(file));
  auto rebuild = begin_rebuild(file).value();
  ASSERT_TRUE(rebuild->add(some_run("new")));
  const std::filesystem::path kept = rebuild->put_in_place("damaged-1").value();
  rebuild.reset();
  EXPECT_EQ(run_ids(), std::vector<std::string>{"new"});
  EXPECT_EQ(integrity(file), "ok");
  EXPECT_EQ(must_read(kept)->find_run("latest")->id, "old");  // with the log that went with it
}

TEST_F(RebuildTest, KilledAnywhereTheOldOneOrTheNewOneIsThere) {
  const std::vector<std::string> names = rebuild_failpoint_names();
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    std::filesystem::remove_all(folder.path());
    std::filesystem::create_directories(folder.path());
    write_record("old");
    const engine::Failpoint killed = engine::parse_failpoint(name + ":kill9", names).value();
    const pid_t child = in_child([&] {
      auto rebuild = begin_rebuild(file, killed);
      if (!rebuild || !(*rebuild)->add(some_run("new"))) return 1;
      return (*rebuild)->put_in_place("replaced-1") ? 2 : 3;
    });
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;

    EXPECT_EQ(run_ids().size(), 1u);  // who reads meanwhile
    must_open(file);                  // who writes next finishes what was begun
    const bool is_begun = name == "rebuild.begun" || name == "rebuild.written";
    EXPECT_EQ(run_ids(), std::vector<std::string>{is_begun ? "old" : "new"});
    EXPECT_EQ(integrity(file), "ok");
    EXPECT_EQ(files_named("rebuilt"), 0u);
    auto again = begin_rebuild(file).value();
    ASSERT_TRUE(again->put_in_place("replaced-2"));
    EXPECT_EQ(files_named("building"), 0u);
  }
}

// ---- What is the matter with a record -----------------------------------------------------------------------------

TEST_F(RebuildTest, ASoundRecordIsSound) {
  EXPECT_EQ(examine_record(file, Depth::whole).kind, Kind::absent);
  folder.write("metadata.db", "");
  EXPECT_EQ(examine_record(file, Depth::whole).kind, Kind::absent);
  write_record("r1");
  for (const Depth depth : {Depth::quick, Depth::whole}) EXPECT_EQ(examine_record(file, depth).kind, Kind::sound);
}

TEST_F(RebuildTest, TruncatedAtAny512BytesItIsDamagedAndNotWrittenTo) {
  write_record("r1", 40);
  const std::string whole = test::slurp(file);
  ASSERT_GT(whole.size(), 60'000u);
  for (std::size_t length = 512; length < whole.size(); length += 512) {
    folder.write("metadata.db", whole.substr(0, length));
    const RecordCondition condition = examine_record(file, Depth::quick);
    ASSERT_EQ(condition.kind, Kind::damaged) << length;
    ASSERT_THAT(condition.error.message, HasSubstr(file.string()));
    ASSERT_THAT(condition.error.hint, HasSubstr("doctor --rebuild"));
    ASSERT_FALSE(open_record(file)) << length;
    ASSERT_FALSE(open_queries(file, {})) << length;
    ASSERT_EQ(test::slurp(file), whole.substr(0, length)) << length;
  }
}

TEST_F(RebuildTest, FlippedBitsAreFoundOrHarmlessAndReadersDoNotWrite) {
  write_record("r1", 40);
  const std::string whole = test::slurp(file);
  std::size_t damaged = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::string flipped = whole;
    const std::size_t range = seed % 2 == 0 ? whole.size() : 8192;
    for (unsigned flip = 0; flip <= seed % 4; ++flip)
      flipped[random() % range] ^= static_cast<char>(1u << (random() % 8));
    folder.write("metadata.db", flipped);
    const RecordCondition condition = examine_record(file, Depth::whole);
    if (condition.kind == Kind::damaged) ++damaged;
    if (auto queries = open_queries(file, {})) {
      (void)(*queries)->runs(0);
      (void)(*queries)->tasks("r1");
    } else if (condition.kind == Kind::sound) {
      ADD_FAILURE() << seed << ": sound, but: " << queries.error().message;
    }
    ASSERT_EQ(test::slurp(file), flipped) << seed;
  }
  EXPECT_GT(damaged, 5u);  // most of a file is text, in which a flipped bit is just another text
}

TEST_F(RebuildTest, WhatIsNotOursIsNotOursToJudge) {
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("CREATE TABLE photos (id INTEGER)"));
  EXPECT_EQ(examine_record(file, Depth::whole).kind, Kind::unusable);
  std::filesystem::remove(file);
  write_record("r1");
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("PRAGMA user_version = 99"));
  const RecordCondition newer = examine_record(file, Depth::whole);
  EXPECT_EQ(newer.kind, Kind::unusable);
  EXPECT_THAT(newer.error.message, HasSubstr("newer mlpipe"));
}

TEST_F(RebuildTest, ALostBeginningIsKnownAsOurs) {
  write_record("r1");
  const std::string whole = test::slurp(file);
  for (const std::size_t zeros : {std::size_t{1}, std::size_t{16}, std::size_t{4096}}) {
    folder.write("metadata.db", std::string(zeros, '\0') + whole.substr(zeros));
    EXPECT_EQ(examine_record(file, Depth::quick).kind, Kind::damaged) << zeros;
  }
}

TEST_F(RebuildTest, ABeginningThatWasOverwrittenIsDamage) {
  write_record("r1");
  const std::string whole = test::slurp(file);
  for (const std::size_t length : {std::size_t{16}, std::size_t{100}, std::size_t{4096}, whole.size()}) {
    folder.write("metadata.db", std::string(length, '#') + whole.substr(length));
    EXPECT_EQ(examine_record(file, Depth::quick).kind, Kind::damaged) << length;
  }
}

TEST_F(RebuildTest, ABrokenPageIsToldInOneLine) {
  write_record("r1");
  std::string bytes = test::slurp(file);
  bytes.replace(4096, 3000, std::string(3000, '\xab'));
  folder.write("metadata.db", bytes);
  const RecordCondition condition = examine_record(file, Depth::whole);
  EXPECT_EQ(condition.kind, Kind::damaged);
  EXPECT_THAT(condition.error.message,
              testing::AllOf(HasSubstr("damaged: "), HasSubstr("age "), testing::Not(HasSubstr("***"))));
}

TEST_F(RebuildTest, ALostTableIsDamageNotABugOfOurs) {
  write_record("r1");
  ASSERT_TRUE(Database::open(file, OpenMode::create).value()->execute("PRAGMA foreign_keys = OFF; DROP TABLE metrics"));
  EXPECT_EQ(examine_record(file, Depth::quick).kind, Kind::damaged);
  const auto record = open_record(file);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::io);
  EXPECT_THAT(record.error().hint, HasSubstr("doctor --rebuild"));
}

// ---- Others at the record -----------------------------------------------------------------------------------------

// Closing any descriptor of the file would let go the locks of all connections of this process: another one would take itself
// for the last, and take the log away.
TEST_F(RebuildTest, ReadingBesideAnOwnWriterDoesNotLetGoItsLocks) {
  write_record("r1");
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t other = in_child([&] {
    char go = 0;
    if (::read(pipe[0], &go, 1) != 1) return 1;
    must_open(file);
    return 0;
  });
  auto record = must_open(file);
  RunWriter writer(*record, "r2", {"a"});
  EXPECT_EQ(run_ids().size(), 2u);
  EXPECT_EQ(examine_record(file, Depth::whole).kind, Kind::sound);
  ASSERT_EQ(::write(pipe[1], "g", 1), 1);
  EXPECT_EQ(exit_code_of(other), 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_TRUE(has_open_log(file));
  writer.finish(engine::RunState::succeeded);
  EXPECT_EQ(must_read(file)->find_run("r2")->state, engine::RunState::succeeded);
}

TEST_F(RebuildTest, AWriterThatDoesNotEndIsWaitedForAndThenSaid) {
  write_record("r1");
  auto busy = Database::open(file, OpenMode::create).value();
  const auto held = Transaction::begin(*busy, Transaction::Kind::write);
  ASSERT_TRUE(held);
  auto other = Database::open(file, OpenMode::create).value();
  other->set_patience(std::chrono::milliseconds(1));
  const auto refused = Transaction::begin(*other, Transaction::Kind::write);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("locked"));
  EXPECT_THAT(refused.error().hint, HasSubstr("stopped mlpipe"));
  EXPECT_EQ(run_ids(), std::vector<std::string>{"r1"});  // readers do not wait for it
}

TEST_F(RebuildTest, ALongReaderDoesNotHoldUpARunNorTheLogForEver) {
  write_record("r1");
  auto reader = Database::open(file, OpenMode::read_only).value();
  auto record = must_open(file);
  {
    auto snapshot = Transaction::begin(*reader, Transaction::Kind::read);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(reader->number("SELECT count(*) FROM runs").value(), 1);
    RunWriter writer(*record, "r2", test::numbered_tasks(300));
    for (int task = 0; task < 300; ++task) writer.succeed("task_" + std::to_string(task));
    writer.finish(engine::RunState::succeeded);
    EXPECT_EQ(reader->number("SELECT count(*) FROM runs").value(), 1);
    EXPECT_EQ(must_read(file)->find_run("latest")->id, "r2");
  }
  reader.reset();
  record.reset();
  EXPECT_FALSE(has_open_log(file));
  EXPECT_EQ(integrity(file), "ok");
}

}  // namespace
}  // namespace mlpipe::metadata
