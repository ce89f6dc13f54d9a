#include "app/show.hpp"

#include "listing_fixture.hpp"

namespace mlpipe::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Show : ListingTest {
  ExitCode show_it(const std::string& run = "latest", const std::string& task = "", bool json = false) {
    return show({.root = root.path().string(), .run = run, .task = task, .json = json}, console());
  }
};

TEST_F(Show, ARunWithAllThatIsKnownOfIt) {
  write_full_run(record());
  ASSERT_EQ(show_it(), ExitCode::succeeded);
  expect_golden("show.txt", out, root);
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));  // also of what tasks gave
}

TEST_F(Show, OnATerminal) {
  write_full_run(record());
  color = report::Color::yes;
  destination = Destination::terminal;
  columns = 80;
  ASSERT_EQ(show_it(), ExitCode::succeeded);
  expect_golden("show_terminal.txt", out, root);
}

TEST_F(Show, JsonOfARun) {
  write_full_run(record());
  ASSERT_EQ(show_it("prices-2026", "", true), ExitCode::succeeded);
  expect_golden("show.json", out, root);
}

TEST_F(Show, ATaskInDepth) {
  write_full_run(record());
  ASSERT_EQ(show_it("latest", "train"), ExitCode::succeeded);
  expect_golden("show_task.txt", out, root);
}

TEST_F(Show, JsonOfATask) {
  write_full_run(record());
  ASSERT_EQ(show_it("latest", "train", true), ExitCode::succeeded);
  expect_golden("show_task.json", out, root);
}

TEST_F(Show, ARunThatHasOnlyBegun) {
  test::RunWriter run(record(), "r1", {"a"});
  ASSERT_EQ(show_it("r1"), ExitCode::succeeded);
  expect_golden("show_begun.txt", out, root);
}

TEST_F(Show, AnImporterHasNoExitCode) {
  auto spec = test::make_spec("p", {"raw"});
  spec->components[1].implementation = spec::ImporterSpec{};
  test::RunWriter run(record(), test::start_of("r1"), std::move(spec));
  run.succeed("raw");
  ASSERT_EQ(show_it(), ExitCode::succeeded);
  EXPECT_THAT(out, AllOf(HasSubstr("raw   succeeded"), Not(HasSubstr("EXIT"))));
  out.clear();
  ASSERT_EQ(show_it("latest", "raw", true), ExitCode::succeeded);
  EXPECT_THAT(out, Not(HasSubstr("exit_code")));
}

TEST_F(Show, AnUnknownRunOrTaskIsWrongUsageWithTheNearestName) {
  write_full_run(record());
  EXPECT_EQ(show_it("prices-20260202-024000-ab13"), ExitCode::usage);
  EXPECT_THAT(err, AllOf(HasSubstr("no run \"prices-20260202-024000-ab13\""),
                         HasSubstr("did you mean prices-20260202-024000-ab12?")));
  err.clear();
  EXPECT_EQ(show_it("latest", "trian"), ExitCode::usage);
  EXPECT_THAT(err, AllOf(HasSubstr("has no task \"trian\""), HasSubstr("did you mean train?")));
  EXPECT_THAT(out, IsEmpty());
}

TEST_F(Show, WithoutARecordThereIsNothingToShow) {
  EXPECT_EQ(show_it(), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("no run was started on this root"));
}

}  // namespace
}  // namespace mlpipe::app
