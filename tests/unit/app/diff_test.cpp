#include "app/diff.hpp"

#include "listing_fixture.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Diff : ListingTest {
  ExitCode diff_it(const std::string& a, const std::string& b, bool json = false) {
    out.clear();
    err.clear();
    return diff({.root = root.path().string(), .a = a, .b = b, .json = json}, console());
  }

  // As write_full_run() made its run, but for what a better model changes.
  void write_better_run() {
    auto spec = test::make_spec("prices", {"split", "train", "evaluate", "publish"});
    spec->components[0].interface.input_parameters[0].default_value = Value(0.25);
    metadata::RunStart start = test::start_of("prices-20260203-000000-cd34");
    start.spec_digest = "sha256:" + std::string(64, 'b');
    start.git_dirty = false;
    start.created = test::at_millisecond(100'000);
    test::RunWriter run(record(), start, std::move(spec));
    run.set_time(100'000);
    ASSERT_TRUE(record().record_images({{"debian:12", "sha256:2e2e", "debian@sha256:e2e2"}}));
    engine::TaskData split;
    split.artifacts["data"] = test::make_artifact("data", "system.Dataset", "/data/root/runs/better/split/data/data");
    split.parameters["rows"] = Value(3000);
    run.succeed("split", split);
    engine::TaskData trained;
    trained.artifacts["model"] =
        test::make_artifact("model", "system.Model", "/data/root/runs/better/train/model/data");
    trained.artifacts["model"].digest = "sha256:" + std::string(64, 'c');
    trained.artifacts["model"].bytes = 400;
    run.succeed("train", trained);
    engine::TaskData metrics;
    metrics.artifacts["test"] =
        test::make_artifact("test", "system.Metrics", "/data/root/runs/better/evaluate/test/data");
    metrics.artifacts["test"].metadata =
        Value::Struct{{"rmse", Value(20098.765)}, {"r2", Value(0.125)}, {"rows", Value(600)}, {"mae", Value(0)}};
    run.succeed("evaluate", metrics);
    run.succeed("publish");
    run.finish(engine::RunState::succeeded);
  }
};

TEST_F(Diff, SaysWhatIsNotTheSame) {
  write_full_run(record());
  write_better_run();
  ASSERT_EQ(diff_it("prices-20260202", "latest"), ExitCode::succeeded);
  expect_golden("diff.txt", out, root);
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST_F(Diff, OnATerminal) {
  write_full_run(record());
  write_better_run();
  color = report::Color::yes;
  columns = 80;
  ASSERT_EQ(diff_it("prices-20260202", "latest"), ExitCode::succeeded);
  expect_golden("diff_terminal.txt", out, root);
}

TEST_F(Diff, JsonHasTheSame) {
  write_full_run(record());
  write_better_run();
  ASSERT_EQ(diff_it("latest", "prices-20260202", true), ExitCode::succeeded);
  expect_golden("diff.json", out, root);
}

TEST_F(Diff, ARunDoesNotDifferFromItself) {
  write_full_run(record());
  ASSERT_EQ(diff_it("latest", "latest"), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("They differ in nothing but how long they took."));
  ASSERT_EQ(diff_it("latest", "latest", true), ExitCode::succeeded);
  EXPECT_TRUE(parse_json(out, "out")->bool_or("same", false));
}

TEST_F(Diff, TellsInputsThatWereLeftToTheirDefaults) {
  for (const auto& [id, rate, is_default] : {std::tuple("old", 0.5, true), std::tuple("new", 0.25, false)}) {
    test::RunWriter run(record(), id, {"train"});
    engine::TaskData inputs;
    inputs.parameters = {{"rate", Value(rate)}, {"place", Value(id)}};
    if (is_default) inputs.defaults = {"rate"};
    run.start("train", 1, inputs);
    run.finish(engine::RunState::cancelled);
  }
  ASSERT_EQ(diff_it("old", "new"), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("inputs left to their defaults\n  train.rate  0.5  0.25"));
  EXPECT_THAT(out, Not(HasSubstr("train.place")));
  ASSERT_EQ(diff_it("old", "new", true), ExitCode::succeeded);
  EXPECT_EQ(parse_json(out, "out")->find("inputs")->find("train.rate")->find("a")->as_double(), 0.5);
}

TEST_F(Diff, AnUnknownRunIsWrongUsage) {
  write_full_run(record());
  EXPECT_EQ(diff_it("latest", "prices-20260202-024000-ab13"), ExitCode::usage);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_THAT(err, HasSubstr("did you mean prices-20260202-024000-ab12?"));
}

}  // namespace
}  // namespace mlpipe::app
