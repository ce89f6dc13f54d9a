#include "mlpipe/metadata/lineage.hpp"

#include "fixture.hpp"

namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::ElementsAre;
using testing::IsEmpty;

// Runs r1, r2 and r3, each with a task "make" that gave the same digest at a place of its own, and "use" that took it.
struct LineageQueries : testing::Test {
  test::TempDir folder;
  std::filesystem::path file = folder.path() / "metadata.db";
  std::string digest = "sha256:" + std::string(64, 'a');

  LineageQueries() {
    for (const char* run : {"r1", "r2", "r3"}) {
      auto record = must_open(file);
      RunWriter writer(*record, run, {"make", "use"});
      engine::TaskData made;
      made.artifacts["out"] = test::make_artifact("out", "system.Dataset", std::string("/") + run);
      writer.succeed("make", made);
      engine::TaskData taken;
      taken.artifacts["in"] = made.artifacts["out"];
      engine::AttemptResult failed;
      failed.end = engine::AttemptEnd::user_exit;
      writer.start("use", 1, taken);
      writer.end("use", failed, engine::TaskState::retry_wait);
      EXPECT_TRUE(writer.commit(writer.change("use", engine::TaskState::ready, 1)));
      writer.start("use", 2, taken);
      writer.end("use", {}, engine::TaskState::succeeded, 2);
    }
  }

  std::vector<std::string> ask_for(const MakingQuery& query) {
    std::vector<std::string> found;
    const std::vector<Making> makings = must_read(file)->makings(query).value();
    for (const Making& making : makings)
      found.push_back(fmt::format("{}/{}/{}", making.run, making.task, making.attempt));
    return found;
  }
};

TEST_F(LineageQueries, TheNewestMakerComesFirst) {
  EXPECT_THAT(ask_for({.digest = digest, .limit = 10}), ElementsAre("r3/make/1", "r2/make/1", "r1/make/1"));
  EXPECT_THAT(ask_for({.digest = digest, .limit = 2}), ElementsAre("r3/make/1", "r2/make/1"));
  EXPECT_THAT(ask_for({.digest = "sha256:0", .limit = 2}), IsEmpty());
}

TEST_F(LineageQueries, TheNamedRunComesBeforeTheUriAndThatBeforeAllOthers) {
  EXPECT_THAT(ask_for({.digest = digest, .uri = "/r2", .first_run = "r1", .limit = 10}),
              ElementsAre("r1/make/1", "r2/make/1", "r3/make/1"));
  EXPECT_THAT(ask_for({.digest = digest, .not_of_run = "r3", .not_of_task = "make"}), ElementsAre("r2/make/1"));
}

TEST_F(LineageQueries, WithoutADigestTheUriDecides) {
  EXPECT_THAT(ask_for({.uri = "/r2", .limit = 10}), ElementsAre("r2/make/1"));
}

TEST_F(LineageQueries, OfATaskTheLatestAttemptTakes) {
  EXPECT_THAT(ask_for({.side = Side::input, .digest = digest, .limit = 10}),
              ElementsAre("r3/use/2", "r2/use/2", "r1/use/2"));
  const std::optional<Making> making = must_read(file)->making_of("r2", "use").value();
  ASSERT_TRUE(making);
  EXPECT_EQ(making->attempt, 2);
  EXPECT_EQ(making->state, "succeeded");
  EXPECT_EQ(making->inputs.artifacts.at("in").uri, "/r2");
  EXPECT_EQ(making->pipeline, "prices");
  EXPECT_EQ(making->git_commit, "0123abcd");
  EXPECT_FALSE(must_read(file)->making_of("r2", "nothing").value());
}

TEST_F(LineageQueries, CachedResultsComeAfterWhatWasMade) {
  ASSERT_TRUE(Database::open(file, OpenMode::create)
                  .value()
                  ->execute("UPDATE attempts SET attempt = 0, state = 'cached' WHERE run = 3 AND task = 0;"
                            "UPDATE artifacts SET attempt = 0 WHERE run = 3 AND task = 0"));
  EXPECT_THAT(ask_for({.digest = digest, .limit = 10}), ElementsAre("r2/make/1", "r1/make/1", "r3/make/0"));
}

TEST_F(LineageQueries, DigestsAndPlacesAreFound) {
  EXPECT_THAT(must_read(file)->digests("sha256:aaaa", 5).value(), ElementsAre(digest));
  EXPECT_THAT(must_read(file)->digests("sha256:b", 5).value(), IsEmpty());
  const std::vector<OutputPlace> places = must_read(file)->outputs_at("/r1").value();
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].run, "r1");
  EXPECT_EQ(places[0].task, "make");
  EXPECT_EQ(places[0].output, "out");
}

}  // namespace
}  // namespace mlpipe::metadata
