#include "app/why.hpp"

#include "app/payload_difference.hpp"
#include "listing_fixture.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/plan/fingerprint.hpp"

namespace mlpipe::app {
namespace {

using engine::TaskState;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

void write_file(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

struct Why : ListingTest {
  ExitCode ask(const std::string& run, const std::string& task, bool json = false) {
    out.clear();
    err.clear();
    return why({.root = root.path().string(), .run = run, .task = task, .json = json}, console());
  }

  // The artifact `output` of `task` with that digest, in the tree of the run.
  engine::Artifact artifact(const std::string& run, const std::string& task, char digit, std::uint64_t bytes) {
    engine::Artifact made =
        test::make_artifact("data", "system.Dataset", (root.run(run) / task / "data" / "data").string());
    made.digest = "sha256:" + std::string(64, digit);
    made.bytes = bytes;
    return made;
  }

  engine::CacheAnswer fingerprint(const engine::Artifact& input, double rate, const std::string& reason,
                                  const std::string& image = "sha256:1d1d") {
    spec::ComponentSpec component;
    component.implementation = spec::ContainerSpec{};
    plan::FingerprintInputs facts{.image = image};
    facts.parameters.emplace("rate", Value(rate));
    facts.artifacts.emplace("dataset",
                            plan::FingerprintArtifact{.type = input.type, .digest = input.digest, .file_name = "data"});
    plan::Fingerprint made = plan::fingerprint_of(component, {}, facts);
    engine::CacheAnswer answer;
    answer.fingerprint = made.hex;
    answer.fingerprint_text = made.text;
    answer.why = reason;
    return answer;
  }

  void run_train(test::RunWriter& run, const engine::Artifact& input, const engine::CacheAnswer& answer,
                 const engine::AttemptResult& result = {}) {
    engine::TaskData inputs;
    inputs.artifacts.emplace("dataset", input);
    inputs.parameters.emplace("rate", Value(0.5));
    engine::Transition starting = run.change("train", TaskState::starting, 1);
    starting.inputs = &inputs;
    starting.cache = &answer;
    ASSERT_TRUE(run.commit(starting));
    ASSERT_TRUE(run.commit(run.change("train", TaskState::running, 1)));
    run.end("train", result, result.end == engine::AttemptEnd::succeeded ? TaskState::succeeded : TaskState::failed);
  }

  std::unique_ptr<test::RunWriter> begin(const std::string& id,
                                         const std::vector<std::string>& tasks = {"split", "train"}) {
    metadata::RunStart start = test::start_of(id);
    start.root = root.path().string();
    return std::make_unique<test::RunWriter>(record(), start, test::make_spec("prices", tasks));
  }

  // r1 and r2: another rate, and a dataset of which one file is longer.
  void write_two_runs() {
    write_file(root.run("r1") / "split/data/data/a.csv", "1,2\n");
    write_file(root.run("r1") / "split/data/data/b.csv", "1,2\n");
    write_file(root.run("r2") / "split/data/data/a.csv", "1,2\n");
    write_file(root.run("r2") / "split/data/data/b.csv", "1,2\n3,4\n");
    for (const auto& [id, digit, rate] : {std::tuple("r1", '1', 0.5), std::tuple("r2", '2', 0.25)}) {
      const auto run = begin(id);
      engine::TaskData split;
      split.artifacts["data"] = artifact(id, "split", digit, digit == '1' ? 8 : 12);
      split.artifacts["data"].is_folder = true;
      run->succeed("split", split);
      run_train(*run, split.artifacts["data"],
                fingerprint(split.artifacts["data"], rate, "no run has made this result yet"));
      run->finish(engine::RunState::succeeded);
    }
  }

  // r1 and r2: another image, built from one folder, and what each is made of.
  void write_two_builds(const std::string& first, const std::string& second) {
    for (const auto& [id, image, made_of] :
         {std::tuple("r1", "sha256:1d1d", first), std::tuple("r2", "sha256:2d2d", second)}) {
      metadata::RunStart start = test::start_of(id);
      start.root = root.path().string();
      auto spec = test::make_spec("prices", {"train"});
      spec->components[1].implementation = spec::ContainerSpec{.build_context = "/work/components/train"};
      test::RunWriter run(record(), start, std::move(spec));
      ASSERT_TRUE(record().record_images({{"/work/components/train", image, "", made_of}}));
      run_train(run, artifact(id, "train", '1', 8),
                fingerprint(artifact(id, "train", '1', 8), 0.5, "it is new", image));
      run.finish(engine::RunState::succeeded);
    }
  }
};

TEST_F(Why, WhatChangedIsSaidDownToTheFirstFile) {
  write_two_runs();
  ASSERT_EQ(ask("r2", "train"), ExitCode::succeeded) << err;
  expect_golden("why.txt", out, root);
  ASSERT_EQ(ask("r2", "train", true), ExitCode::succeeded);
  expect_golden("why.json", out, root);
}

TEST_F(Why, AnImageThatWasBuiltNamesWhatChangedInItsFolder) {
  write_two_builds("from base:1 sha256:0d\n1a Dockerfile\n2a train.py\n",
                   "from base:1 sha256:0d\n1a Dockerfile\n2b train.py\n");
  ASSERT_EQ(ask("r2", "train"), ExitCode::succeeded) << err;
  EXPECT_THAT(out, HasSubstr("      it was built anew from /work/components/train: changed: train.py\n"));
  ASSERT_EQ(ask("r2", "train", true), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("\"in_build\": \"changed: train.py\""));
}

TEST_F(Why, AnImageThatWasBuiltNamesItsFolder) {
  write_two_builds("", "");
  ASSERT_EQ(ask("r2", "train"), ExitCode::succeeded) << err;
  EXPECT_THAT(
      out,
      HasSubstr(
          "    image changed from sha256:1d1d to sha256:2d2d\n"
          "      it was built anew from /work/components/train: its files changed, or the image it starts from\n"));
}

TEST_F(Why, TheFirstRunHasNothingToCompareWith) {
  write_two_runs();
  ASSERT_EQ(ask("r1", "train"), ExitCode::succeeded);
  EXPECT_EQ(out,
            "train ran: no run has made this result yet\n"
            "  no earlier run of this pipeline has a task train to compare with\n");
}

TEST_F(Why, AResultComesBeforeANewerFailure) {
  write_two_runs();
  const engine::Artifact input = artifact("r2", "split", '2', 12);
  for (const char* id : {"r3", "r4"}) {
    const auto run = begin(id);
    engine::AttemptResult failed;
    failed.end = engine::AttemptEnd::user_exit;
    run_train(*run, input, fingerprint(input, 0.125, "no run has made this result yet"), failed);
    run->finish(engine::RunState::failed);
  }
  ASSERT_EQ(ask("r4", "train"), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr("changed since train of run r2, attempt 1, succeeded"));
  EXPECT_THAT(out, HasSubstr("parameter rate changed from 0.25 to 0.125"));
}

TEST_F(Why, ACachedTaskNamesTheAttemptThatReallyRan) {
  write_two_runs();
  const engine::Artifact input = artifact("r2", "split", '2', 12);
  std::string from = "r2";
  for (const char* id : {"r3", "r4"}) {
    const auto run = begin(id);
    engine::CacheAnswer hit = fingerprint(input, 0.25, "");
    hit.kind = engine::CacheAnswer::Kind::hit;
    hit.from_run = from;
    const engine::TaskData data;
    engine::Transition cached = run->change("train", TaskState::succeeded);
    cached.cache = &hit;
    cached.inputs = &data;
    cached.outputs = &data;
    ASSERT_TRUE(run->commit(cached));
    from = id;
  }
  ASSERT_EQ(ask("r4", "train"), ExitCode::succeeded);
  EXPECT_THAT(
      out,
      HasSubstr("train was not run: it has the result of run r3\n  made by train of run r2, attempt 1, succeeded"));
  ASSERT_EQ(ask("r4", "train", true), ExitCode::succeeded);
  const Value answer = parse_json(out, "out").value();
  EXPECT_EQ(answer.text_or("outcome", ""), "cached");
  EXPECT_EQ(answer.find("made_by")->text_or("run", ""), "r2");
}

TEST_F(Why, WhatDidNotRunSaysWhy) {
  const auto run = begin("r1", {"split", "train", "judge", "deploy", "late"});
  run->skip("judge", "its condition is false: 1 > 2");
  engine::Transition failed = run->change("deploy", TaskState::failed);
  failed.reason = "input model has no value";
  ASSERT_TRUE(run->commit(run->change("late", TaskState::ready)));
  engine::Transition deferred = run->change("late", TaskState::deferred);
  deferred.reason = "mlpipe run 7 makes the same result";
  ASSERT_TRUE(run->commit_all({failed, deferred}));
  write_file(root.run("r1") / "run.json",
             R"({"version": 2, "tasks": [{"task": "train", "needs": ["split", "judge"]}]})");
  ASSERT_EQ(ask("r1", "judge"), ExitCode::succeeded);
  EXPECT_EQ(out, "judge did not run: skipped: its condition is false: 1 > 2\n");
  ASSERT_EQ(ask("r1", "deploy"), ExitCode::succeeded);
  EXPECT_EQ(out, "deploy did not run: failed: input model has no value\n");
  ASSERT_EQ(ask("r1", "late"), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr(": mlpipe run 7 makes the same result\n"));
  ASSERT_EQ(ask("r1", "train"), ExitCode::succeeded);
  EXPECT_THAT(out, HasSubstr(", for split\n"));
}

TEST_F(Why, AnUnknownTaskNamesTheNearest) {
  write_two_runs();
  EXPECT_EQ(ask("r2", "trian"), ExitCode::usage);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_THAT(err, HasSubstr("did you mean train?"));
}

TEST(FirstDifference, OfFilesAndFolders) {
  const test::TempDir folder;
  const fs::path a = folder.path() / "a";
  const fs::path b = folder.path() / "b";
  write_file(a / "x/1", "same");
  write_file(b / "x/1", "same");
  EXPECT_EQ(first_difference(a, b), "");
  write_file(a / "y", "abcd");
  EXPECT_EQ(first_difference(a, b), "y is gone");
  EXPECT_EQ(first_difference(b, a), "y is new");
  write_file(b / "y", "abXd");
  EXPECT_EQ(first_difference(a, b), "y: differs from byte 2 on");
  EXPECT_EQ(first_difference(a / "y", b / "y"), "differs from byte 2 on");
  write_file(b / "y", "abcde");
  EXPECT_EQ(first_difference(a / "y", b / "y"), "4 B before, 5 B now");
  EXPECT_EQ(first_difference(a / "y", b / "gone"), "");
  EXPECT_EQ(first_difference(a, b / "y"), "");
}

}  // namespace
}  // namespace mlpipe::app
