#include "app/annotate.hpp"

#include "app/recorded_run.hpp"
#include "listing_fixture.hpp"

namespace mlpipe::app {
namespace {

using testing::HasSubstr;

struct Annotate : ListingTest {
  Annotate() { write_full_run(record()); }

  ExitCode label_it(std::vector<std::string> changes, const std::string& run = "latest") {
    out.clear();
    err.clear();
    return label({.root = root.path().string(), .run = run, .changes = std::move(changes)}, console());
  }
  ExitCode note_it(const std::string& text) {
    out.clear();
    return note({.root = root.path().string(), .run = "latest", .text = text}, console());
  }
};

TEST_F(Annotate, LabelsAreSetAndTakenAway) {
  ASSERT_EQ(label_it({"stage=candidate", "owner=a=b"}), ExitCode::succeeded);
  EXPECT_EQ(out, "prices-20260202-024000-ab12: owner=a=b, stage=candidate, team=prices\n");
  ASSERT_EQ(label_it({"team-", "owner-", "stage="}), ExitCode::succeeded);
  EXPECT_EQ(out, "prices-20260202-024000-ab12: stage=\n");
  ASSERT_EQ(label_it({"stage-"}), ExitCode::succeeded);
  EXPECT_EQ(out, "prices-20260202-024000-ab12: no labels\n");
}

TEST_F(Annotate, AWrongChangeChangesNothing) {
  for (const char* change : {"stage", "=x", "-", "a-=b", "two=\nlines", "bad=\xff"}) {
    EXPECT_EQ(label_it({"good=1", change}), ExitCode::usage) << change;
    EXPECT_THAT(err, HasSubstr("name=value sets a label, name- takes it away")) << change;
  }
  EXPECT_EQ(label_it({"a=1", "a-"}), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("said twice"));
  EXPECT_EQ(label_it({"a=1"}, "prcies-20260202-024000-ab12"), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("did you mean prices-20260202-024000-ab12?"));
  EXPECT_EQ(open_record_of(root.path()).value()->find_run("latest")->labels.size(), 1u);
}

TEST_F(Annotate, ANoteReplacesTheOneBefore) {
  ASSERT_EQ(note_it("the one\nwith new features"), ExitCode::succeeded);
  ASSERT_EQ(note_it("  the best so far "), ExitCode::succeeded);
  EXPECT_EQ(out, "prices-20260202-024000-ab12: the best so far\n");
  EXPECT_EQ(open_record_of(root.path()).value()->find_run("latest")->note, "the best so far");
  ASSERT_EQ(note_it(""), ExitCode::succeeded);
  EXPECT_EQ(out, "prices-20260202-024000-ab12: no note\n");
  EXPECT_EQ(note_it(std::string(70'000, 'x')), ExitCode::usage);
}

TEST_F(Annotate, ARootOnWhichNothingRanIsAnErrorAndStaysEmpty) {
  const auto empty = folder.path() / "empty";
  std::filesystem::create_directories(empty);
  EXPECT_EQ(label({.root = empty.string(), .run = "latest", .changes = {"a=b"}}, console()), ExitCode::usage);
  EXPECT_TRUE(std::filesystem::is_empty(empty));
}

}  // namespace
}  // namespace mlpipe::app
