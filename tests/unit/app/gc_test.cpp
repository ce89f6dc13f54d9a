#include "app/gc.hpp"

#include <algorithm>

#include "listing_fixture.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/sys/lock.hpp"
#include "support/fake_container_engine.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

// Hands out an engine that outlives the command.
class Borrowed final : public runner::ContainerEngine {
 public:
  explicit Borrowed(runner::ContainerEngine& engine) : engine_(engine) {}
  const runner::EngineInfo& info() const override { return engine_.info(); }
  Result<runner::Image> inspect_image(const std::string& name) override { return engine_.inspect_image(name); }
  Result<runner::Image> pull_image(const std::string& name, const runner::ProgressSink& progress,
                                   const sys::StopSignal& stop) override {
    return engine_.pull_image(name, progress, stop);
  }
  Result<runner::Image> build_image(const runner::BuildRequest& request, const runner::ProgressSink& progress,
                                    const sys::StopSignal& stop) override {
    return engine_.build_image(request, progress, stop);
  }
  Result<std::vector<runner::ImageSummary>> list_images(const std::string& prefix) override {
    return engine_.list_images(prefix);
  }
  Result<> name_image(const std::string& reference, const std::string& name) override {
    return engine_.name_image(reference, name);
  }
  Result<> remove_image(const std::string& name) override { return engine_.remove_image(name); }
  Result<std::string> create(const runner::ContainerConfig& config) override { return engine_.create(config); }
  Result<> run(const std::string& id, runner::LogSink& log, const std::function<void()>& started,
               sys::StopSignal& stop) override {
    return engine_.run(id, log, started, stop);
  }
  Result<> follow(const std::string& id, runner::LogSink& log, sys::StopSignal& stop) override {
    return engine_.follow(id, log, stop);
  }
  Result<runner::ContainerState> inspect(const std::string& id) override { return engine_.inspect(id); }
  Result<> stop(const std::string& id, std::chrono::seconds grace) override { return engine_.stop(id, grace); }
  Result<> kill(const std::string& id) override { return engine_.kill(id); }
  Result<> remove(const std::string& id) override { return engine_.remove(id); }
  Result<> start(const std::string& id) override { return engine_.start(id); }
  Result<std::vector<runner::ContainerSummary>> list(const std::map<std::string, std::string>& labels) override {
    return engine_.list(labels);
  }

 private:
  runner::ContainerEngine& engine_;
};

struct Gc : ListingTest {
  enum class End { finished, interrupted };

  // A run with one task whose output has `payload`, begun `at` milliseconds.
  void add_run(const std::string& id, std::int64_t at, engine::RunState state = engine::RunState::succeeded,
               End end = End::finished, const std::map<std::string, std::string>& labels = {}) {
    metadata::RunStart start = test::start_of(id);
    start.created = test::at_millisecond(at);
    start.labels = labels;
    auto spec = test::make_spec("prices", {"train"});
    spec->labels.clear();
    test::RunWriter writer(record(), start, std::move(spec));
    engine::TaskData outputs;
    outputs.artifacts["model"] =
        test::make_artifact("model", "system.Model", (root.run(id) / "train/model/data").string());
    writer.succeed("train", outputs);
    EXPECT_TRUE(record().record_images({{"worker", "sha256:mlpipe/worker:" + id, ""}}));
    if (end == End::finished) writer.finish(state);
    folder.write("runs/" + id + "/run.json", "{}");
    folder.write("runs/" + id + "/train/model/data", std::string(100'000, 'x'));
    fs::create_directories(root.run(id) / ".mlpipe");
    fs::remove(root.latest());
    fs::create_symlink(fs::path("runs") / id, root.latest());
  }

  ExitCode clean(GcCommand command, bool with_engine = true) {
    command.root = root.path().string();
    out.clear();
    err.clear();
    const auto connect = [&]() -> Result<std::unique_ptr<runner::ContainerEngine>> {
      if (!with_engine) return fail(ErrorCode::unavailable, "no engine is here");
      return std::make_unique<Borrowed>(engine);
    };
    return gc(command, console(), {.connect = connect, .secrets = secrets.path()});
  }
  GcCommand really() const { return {.yes = true}; }

  std::vector<std::string> runs() {
    auto queries = metadata::open_queries(root.database(), {}).value();
    std::vector<std::string> ids;
    const std::vector<metadata::RunRow> rows = queries->runs(0).value();
    for (const metadata::RunRow& run : rows) ids.push_back(run.id);
    return ids;
  }
  bool has_folder(const std::string& id) const { return fs::exists(root.run(id)); }
  void age(const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(24 * 365 * 10));
  }
  void stranger(const std::string& id, const std::string& run) {
    engine.strangers.push_back(
        {.id = id, .name = "mlpipe-" + id, .labels = {{"mlpipe.root", root.path().string()}, {"mlpipe.run", run}}});
  }

  test::FakeContainerEngine engine;
  test::TempDir secrets;
};

TEST_F(Gc, WithoutYesItOnlySaysWhatWouldGo) {
  add_run("r1", 0);
  add_run("r2", 1000, engine::RunState::failed);
  GcCommand command;
  command.status = {"failed"};
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("r2"));
  EXPECT_THAT(out, Not(HasSubstr("r1")));
  EXPECT_THAT(out, HasSubstr("--yes"));
  EXPECT_THAT(runs(), ElementsAre("r2", "r1"));
  EXPECT_TRUE(has_folder("r2"));
}

TEST_F(Gc, WithoutACriterionNoRunGoes) {
  add_run("r1", 0);
  EXPECT_EQ(clean(really()), ExitCode::succeeded);
  EXPECT_THAT(runs(), ElementsAre("r1"));
  EXPECT_THAT(out, HasSubstr("nothing was removed"));
}

// gc was killed after it had marked the folder, before or after the record let the run go.
TEST_F(Gc, ARunWhoseRemovalWasBegunGoesWhateverElseIsAskedFor) {
  add_run("kept", 1000);
  add_run("marked", 2000);
  folder.write("runs/marked/.mlpipe/removed", "");
  ASSERT_EQ(clean({}), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("marked"));
  EXPECT_TRUE(has_folder("marked"));
  GcCommand newest = really();
  newest.keep = 2;
  ASSERT_EQ(clean(newest), ExitCode::succeeded);
  EXPECT_THAT(runs(), ElementsAre("kept"));
  EXPECT_FALSE(has_folder("marked"));
  EXPECT_TRUE(has_folder("kept"));
}

TEST_F(Gc, TheNewestRunsAndThoseWithALabelStay) {
  add_run("r1", 0);
  add_run("r2", 1000, engine::RunState::succeeded, End::finished, {{"stage", "live"}});
  add_run("r3", 2000);
  add_run("r4", 3000);
  GcCommand command = really();
  command.keep = 1;
  command.keep_labelled = true;
  EXPECT_EQ(clean(command), ExitCode::succeeded) << err;
  EXPECT_THAT(runs(), ElementsAre("r4", "r2"));
  EXPECT_FALSE(has_folder("r1"));
  EXPECT_FALSE(has_folder("r3"));
  EXPECT_TRUE(fs::is_empty(root.state() / "trash"));
  EXPECT_FALSE(fs::exists(root.run_lock("r1")));
}

TEST_F(Gc, AllThatIsSaidMustFit) {
  add_run("old", 0, engine::RunState::failed);
  add_run("fine", 0);
  add_run("new", 3'000'000, engine::RunState::failed);
  GcCommand command = really();
  command.status = {"failed"};
  command.older_than = "30m";
  EXPECT_EQ(clean(command), ExitCode::succeeded) << err;
  EXPECT_THAT(runs(), testing::UnorderedElementsAre("new", "fine"));
}

TEST_F(Gc, TheOldestGoUntilTheRootIsSmallEnough) {
  add_run("r1", 0);
  add_run("r2", 1000);
  add_run("r3", 2000);
  GcCommand command = really();
  std::uint64_t all = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root.path()))
    all += entry.is_regular_file() ? entry.file_size() : 0;
  command.max_size = std::to_string(all - 50'000);
  EXPECT_EQ(clean(command), ExitCode::succeeded) << err;
  EXPECT_FALSE(has_folder("r1"));
  EXPECT_TRUE(has_folder("r3"));
}

TEST_F(Gc, ARunThatSomebodyRunsStays) {
  add_run("live", 0, engine::RunState::running, End::interrupted);
  auto lock = sys::try_lock(root.run_lock("live")).value();
  stranger("c1", "live");
  GcCommand command = really();
  command.keep = 0;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(runs(), ElementsAre("live"));
  EXPECT_THAT(engine.removed, ElementsAre());
  EXPECT_TRUE(has_folder("live"));
}

TEST_F(Gc, WhatOtherRunsHoldByALinkIsNotCountedAndNotHarmed) {
  add_run("r1", 0);
  add_run("r2", 1000);
  fs::remove(root.run("r2") / "train/model/data");
  fs::create_hard_link(root.run("r1") / "train/model/data", root.run("r2") / "train/model/data");
  GcCommand command = really();
  command.keep = 1;
  command.json = true;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_EQ(test::slurp(root.run("r2") / "train/model/data").size(), 100'000u);
  const Value answer = parse_json(out, "answer").value();
  const Value& run = answer.find("runs")->as_list().front();
  EXPECT_GE(run.integer_or("bytes", 0), 100'000);
  EXPECT_LT(run.integer_or("frees", -1), 100'000);
}

TEST_F(Gc, WhatEachRunFreesAddsUpToTheTotal) {
  add_run("r1", 0);
  add_run("r2", 1000);
  fs::remove(root.run("r2") / "train/model/data");
  fs::create_hard_link(root.run("r1") / "train/model/data", root.run("r2") / "train/model/data");
  GcCommand command;
  command.keep = 1;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(out, testing::ContainsRegex("SIZE +FREES\n"));
  const std::string row = out.substr(out.find("\nr1 "), out.find('\n', out.find("\nr1 ") + 1) - out.find("\nr1 "));
  const std::string freed = row.substr(row.rfind("  ") + 2);
  EXPECT_THAT(out, HasSubstr("1 run(s), 0 leftover(s), " + freed + "\n"));
  EXPECT_THAT(row, Not(testing::ContainsRegex(" " + freed + " +" + freed)));
}

TEST_F(Gc, TheLatestLinkFollows) {
  add_run("r1", 0);
  add_run("r2", 1000, engine::RunState::failed);
  GcCommand command = really();
  command.status = {"failed"};
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_EQ(fs::read_symlink(root.latest()), "runs/r1");
  command.status = {"succeeded"};
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_FALSE(fs::is_symlink(root.latest()));
}

TEST_F(Gc, ContainersOfInterruptedRunsStayUntilTheRunGoes) {
  add_run("ended", 0);
  add_run("interrupted", 0, engine::RunState::running, End::interrupted);
  stranger("c1", "ended");
  stranger("c2", "interrupted");
  stranger("c3", "unheard-of");
  EXPECT_EQ(clean(really()), ExitCode::succeeded);
  EXPECT_THAT(engine.removed, ElementsAre("c1", "c3"));
  GcCommand command = really();
  command.status = {"interrupted"};
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed, ElementsAre("c1", "c3", "c2"));
  EXPECT_THAT(runs(), ElementsAre("ended"));
}

TEST_F(Gc, WithoutAnEngineItDoesTheRestAndSaysSo) {
  add_run("r1", 0);
  add_run("interrupted", 0, engine::RunState::running, End::interrupted);
  GcCommand command = really();
  command.keep = 0;
  EXPECT_EQ(clean(command, false), ExitCode::succeeded);
  EXPECT_THAT(err, HasSubstr("no engine is here"));
  EXPECT_THAT(err, HasSubstr("run interrupted stays"));
  EXPECT_THAT(runs(), ElementsAre("interrupted"));
}

TEST_F(Gc, FoldersOfStartsThatCrashedGoAfterAnHour) {
  add_run("r1", 0);
  for (const char* name : {"crashed", "fresh", "unrecorded", "half-removed"})
    fs::create_directories(root.run(name) / ".mlpipe");
  folder.write("runs/unrecorded/run.json", "{}");
  folder.write("runs/half-removed/run.json", "{}");
  folder.write("runs/half-removed/.mlpipe/removed", "");
  folder.write("runs/somebodys/notes.txt", "mine");
  clock.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(SystemClock().wall() - test::at_millisecond(0)).count();
  for (const char* name : {"crashed", "unrecorded", "half-removed", "somebodys"}) age(root.run(name));
  EXPECT_EQ(clean(really()), ExitCode::succeeded) << err;
  EXPECT_FALSE(has_folder("crashed"));
  EXPECT_FALSE(has_folder("half-removed"));
  EXPECT_TRUE(has_folder("fresh"));
  EXPECT_TRUE(has_folder("somebodys"));
  EXPECT_TRUE(has_folder("unrecorded"));
  EXPECT_THAT(err, HasSubstr("look at their run.json"));
}

TEST_F(Gc, TheTrashStaleLocksAndTakenAwayPayloadsGo) {
  add_run("r1", 0);
  folder.write(".mlpipe/trash/gone-0123/file", "x");
  folder.write(".mlpipe/locks/gone.lock", "");
  folder.write(".mlpipe/locks/r1.lock", "");
  folder.write(".mlpipe/locks/results/abc", "");
  EXPECT_TRUE(record().discard(plan::TaskId{0}));
  EXPECT_EQ(clean(really()), ExitCode::succeeded) << err;
  EXPECT_TRUE(fs::is_empty(root.state() / "trash"));
  EXPECT_FALSE(fs::exists(root.run_lock("gone")));
  EXPECT_FALSE(fs::exists(root.state() / "locks/results/abc"));
  EXPECT_TRUE(fs::exists(root.run_lock("r1")));
  EXPECT_FALSE(fs::exists(root.run("r1") / "train/model"));
  EXPECT_TRUE(has_folder("r1"));
}

TEST_F(Gc, OnlyImagesThatWereBuiltAndThatNothingUsesGo) {
  add_run("0123456789ab", 0);
  engine.add_image("mlpipe/worker:0123456789ab", {});
  engine.add_image("mlpipe/worker:aaaaaaaaaaaa", {});
  engine.add_image("mlpipe/worker:bbbbbbbbbbbb", {});
  engine.add_image("mlpipe/base:bookworm", {});
  engine.add_image("mlpipe/helper:cccccccccccc", {});
  engine.images_in_use = {"mlpipe/worker:bbbbbbbbbbbb"};
  EXPECT_EQ(clean(really()), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, ElementsAre());
  GcCommand command = really();
  command.images = true;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, ElementsAre("mlpipe/worker:aaaaaaaaaaaa"));
  EXPECT_THAT(err, HasSubstr("bbbbbbbbbbbb"));
}

TEST_F(Gc, AnImageThatAnotherRootHoldsKeepsItsName) {
  const std::string image = "mlpipe/worker:aaaaaaaaaaaa";
  const std::string held = runner::hold_name(image, root.path());
  const std::string held_by_other = runner::hold_name(image, "/another/root");
  const runner::Image there{.id = "sha256:aaaa", .last_named = test::at_millisecond(0)};
  for (const std::string& name : {image, held, held_by_other}) engine.images[name] = there;
  GcCommand command = really();
  command.images = true;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, ElementsAre(held));
  EXPECT_THAT(out, Not(HasSubstr("nothing")));
  engine.removed_images.clear();
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, ElementsAre());
  // Nobody has used it for so long that the other root is taken for gone.
  clock.milliseconds = std::chrono::milliseconds(std::chrono::days(31)).count();
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, UnorderedElementsAre(image, held_by_other));
}

TEST_F(Gc, AnImageThatOnlyThisRootHeldGoesWithAllItsNames) {
  add_run("0123456789ab", 0);
  const std::string image = "mlpipe/worker:0123456789ab";
  engine.add_image(image, {});
  engine.images[runner::hold_name(image, root.path())] = engine.images[image];
  GcCommand command = really();
  command.images = true;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, ElementsAre());
  command.keep = 0;
  EXPECT_EQ(clean(command), ExitCode::succeeded);
  EXPECT_THAT(engine.removed_images, UnorderedElementsAre(image, runner::hold_name(image, root.path())));
}

TEST_F(Gc, WrongWordsAreRefused) {
  GcCommand command = really();
  command.older_than = "soon";
  EXPECT_EQ(clean(command), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("--older-than \"soon\": that is neither an age nor a date"));
  command.older_than = "2999-01-01";
  EXPECT_EQ(clean(command), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("--older-than \"2999-01-01\": that is still to come"));
  command = {.max_size = "much"};
  EXPECT_EQ(clean(command), ExitCode::usage);
  command = {.status = {"faild"}};
  EXPECT_EQ(clean(command), ExitCode::usage);
  EXPECT_THAT(err, HasSubstr("failed"));
}

TEST_F(Gc, TellsOfSecretsThatAKilledMlpipeLeft) {
  const fs::path left = secrets.path() / "mlpipe-secrets-abcdef";
  fs::create_directory(left);
  secrets.write("mlpipe-secrets-abcdef/token", "hidden");
  EXPECT_EQ(clean({}), ExitCode::succeeded);
  EXPECT_NE(out.find("secrets"), std::string::npos) << out;
  EXPECT_NE(out.find(left.string()), std::string::npos) << out;
  EXPECT_TRUE(fs::exists(left));
  EXPECT_EQ(clean(really()), ExitCode::succeeded);
  EXPECT_NE(out.find("1 leftover(s)"), std::string::npos) << out;
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(Gc, LeavesWithThreeWhenSomethingCouldNotBeRemoved) {
  add_run("old", 1);
  folder.write(".mlpipe/trash", "no folder");
  GcCommand command = really();
  command.keep = 0;
  EXPECT_EQ(clean(command), ExitCode::environment);
  EXPECT_NE(err.find("run old stays"), std::string::npos) << err;
}

}  // namespace
}  // namespace mlpipe::app
