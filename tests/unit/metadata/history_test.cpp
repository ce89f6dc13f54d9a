#include "fixture.hpp"
#include "mlpipe/metadata/lineage.hpp"

namespace mlpipe::metadata {
namespace {

using std::chrono::milliseconds;
using test::RunWriter;

struct HistoryQueries : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";

  void run_train(const std::string& id, std::int64_t took, const std::string& pipeline = "prices") {
    const auto record = must_open(file);
    RunWriter run(*record, id, {"train"}, pipeline);
    run.start("train");  // 250 ms until it runs
    run.end("train", {}, engine::TaskState::succeeded, 1, took);
  }
};

TEST_F(HistoryQueries, TheUsualDurationIsTheMedianOfTheLatest) {
  for (const auto& [id, took] :
       {std::pair("r1", 90'000), std::pair("r2", 1000), std::pair("r3", 5000), std::pair("r4", 2000)})
    run_train(id, took);
  run_train("other", 70'000, "another");
  const auto queries = must_read(file);
  EXPECT_EQ(queries->usual_durations("prices", 3).value().at("train"), milliseconds(2250));
  EXPECT_EQ(queries->usual_durations("prices", 4).value().at("train"), milliseconds(3750));
  EXPECT_TRUE(queries->usual_durations("none", 5).value().empty());
}

TEST_F(HistoryQueries, WhatIsComparedIsOfAnEarlierRunOfTheSamePipeline) {
  run_train("r1", 1);
  run_train("other", 1, "another");
  run_train("r2", 1);
  const auto queries = must_read(file);
  EXPECT_EQ(queries->earlier_making("r2", "train", Comparable::any).value()->run, "r1");
  EXPECT_FALSE(queries->earlier_making("r2", "train", Comparable::with_fingerprint).value());
  EXPECT_FALSE(queries->earlier_making("r1", "train", Comparable::any).value());
  EXPECT_FALSE(queries->fingerprint_text("unknown").value());
}

TEST_F(HistoryQueries, TheNewestResultOfATaskIsOfTheLastRunInWhichItSucceeded) {
  const auto run = [this](const std::string& id, const std::string& fingerprint, engine::AttemptEnd end) {
    const auto record = must_open(file);
    RunWriter writer(*record, id, {"train", "never"});
    const engine::CacheAnswer answer{.fingerprint = fingerprint, .fingerprint_text = "text of " + fingerprint};
    const engine::TaskData inputs;
    engine::Transition starting = writer.change("train", engine::TaskState::starting, 1);
    starting.cache = &answer;
    starting.inputs = &inputs;
    ASSERT_TRUE(writer.commit(starting));
    const bool succeeds = end == engine::AttemptEnd::succeeded;
    writer.end("train", {.end = end}, succeeds ? engine::TaskState::succeeded : engine::TaskState::failed);
  };
  run("r1", "f1", engine::AttemptEnd::succeeded);
  run("r2", "f2", engine::AttemptEnd::succeeded);
  run("r3", "f3", engine::AttemptEnd::user_exit);
  run("r4", "", engine::AttemptEnd::succeeded);  // by a process: nothing to compare with
  run_train("other", 1, "another");
  const auto newest = must_read(file)->newest_results("prices").value();
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest.at("train").run, "r2");
  EXPECT_EQ(newest.at("train").fingerprint, "f2");
  EXPECT_EQ(newest.at("train").import_digest, "");
}

TEST_F(HistoryQueries, OfATaskThatNeverSucceededTheNewestIsTheLastTry) {
  const auto record = must_open(file);
  RunWriter writer(*record, "r1", {"train"});
  const engine::CacheAnswer answer{.fingerprint = "f1", .fingerprint_text = "text of f1"};
  const engine::TaskData inputs;
  engine::Transition starting = writer.change("train", engine::TaskState::starting, 1);
  starting.cache = &answer;
  starting.inputs = &inputs;
  ASSERT_TRUE(writer.commit(starting));
  writer.end("train", {.end = engine::AttemptEnd::user_exit}, engine::TaskState::failed);
  const auto newest = must_read(file)->newest_results("prices").value();
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest.at("train").fingerprint, "f1");
}

TEST_F(HistoryQueries, TheNewestResultOfAnImportIsWhatItFound) {
  const auto record = must_open(file);
  auto spec = test::make_spec("prices", {"raw"});
  spec->components[1].implementation = spec::ImporterSpec{};
  RunWriter run(*record, test::start_of("r1"), std::move(spec));
  engine::TaskData outputs;
  outputs.artifacts.emplace("artifact", test::make_artifact("artifact", "system.Dataset", "/data/raw.csv"));
  run.succeed("raw", outputs);
  const auto newest = must_read(file)->newest_results("prices").value();
  EXPECT_EQ(newest.at("raw").import_digest, outputs.artifacts.at("artifact").digest);
}

}  // namespace
}  // namespace mlpipe::metadata
