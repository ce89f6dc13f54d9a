#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "app/console.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/metadata/record.hpp"
#include "support/record_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {

class FixedClock final : public Clock {
 public:
  MonotonicTime now() const override { return {}; }
  WallTime wall() const override { return test::at_millisecond(milliseconds); }
  std::int64_t milliseconds = 3'600'000;
};

// A root with a record, and a console that keeps what is written.
struct ListingTest : testing::Test {
  ListingTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    ::unsetenv("MLPIPE_ROOT");
  }

  metadata::RunRecord& record() {
    if (!record_) record_ = metadata::open_record(root.database()).value();
    return *record_;
  }

  Console console() {
    return {.out = [this](std::string_view text) { return out += text, true; },
            .err = [this](std::string_view text) { err += text; },
            .destination = destination,
            .color = color,
            .columns = columns,
            .clock = clock};
  }

  test::TempDir folder;
  artifact::Root root{std::filesystem::canonical(folder.path())};
  FixedClock clock;
  Destination destination = Destination::pipe;
  report::Color color = report::Color::no;
  std::size_t columns = 0;
  std::string out;
  std::string err;

 private:
  std::unique_ptr<metadata::RunRecord> record_;
};

// Compares `text`, with the root's path as "<root>", with tests/unit/app/golden/<name>; MLPIPE_ACCEPT=1 rewrites the file.
void expect_golden(const std::string& name, std::string text, const artifact::Root& root);

// A run with everything in it: two tries, a failure, a skip, outputs of all kinds. Its id is "prices-20260202-024000-ab12".
inline void write_full_run(metadata::RunRecord& record) {
  using engine::AttemptEnd;
  using engine::AttemptResult;
  using engine::TaskState;
  test::RunWriter run(record, "prices-20260202-024000-ab12", {"split", "train", "evaluate", "deploy"});
  EXPECT_TRUE(record.record_images({{"debian:12", "sha256:1d1d", "debian@sha256:d1d1"}}));

  engine::TaskData split;
  split.artifacts["data"] = test::make_artifact("data", "system.Dataset", "/data/root/runs/prices/split/data/data");
  split.artifacts["data"].is_folder = true;
  split.artifacts["data"].metadata = Value::Struct{{"rows", Value(2930)}};
  split.parameters["rows"] = Value(2930);
  split.parameters["note"] = Value("two\nlines \x1b[31mred");
  run.succeed("split", split);

  engine::TaskData inputs;
  inputs.parameters["n_trials"] = Value(100);
  inputs.artifacts["dataset"] = split.artifacts["data"];
  AttemptResult lost;
  lost.end = AttemptEnd::lost;
  lost.message = "its container vanished";
  lost.hint = "was it removed by hand?";
  run.start("train", 1, inputs);
  run.end("train", lost, TaskState::retry_wait, 1, 62'000);
  EXPECT_TRUE(run.commit(run.change("train", TaskState::ready, 1)));
  run.start("train", 2, inputs);
  AttemptResult trained;
  trained.outputs.artifacts["model"] =
      test::make_artifact("model", "system.Model", "/data/root/runs/prices/train/model/data");
  trained.outputs.artifacts["model"].bytes = 312;
  run.end("train", trained, TaskState::succeeded, 2, 5000);

  engine::TaskData metrics;
  for (const auto& [name, rmse] :
       {std::pair("baseline", 79415.25), std::pair("test", 25123.456789), std::pair("train", 9000.0)}) {
    engine::Artifact artifact =
        test::make_artifact(name, "system.Metrics", std::string("/data/root/runs/prices/evaluate/") + name + "/data");
    artifact.bytes = 40;
    artifact.metadata =
        Value::Struct{{"rmse", Value(rmse)}, {"r2", Value(rmse < 20000 ? 1.0 : 0.125)}, {"rows", Value(586)}};
    metrics.artifacts[name] = artifact;
  }
  metrics.artifacts["importances"] =
      test::make_artifact("importances", "system.Metrics", "/data/root/runs/prices/evaluate/importances/data");
  metrics.artifacts["importances"].metadata = Value::Struct{{"Gr_Liv_Area", Value(0.5)}};
  run.succeed("evaluate", metrics);

  AttemptResult failed;
  failed.end = AttemptEnd::user_exit;
  failed.exit_code = 3;
  failed.message = "exited with code 3";
  failed.hint = "see its log";
  run.start("deploy");
  run.end("deploy", failed, TaskState::failed);
  run.finish(engine::RunState::failed);
}

}  // namespace mlpipe::app
