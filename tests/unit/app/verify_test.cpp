#include "app/verify.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "app/verify_artifacts.hpp"
#include "listing_fixture.hpp"
#include "metadata/database.hpp"
#include "mlpipe/artifact/digest.hpp"

namespace mlpipe::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A run "r1" whose tasks split (a folder) and train (a file) left their artifacts on disk.
struct Verify : ListingTest {
  std::filesystem::path data = root.run("r1") / "split" / "data" / "data";
  std::filesystem::path model = root.run("r1") / "train" / "model" / "data";
  sys::StopSignal stop;

  Verify() {
    folder.write("runs/r1/split/data/data/a.csv", "a\n1\n");
    folder.write("runs/r1/split/data/data/b.csv", "b\n1\n");
    folder.write("runs/r1/split/data/data/deep/c.csv", "c\n1\n");
    folder.write("runs/r1/train/model/data", "a model");
    auto spec = test::make_spec("prices", {"split", "train", "later"});
    metadata::RunStart start = test::start_of("r1");
    start.root = root.path().string();
    test::RunWriter run(record(), start, std::move(spec));
    struct stat info {};
    ::stat(model.c_str(), &info);
    const std::int64_t now = std::int64_t{info.st_ctim.tv_sec} * 1000 + info.st_ctim.tv_nsec / 1'000'000;
    run.set_time(now - test::at_millisecond(0).time_since_epoch().count());  // the payload is no newer than its record
    for (const auto& [task, output, path] : {std::tuple("split", "data", data), std::tuple("train", "model", model)}) {
      const auto digest = artifact::digest_path(path, {}).value();
      engine::TaskData outputs;
      outputs.artifacts[output] = test::make_artifact(output, "system.Artifact", path.string());
      outputs.artifacts[output].digest = digest.digest;
      outputs.artifacts[output].bytes = digest.bytes;
      outputs.artifacts[output].is_folder = digest.is_folder;
      run.start(task);
      engine::AttemptResult result;
      result.outputs = outputs;
      run.set_time(now - test::at_millisecond(0).time_since_epoch().count());
      run.end(task, result, engine::TaskState::succeeded, 1, 0);
    }
  }

  // Writes until the clock of the file system has gone on.
  void change(const std::filesystem::path& path, const std::string& text) {
    struct stat before {};
    ::stat(model.c_str(), &before);
    struct stat after {};
    do {
      std::ofstream(path, std::ios::binary) << text;
      ::stat(path.c_str(), &after);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec / 1'000'000 <= before.st_ctim.tv_nsec / 1'000'000);
  }
  void write_record(const char* sql) {
    EXPECT_TRUE(metadata::Database::open(root.database(), metadata::OpenMode::create).value()->execute(sql));
  }
  ExitCode verify_it(const std::string& task = "", bool json = false) {
    out.clear();
    err.clear();
    return verify({.root = root.path().string(), .run = "r1", .task = task, .json = json}, console(), stop,
                  ShowProgress::no);
  }
};

TEST_F(Verify, AllIsAsRecorded) {
  EXPECT_EQ(verify_it(), ExitCode::succeeded);
  EXPECT_EQ(out,
            "ARTIFACT     STATE  SIZE\n"
            "split.data   ok     12 B\n"
            "train.model  ok      7 B\n"
            "2 artifacts of run r1: 2 ok; 19 B read\n");
  EXPECT_THAT(err, IsEmpty());
}

TEST_F(Verify, AChangedFileIsADifferenceAlsoOfTheSameSize) {
  change(model, "a modem");
  EXPECT_EQ(verify_it(), ExitCode::run_failed);
  EXPECT_THAT(out, AllOf(HasSubstr("split.data   ok"), HasSubstr("train.model  changed   7 B  sha256:"),
                         HasSubstr(" is now sha256:"), HasSubstr("1 ok, 1 changed")));
  EXPECT_EQ(verify_it("split"), ExitCode::succeeded);
  EXPECT_THAT(out, Not(HasSubstr("train")));
}

TEST_F(Verify, OfAChangedFolderTheFilesAreNamed) {
  change(data / "deep" / "c.csv", "c\n2\n");
  change(data / "b.csv", "b\n2\n");
  EXPECT_EQ(verify_it("split"), ExitCode::run_failed);
  EXPECT_THAT(out, HasSubstr("; changed since: b.csv, deep/c.csv\n"));
}

TEST_F(Verify, OfAFolderThatLostAFileItsFolderIsNamed) {
  change(data / "deep" / "d.csv", "d");
  std::filesystem::remove(data / "deep" / "d.csv");
  std::filesystem::remove(data / "deep" / "c.csv");
  EXPECT_EQ(verify_it("split"), ExitCode::run_failed);
  EXPECT_THAT(out, HasSubstr("; changed since: deep/\n"));
}

TEST_F(Verify, WhatIsMissingOrAnotherKindOrALinkIsADifference) {
  std::filesystem::remove(model);
  EXPECT_EQ(verify_it("train"), ExitCode::run_failed);
  EXPECT_THAT(out, HasSubstr("missing   7 B  nothing is at " + model.string()));
  std::filesystem::create_directory(model);
  EXPECT_EQ(verify_it("train"), ExitCode::run_failed);
  EXPECT_THAT(out, HasSubstr("changed   7 B  it is a folder now"));
  std::filesystem::remove(model);
  std::filesystem::create_symlink("/etc/passwd", model);
  EXPECT_EQ(verify_it("train"), ExitCode::run_failed);
  EXPECT_THAT(out, AllOf(HasSubstr("changed"), HasSubstr("symbolic link")));
}

TEST_F(Verify, WhatWasTakenAwayOnRecordIsNoDifference) {
  std::filesystem::remove(model);
  write_record("UPDATE tasks SET removed = 1 WHERE path = 'train'");
  EXPECT_EQ(verify_it(), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("train.model  removed"), HasSubstr("1 ok, 1 removed")));
}

TEST_F(Verify, ACachedTasksPayloadIsThatOfTheRunItCameFrom) {
  write_record(R"(
    INSERT INTO runs SELECT 2, 'r2', pipeline, state, created, finished, root, spec_file, spec_digest, command_line,
      mlpipe_version, engine, host, git_commit, git_dirty, tasks, waiting, ready, starting, running, stopping, retry_wait,
      succeeded, failed, skipped, cancelled, deferred, 1, '', '{}', '', '' FROM runs WHERE run = 1;
    INSERT INTO tasks (run, task, path, component, image, state, reason, cached_from)
      SELECT 2, 0, path, component, image, state, reason, 'r1' FROM tasks WHERE run = 1 AND path = 'train';
    INSERT INTO attempts (run, task, attempt, container, state, started) VALUES (2, 0, 0, '', 'cached', 0);
    INSERT INTO artifacts SELECT 2, 0, 0, direction, name, artifact, type, uri, digest, bytes, is_folder, metadata
      FROM artifacts WHERE run = 1 AND task = 1;
  )");
  const VerifyCommand command{.root = root.path().string(), .run = "r2"};
  EXPECT_EQ(verify(command, console(), stop, ShowProgress::no), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("train.model  ok"));
  std::filesystem::remove(model);
  EXPECT_EQ(verify(command, console(), stop, ShowProgress::no), ExitCode::run_failed);
  write_record("UPDATE tasks SET removed = 1 WHERE run = 1 AND path = 'train'");
  EXPECT_EQ(verify(command, console(), stop, ShowProgress::no), ExitCode::succeeded);
}

TEST_F(Verify, ARootThatWasMovedIsVerifiedWhereItIs) {
  write_record("UPDATE runs SET root = '/data/root'");
  write_record("UPDATE artifacts SET uri = '/data/root/runs/r1/train/model/data' WHERE name = 'model'");
  EXPECT_EQ(verify_it(), ExitCode::succeeded);
}

TEST_F(Verify, WhatNobodyCanReadIsTheEnvironmentsFault) {
  write_record("UPDATE artifacts SET uri = 'gs://bucket/model' WHERE name = 'model'");
  EXPECT_EQ(verify_it(), ExitCode::environment);
  EXPECT_THAT(out, AllOf(HasSubstr("train.model  unreadable"), HasSubstr("it is not on this machine")));
}

TEST_F(Verify, JsonTellsAllOfIt) {
  change(data / "b.csv", "b\n22\n");
  std::filesystem::remove(model);
  EXPECT_EQ(verify_it("", true), ExitCode::run_failed);
  expect_golden("verify.json", out, root);
}

TEST_F(Verify, ATaskWithoutArtifactsIsFineAndAnUnknownOneIsNot) {
  EXPECT_EQ(verify_it("later"), ExitCode::succeeded);
  EXPECT_EQ(out, "0 artifacts of run r1; 0 B read\n");
  EXPECT_EQ(verify_it("trian"), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("did you mean train?"));
}

TEST_F(Verify, CanBeStopped) {
  stop.request(sys::StopSignal::Level::graceful);
  EXPECT_EQ(verify_it(), ExitCode::interrupted);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_THAT(err, HasSubstr("verifying run r1 was interrupted"));
}

TEST_F(Verify, ManyArtifactsAreReadSeveralAtATime) {
  std::vector<VerifiedArtifact> artifacts(500);
  const auto digest = artifact::digest_path(model, {}).value();
  for (VerifiedArtifact& one : artifacts) {
    one.path = model;
    one.recorded.digest = digest.digest;
    one.recorded.bytes = digest.bytes;
  }
  artifacts[250].recorded.digest = "sha256:0";
  ASSERT_TRUE(verify_artifacts(artifacts, stop, [](std::uint64_t, std::size_t) {}));
  for (std::size_t at = 0; at < artifacts.size(); ++at) {
    EXPECT_EQ(artifacts[at].finding, at == 250 ? Finding::changed : Finding::ok) << at;
    EXPECT_EQ(artifacts[at].bytes, 7u);
  }
}

}  // namespace
}  // namespace mlpipe::app
