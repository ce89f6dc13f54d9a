#include "app/lineage.hpp"

#include "listing_fixture.hpp"
#include "metadata/database.hpp"
#include "mlpipe/artifact/digest.hpp"

namespace mlpipe::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string digest_of(char digit) { return "sha256:" + std::string(64, digit); }

// Run "r1": raw (imported) -> split -> train -> evaluate. Run "r2" took train's model from the cache and evaluated it anew.
struct Lineage : ListingTest {
  Lineage() {
    write_run("r1", 0);
    write_run("r2", 100'000);
    write_record(R"(
      UPDATE tasks SET image = '' WHERE path = 'raw';
      UPDATE tasks SET cached_from = 'r1' WHERE run = 2 AND path IN ('split', 'train');
      UPDATE attempts SET attempt = 0, state = 'cached' WHERE run = 2 AND task IN (1, 2);
      UPDATE artifacts SET attempt = 0 WHERE run = 2 AND task IN (1, 2);
      UPDATE parameters SET attempt = 0 WHERE run = 2 AND task IN (1, 2);
      UPDATE artifacts SET digest = 'sha256:' || replace(hex(zeroblob(32)), '0', 'e') WHERE run = 2 AND task = 3
        AND direction = 'output';
    )");
  }

  engine::Artifact artifact(const std::string& run, const std::string& task, const std::string& type, char digit) {
    const std::string uri = fmt::format("{}/runs/{}/{}/out/data", root.path().string(), run, task);
    engine::Artifact made = test::make_artifact("out", type, uri);
    made.digest = digest_of(digit);
    return made;
  }

  void write_run(const std::string& id, std::int64_t begin) {
    auto spec = test::make_spec("prices", {"raw", "split", "train", "evaluate"});
    metadata::RunStart start = test::start_of(id);
    start.root = root.path().string();
    start.created = test::at_millisecond(begin);
    test::RunWriter run(record(), start, std::move(spec));
    EXPECT_TRUE(record().record_images({{"debian:12", "sha256:1d1d1d1d1d1d1d1d", ""}}));
    run.set_time(begin);
    engine::Artifact raw = artifact(id, "raw", "system.Dataset", '1');
    raw.uri = "/data/raw.csv";
    give(run, "raw", {}, raw);
    engine::Artifact split = artifact(id, "split", "system.Dataset", '2');
    split.is_folder = true;
    give(run, "split", {{"dataset", raw}}, split);
    const engine::Artifact model = artifact(id, "train", "system.Model", '3');
    give(run, "train", {{"dataset", split}}, model);
    give(run, "evaluate", {{"dataset", split}, {"model", model}}, artifact(id, "evaluate", "system.Metrics", '4'));
    run.finish(engine::RunState::succeeded);
  }

  void give(test::RunWriter& run, const std::string& task, std::map<std::string, engine::Artifact> inputs,
            const engine::Artifact& output) {
    engine::TaskData taken;
    for (auto& [name, artifact] : inputs) taken.artifacts.emplace(name, artifact);
    if (task == "train") taken.parameters["n_trials"] = Value(100);
    run.start(task, 1, taken);
    engine::AttemptResult result;
    result.outputs.artifacts["out"] = output;
    run.end(task, result, engine::TaskState::succeeded);
  }

  void write_record(const char* sql) {
    const Result<> done = metadata::Database::open(root.database(), metadata::OpenMode::create).value()->execute(sql);
    EXPECT_TRUE(done) << done.error().message;
  }

  ExitCode show_it(ShowCommand command) {
    out.clear();
    err.clear();
    command.root = root.path().string();
    return lineage(command, console());
  }
};

TEST_F(Lineage, UpwardsThroughTheCacheToTheImport) {
  ASSERT_EQ(show_it({.lineage = "r2/evaluate/out"}), ExitCode::succeeded);
  expect_golden("lineage_up.txt", out, root);
}

TEST_F(Lineage, DownwardsAcrossRuns) {
  ASSERT_EQ(show_it({.lineage = "r1/train/out", .down = true}), ExitCode::succeeded);
  expect_golden("lineage_down.txt", out, root);
}

TEST_F(Lineage, BothAsJson) {
  ASSERT_EQ(show_it({.lineage = "latest/train/out", .up = true, .down = true, .json = true}), ExitCode::succeeded);
  expect_golden("lineage.json", out, root);
}

TEST_F(Lineage, OfADigestItsMakersAreNamedThoseFromTheCacheLast) {
  ASSERT_EQ(show_it({.lineage = "33333333"}), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("out  system.Model, 1.4 MiB, sha256:333333333333\n  made by train of run r1, "),
                         HasSubstr("\n  made by train of run r2, "), HasSubstr("cached from run r1")));
  const std::string first = out;
  ASSERT_EQ(show_it({.lineage = digest_of('3')}), ExitCode::succeeded);
  EXPECT_EQ(out, first);
}

TEST_F(Lineage, OfAPathOfThePayloadOrInsideIt) {
  folder.write("runs/r1/split/out/data/part/a.csv", "a");
  for (const char* path : {"runs/r1/split/out/data", "runs/r1/split/out", "runs/r1/split/out/data/part/a.csv"}) {
    ASSERT_EQ(show_it({.lineage = (root.path() / path).string()}), ExitCode::succeeded) << err;
    EXPECT_THAT(out, HasSubstr("made by split of run r1")) << path;
  }
  ASSERT_EQ(show_it({.lineage = "/data/raw.csv"}), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("imported by raw of run r2"));
}

TEST_F(Lineage, ACopyElsewhereIsKnownByItsDigest) {
  const auto copy = folder.write("elsewhere/copy.csv", "copied");
  EXPECT_EQ(show_it({.lineage = copy.string()}), ExitCode::usage);
  EXPECT_THAT(err, AllOf(HasSubstr("is at no recorded place"), HasSubstr("no artifact on record has the digest")));
  write_record(fmt::format("UPDATE artifacts SET digest = '{}' WHERE run = 1 AND task = 3 AND direction = 'output'",
                           artifact::digest_path(copy, {})->digest)
                   .c_str());
  EXPECT_EQ(show_it({.lineage = copy.string()}), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("made by evaluate of run r1"));
}

TEST_F(Lineage, DepthLimitsIt) {
  ASSERT_EQ(show_it({.lineage = "r1/evaluate/out", .depth = 1}), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("made by train of run r1"), HasSubstr("(and so on: --depth shows more)"),
                         Not(HasSubstr("raw"))));
}

TEST_F(Lineage, ATaskThatGivesWhatItTookIsNoCircle) {
  write_record(
      fmt::format("UPDATE artifacts SET digest = '{}' WHERE run = 1 AND task IN (1, 2)", digest_of('9')).c_str());
  ASSERT_EQ(show_it({.lineage = "r1/train/out", .up = true, .down = true}), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("made by train of run r1"), HasSubstr("made by split of run r1")));
}

TEST_F(Lineage, WhatNoRunMadeSaysSo) {
  write_record("DELETE FROM artifacts WHERE task = 0");
  ASSERT_EQ(show_it({.lineage = "r1/split/out"}), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("no recorded run made it: /data/raw.csv"));
  ASSERT_EQ(show_it({.lineage = "r1/evaluate/out", .down = true}), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("nothing was made from it"));
}

TEST_F(Lineage, ACachedTaskOfARunThatIsGoneShowsItsOwnInputs) {
  write_record("PRAGMA foreign_keys = ON; DELETE FROM runs WHERE id = 'r1'");
  ASSERT_EQ(show_it({.lineage = "r2/train/out"}), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("cached from run r1"), HasSubstr("parameters n_trials=100"),
                         HasSubstr("imported by raw of run r2")));
}

TEST_F(Lineage, AWrongReferenceSaysHowOneIsWritten) {
  for (const char* reference : {"r1", "r1/train", "1234567", "r1//", "/nowhere/at/all", "ffffffff"}) {
    EXPECT_EQ(show_it({.lineage = reference}), ExitCode::usage) << reference;
    EXPECT_THAT(err, HasSubstr("an artifact is RUN/TASK/OUTPUT")) << reference;
    EXPECT_THAT(out, IsEmpty());
  }
  EXPECT_EQ(show_it({.lineage = "r1/train/model"}), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("task train of run r1 has no artifact \"model\""));
  EXPECT_EQ(show_it({.lineage = "r1/trian/out"}), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("did you mean train?"));
  write_record("UPDATE artifacts SET digest = 'sha256:3333333344' WHERE run = 2 AND task = 2 AND direction = 'output'");
  EXPECT_EQ(show_it({.lineage = "33333333"}), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("give more of the digest"));
}

}  // namespace
}  // namespace mlpipe::app
