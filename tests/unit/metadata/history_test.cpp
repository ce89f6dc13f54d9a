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
  for (const auto& [id, took] : {std::pair("r1", 90'000), std::pair("r2", 1000), std::pair("r3", 5000), std::pair("r4", 2000)})
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

}  // namespace
}  // namespace mlpipe::metadata
