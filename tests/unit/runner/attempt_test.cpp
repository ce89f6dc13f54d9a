#include "runner/attempt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "mlpipe/artifact/tree.hpp"
#include "support/fake_container_engine.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

using engine::AttemptEnd;
using ::testing::Contains;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// One component with an artifact and a parameter to write, its task, and everything an attempt of it needs.
class AttemptTest : public ::testing::Test {
 protected:
  AttemptTest() {
    run_.run_id = "run-1";
    run_.root = folder_.path();
    run_.run_folder = folder_.path() / "runs" / "run-1";
    run_.uid = ::getuid();
    run_.gid = ::getgid();
    fs::create_directories(run_.run_folder);
    store_ = artifact::make_local_store(run_.run_folder);
    container_.image = spec::Template::literal("image");
    container_.has_command = true;
    container_.command = {spec::Word{spec::Template::literal("true")}};
    component_.name = "make";
    component_.interface.output_artifacts = {{.name = "table", .type = "system.Dataset"}};
    component_.interface.output_parameters = {{.name = "rows", .type = spec::ParameterType::integer}};
    engine_.add_image("image", {.body = [this](const ContainerConfig& config) { write_outputs(config); }});
  }

  // What a well-behaved container writes, through its only writable mount.
  static void write_outputs(const ContainerConfig& config) {
    const fs::path work = config.mounts.front().source;
    std::ofstream(work / "table" / "data") << "a,b\n1,2\n";
    std::ofstream(work / ".mlpipe" / "parameters" / "rows") << " 1\n";
  }

  AttemptReport run(int attempt = 1) {
    component_.implementation = container_;
    AttemptJob job{
        .request = {.id = {.task = plan::TaskId{0}, .number = attempt}, .inputs = inputs_, .take_up = take_up_},
        .task_path = "make",
        .container_name = "mlpipe-run-1-make-" + std::to_string(attempt),
        .component = &component_,
        .settings = &settings_,
        .gpus = gpus_};
    StartGate gate(1);
    return run_attempt(job,
                       {.run = run_, .engine = engine_, .store = *store_, .start_gate = gate, .sandboxes = nullptr},
                       stop_, [this](std::chrono::milliseconds already) {
                         ++running_;
                         already_ = already;
                       });
  }

  std::string env(const std::string& name) const {
    for (const std::string& entry : engine_.created.back().env) {
      if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    }
    return "<not set>";
  }

  test::TempDir folder_;
  RunContext run_;
  test::FakeContainerEngine engine_;
  std::unique_ptr<artifact::ArtifactStore> store_;
  spec::ContainerSpec container_;
  spec::ComponentSpec component_;
  spec::TaskSettings settings_;
  engine::TaskData inputs_;
  std::vector<std::string> gpus_;
  AttemptStop stop_;
  int running_ = 0;
  std::chrono::milliseconds already_{0};
  std::optional<engine::TakeUp> take_up_;
};

// ---- Attempts that an earlier mlpipe began ----------------------------------------------------------------------

class TakeUpTest : public AttemptTest {
 protected:
  TakeUpTest() { take_up_ = engine::TakeUp{.running_since = SystemClock().wall() - std::chrono::seconds(30)}; }

  // The container of attempt 1 as the engine has it, with the folders it was given.
  void left(ContainerState state, int ends_with = 0) {
    const fs::path work = artifact::TaskTree(run_.run_folder, "make").work(1);
    fs::create_directories(work / "table");
    fs::create_directories(work / ".mlpipe" / "parameters");
    ContainerConfig config{.name = "mlpipe-run-1-make-1", .mounts = {{.source = work, .target = "/work"}}};
    write_outputs(config);
    state.started = true;
    if (!state.started_at) state.started_at = SystemClock().wall() - std::chrono::seconds(40);
    engine_.leave(config, state, "all it said\n", ends_with);
  }
  static ContainerState exited(int code) { return {.status = ContainerState::Status::exited, .exit_code = code}; }
};

TEST_F(TakeUpTest, AContainerThatRunsIsFollowedToItsEnd) {
  left({.status = ContainerState::Status::running});
  const AttemptReport report = run();
  ASSERT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_TRUE(engine_.created.empty());
  EXPECT_EQ(running_, 1);
  EXPECT_GE(already_, std::chrono::seconds(40));
  EXPECT_EQ(test::slurp(run_.run_folder / "make/table/data"), "a,b\n1,2\n");
  EXPECT_EQ(test::slurp(artifact::TaskTree(run_.run_folder, "make").log(1)), "all it said\n");
  EXPECT_EQ(report.container_id, "mlpipe-run-1-make-1");
}

TEST_F(TakeUpTest, AContainerThatEndedMeanwhileIsCollected) {
  left(exited(0));
  EXPECT_EQ(run().result.end, AttemptEnd::succeeded);
  left(exited(3));
  const AttemptReport failed = run();
  EXPECT_EQ(failed.result.end, AttemptEnd::user_exit);
  EXPECT_EQ(failed.result.exit_code, 3);
  EXPECT_TRUE(engine_.created.empty());
}

TEST_F(TakeUpTest, OutputsThatWerePublishedBeforeTheKillAreItsOutputs) {
  component_.interface.output_artifacts.push_back({.name = "plot", .type = "system.Artifact"});
  left(exited(0));
  const artifact::TaskTree tree(run_.run_folder, "make");
  fs::create_directories(tree.work(1) / "plot");
  std::ofstream(tree.work(1) / "plot" / "data") << "o\n";
  fs::rename(tree.work(1) / "table", tree.path() / "table");
  const AttemptReport report = run();
  ASSERT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_EQ(report.result.outputs.artifacts.at("table").digest,
            "sha256:492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470");
  EXPECT_EQ(test::slurp(tree.path() / "table/data"), "a,b\n1,2\n");
  EXPECT_EQ(test::slurp(tree.path() / "plot/data"), "o\n");
}

TEST_F(TakeUpTest, WhatNeverCameToRunIsStartedUnderTheSameNumber) {
  take_up_->running_since.reset();
  const AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::succeeded);
  ASSERT_EQ(engine_.created.size(), 1u);
  EXPECT_EQ(already_, std::chrono::milliseconds(0));
}

TEST_F(TakeUpTest, TheTimeAfterTheEndIsNoneThatItRan) {
  const WallTime begun = SystemClock().wall() - std::chrono::seconds(40);
  settings_.timeout = std::chrono::seconds(5);
  ContainerState in_time = exited(0);
  in_time.started_at = begun;
  in_time.finished_at = begun + std::chrono::seconds(2);
  left(in_time);
  const AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_EQ(report.result.ended_at, in_time.finished_at);
  EXPECT_EQ(already_, std::chrono::seconds(2));
}

TEST_F(TakeUpTest, WhatRanOverItsTimeUnwatchedHasTimedOut) {
  const WallTime begun = SystemClock().wall() - std::chrono::seconds(40);
  settings_.timeout = std::chrono::seconds(5);
  ContainerState late = exited(0);
  late.started_at = begun;
  late.finished_at = begun + std::chrono::seconds(6);
  left(late);
  EXPECT_EQ(run().result.end, AttemptEnd::timed_out);
}

TEST_F(TakeUpTest, AContainerThatWasOnlyCreatedIsMadeAnew) {
  engine_.leave({.name = "mlpipe-run-1-make-1"}, {.status = ContainerState::Status::created});
  EXPECT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_THAT(engine_.removed, ::testing::ElementsAre("mlpipe-run-1-make-1"));
  EXPECT_EQ(engine_.created.size(), 1u);
}

TEST_F(TakeUpTest, AContainerThatIsGoneIsLost) {
  const AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::lost);
  EXPECT_TRUE(engine_.created.empty());
}

TEST_F(TakeUpTest, WhatEndedItFromOutsideIsNotTheTasksFault) {
  left(exited(143));
  EXPECT_EQ(run().result.end, AttemptEnd::lost);
  left(exited(137));
  EXPECT_EQ(run().result.end, AttemptEnd::lost);
  ContainerState before_boot = exited(1);
  before_boot.started_at = WallTime(std::chrono::hours(1));
  left(before_boot);
  EXPECT_EQ(run().result.end, AttemptEnd::lost);
  take_up_->stopping = engine::StopReason::cancelled;
  left(exited(1));
  EXPECT_EQ(run().result.end, AttemptEnd::lost);
  take_up_->stopping = engine::StopReason::timed_out;
  left(exited(143));
  EXPECT_EQ(run().result.end, AttemptEnd::timed_out);
  ContainerState oom = exited(137);
  oom.oom_killed = true;
  take_up_->stopping.reset();
  left(oom);
  EXPECT_EQ(run().result.end, AttemptEnd::out_of_memory);
}

TEST_F(AttemptTest, GoodEndCommitsOutputsWithDigestsAndValues) {
  AttemptReport report = run();
  ASSERT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_EQ(running_, 1);
  EXPECT_EQ(report.result.outputs.parameters.at("rows"), Value(1));
  const engine::Artifact& table = report.result.outputs.artifacts.at("table");
  EXPECT_EQ(table.uri, (run_.run_folder / "make/table/data").string());
  EXPECT_EQ(table.bytes, 8U);
  EXPECT_EQ(table.digest, "sha256:492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470");
  EXPECT_EQ(test::slurp(run_.run_folder / "make/table/data"), "a,b\n1,2\n");
  EXPECT_EQ(report.container_id, "c1");
}

TEST_F(AttemptTest, WhatAnEarlierAttemptPublishedInVainIsGoneBeforeItBegins) {
  fs::create_directories(run_.run_folder / "make/table");
  std::ofstream(run_.run_folder / "make/table/data") << "of attempt 1";
  engine_.add_image(
      "image", {.body = [](const ContainerConfig& config) { fs::remove_all(config.mounts.front().source / "table"); }});
  EXPECT_EQ(run(2).result.end, AttemptEnd::output_missing);
  EXPECT_FALSE(fs::exists(run_.run_folder / "make/table"));
}

TEST_F(AttemptTest, AnEngineThatIsAwayWhenItsContainerIsToBeCreatedIsWaitedFor) {
  engine_.away_at_create = 2;
  EXPECT_EQ(run().result.end, AttemptEnd::succeeded);
}

TEST_F(AttemptTest, NothingIsInPlaceBeforeTheEnd) {
  bool seen_early = true;
  engine_.add_image("image", {.body = [&](const ContainerConfig& config) {
                      write_outputs(config);
                      seen_early = fs::exists(run_.run_folder / "make/table/data");
                    }});
  ASSERT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_FALSE(seen_early);
}

TEST_F(AttemptTest, MissingOutputsFailAndAreAllNamed) {
  engine_.add_image("image", {});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_THAT(report.result.message, HasSubstr("output \"rows\" was not written"));
  EXPECT_THAT(report.result.message, HasSubstr("output \"table\" was not written"));
  EXPECT_FALSE(fs::exists(run_.run_folder / "make/table"));
}

TEST_F(AttemptTest, AnOutputUnderAnotherNameIsPointedAt) {
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      fs::path table = config.mounts.front().source / "table";
                      fs::rename(table / "data", table / "table.csv");
                    }});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_THAT(report.result.message, HasSubstr("its folder holds table.csv"));
}

TEST_F(AttemptTest, AValueOfTheWrongTypeIsAMissingOutput) {
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      std::ofstream(config.mounts.front().source / ".mlpipe/parameters/rows") << "many";
                    }});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_THAT(report.result.message, HasSubstr("\"rows\" is no Integer"));
}

TEST_F(AttemptTest, AnOutputThatLinksOutOfTheTreeIsRefused) {
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      fs::path data = config.mounts.front().source / "table/data";
                      fs::remove(data);
                      fs::create_symlink("/etc/passwd", data);
                    }});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_FALSE(fs::exists(fs::symlink_status(run_.run_folder / "make/table/data")));
}

TEST_F(AttemptTest, MetricsBecomeMetadata) {
  component_.interface.output_artifacts[0].type = "system.Metrics";
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      std::ofstream(config.mounts.front().source / "table/data") << R"({"rmse": 12.5, "n": 3})";
                    }});
  AttemptReport report = run();
  ASSERT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_EQ(to_json(report.result.outputs.artifacts.at("table").metadata), R"({"n":3,"rmse":12.5})");
}

TEST_F(AttemptTest, MetricsThatAreNoNumbersFail) {
  component_.interface.output_artifacts[0].type = "system.Metrics";
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      std::ofstream(config.mounts.front().source / "table/data") << R"({"rmse": "low"})";
                    }});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_THAT(report.result.message, HasSubstr("\"rmse\" is \"low\""));
  EXPECT_THAT(report.result.hint, HasSubstr("one JSON object of numbers"));
}

TEST_F(AttemptTest, MetricsThatAreNoJsonFail) {
  component_.interface.output_artifacts[0].type = "system.Metrics";
  engine_.add_image("image", {.body = [](const ContainerConfig& config) {
                      write_outputs(config);
                      std::ofstream(config.mounts.front().source / "table/data") << "{\"rmse\": 1,\n \"r2\": NaN}";
                    }});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::output_missing);
  EXPECT_THAT(report.result.message, HasSubstr("output \"table\": its file is no valid JSON: data:2:8: "));
  EXPECT_THAT(report.result.hint, HasSubstr("one JSON object of numbers"));
}

TEST_F(AttemptTest, TheContainerIsToldNamesPathsAndValues) {
  component_.interface.input_parameters = {
      {.name = "rate", .type = spec::ParameterType::floating, .default_value = Value(0.5)}};
  component_.interface.input_artifacts = {{.name = "in put"}};
  fs::path given = folder_.write("given.csv", "x");
  inputs_.artifacts["in put"] = engine::Artifact{.name = "in put", .uri = given.string()};
  settings_.env = {{"LEVEL", spec::Template::literal("info")}};
  ASSERT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_EQ(env("MLPIPE_INPUT_RATE"), "0.5");
  EXPECT_EQ(env("MLPIPE_INPUT_IN_PUT"), given.string());
  EXPECT_EQ(env("MLPIPE_OUTPUT_TABLE"), (run_.run_folder / "make/table/data").string());
  EXPECT_EQ(env("MLPIPE_TASK"), "make");
  EXPECT_EQ(env("MLPIPE_ATTEMPT"), "1");
  EXPECT_EQ(env("LEVEL"), "info");
  const ContainerConfig& config = engine_.created.back();
  EXPECT_EQ(config.mounts.back().source, given);
  EXPECT_TRUE(config.mounts.back().read_only);
  EXPECT_FALSE(config.mounts.front().read_only);
  EXPECT_EQ(config.user, fmt::format("{}:{}", ::getuid(), ::getgid()));
  EXPECT_EQ(config.labels.at("mlpipe.task"), "make");
}

TEST_F(AttemptTest, ARootlessEngineRunsTheCallerAsItsRoot) {
  engine_.info_.rootless = true;
  ASSERT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_EQ(engine_.created.back().user, "0:0");
}

TEST_F(AttemptTest, AScriptIsMountedAndRunByItsFirstLine) {
  container_.has_command = false;
  container_.script = spec::Template::literal("#!/usr/bin/env python3\nprint(1)\n");
  ASSERT_EQ(run().result.end, AttemptEnd::succeeded);
  const std::vector<std::string> words{"/usr/bin/env", "python3", "/mlpipe/script"};
  EXPECT_EQ(engine_.created.back().entrypoint, words);
  EXPECT_EQ(test::slurp(run_.run_folder / "make/.mlpipe/attempts/1/script"), "#!/usr/bin/env python3\nprint(1)\n");
}

TEST_F(AttemptTest, AFailedCommandIsTheUsers) {
  engine_.add_image("image", {.exit_code = 3, .output = "no such column\n"});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::user_exit);
  EXPECT_EQ(report.result.exit_code, 3);
  EXPECT_EQ(test::slurp(run_.run_folder / "make/.mlpipe/attempts/1/log"), "no such column\n");
}

TEST_F(AttemptTest, ACommandThatCannotStartSaysWhyAndLeavesItsContainerToBeRemoved) {
  engine_.add_image("image", {.start_error = Error{ErrorCode::not_found, "exec: \"nosuch\": not found", ""}});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::not_startable);
  EXPECT_THAT(report.result.message, HasSubstr("nosuch"));
  EXPECT_EQ(report.container_id, "c1");
  EXPECT_EQ(running_, 0);
}

TEST_F(AttemptTest, TheInitProcessSaysThatTheCommandCannotStart) {
  struct Case {
    int exit_code;
    std::string output;
    int known_as;
    std::string message;
  };
  const Case cases[] = {
      {127, "[FATAL tini (7)] exec nosuch failed: No such file or directory\n", 127,
       "cannot be started: exec nosuch failed: No such file or directory"},
      {126, "[FATAL tini (7)] exec /etc/passwd failed: Permission denied\n", 126,
       "cannot be started: exec /etc/passwd failed: Permission denied"},
      {1, "ERROR (catatonit:2): failed to exec pid1: No such file or directory\n", 127,
       "cannot be started: No such file or directory"},
      {1, "ERROR (catatonit:2): failed to exec pid1: Permission denied\n", 126, "cannot be started: Permission denied"},
  };
  for (const Case& each : cases) {
    engine_.add_image("image", {.exit_code = each.exit_code, .output = each.output});
    const AttemptReport report = run();
    EXPECT_EQ(report.result.end, AttemptEnd::not_startable) << each.output;
    EXPECT_EQ(report.result.exit_code, each.known_as) << each.output;
    EXPECT_EQ(report.result.message, each.message);
  }
}

TEST_F(AttemptTest, WhatOnlyLooksLikeTheInitProcessIsTheUsers) {
  for (const auto& [exit_code, output] :
       {std::pair(1, "[FATAL tini (7)] exec x failed\n"), std::pair(1, "ERROR (catatonit:2)\n"),
        std::pair(127, "sh: 1: nosuch: not found\n")}) {
    engine_.add_image("image", {.exit_code = exit_code, .output = output});
    EXPECT_EQ(run().result.end, AttemptEnd::user_exit) << output;
  }
}

TEST_F(AttemptTest, AContainerRemovedByAStrangerIsLostNotDone) {
  engine_.add_image("image", {.removed_by_stranger = true});
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::lost);
  EXPECT_EQ(report.container_id, "");
}

TEST_F(AttemptTest, AnEngineThatGoesAwayIsWaitedFor) {
  engine_.add_image("image", {.body = write_outputs, .engine_away = 2});
  EXPECT_EQ(run().result.end, AttemptEnd::succeeded);
}

TEST_F(AttemptTest, StoppingBeforeTheCreateStartsNothing) {
  stop_.signal.request(sys::StopSignal::Level::graceful);
  EXPECT_EQ(run().result.end, AttemptEnd::cancelled);
  EXPECT_TRUE(engine_.created.empty());
}

TEST_F(AttemptTest, ALeftOverContainerOfTheSameNameIsReplaced) {
  engine_.conflict_once = true;
  EXPECT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_THAT(engine_.removed, Contains("mlpipe-run-1-make-1"));
}

TEST_F(AttemptTest, SecretsReachTheContainerAndNothingElse) {
  ::setenv("MLPIPE_TEST_SECRET", "hunter2-hunter2", 1);
  settings_.secrets = {{.name = "TOKEN", .from_env = "MLPIPE_TEST_SECRET"},
                       {.name = "key.txt", .from_env = "MLPIPE_TEST_SECRET", .as_file = true}};
  fs::path secret_file;
  engine_.add_image("image", {.output = "my token is hunter2-hunter2\n", .body = [&](const ContainerConfig& config) {
                                write_outputs(config);
                                for (const Mount& mount : config.mounts) {
                                  if (mount.target == "/mlpipe/secrets/key.txt") secret_file = mount.source;
                                }
                                EXPECT_EQ(test::slurp(secret_file), "hunter2-hunter2");
                              }});
  AttemptReport report = run();
  ASSERT_EQ(report.result.end, AttemptEnd::succeeded) << report.result.message;
  EXPECT_EQ(env("TOKEN"), "hunter2-hunter2");
  EXPECT_FALSE(fs::exists(secret_file));
  EXPECT_EQ(test::slurp(run_.run_folder / "make/.mlpipe/attempts/1/log"), "my token is ***\n");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(test::slurp(entry.path()).find("hunter2"), std::string::npos) << entry.path();
    }
  }
  ::unsetenv("MLPIPE_TEST_SECRET");
}

TEST_F(AttemptTest, AMissingSecretSaysWhichVariable) {
  settings_.secrets = {{.name = "TOKEN", .from_env = "MLPIPE_TEST_NOT_SET"}};
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::not_startable);
  EXPECT_THAT(report.result.message, HasSubstr("MLPIPE_TEST_NOT_SET"));
  EXPECT_TRUE(engine_.created.empty());
}

TEST_F(AttemptTest, AParameterTooLargeForAVariableIsLeftToBeReadAsAFile) {
  component_.interface.input_parameters = {{.name = "text"}};
  inputs_.parameters["text"] = Value(std::string(200'000, 'x'));
  ASSERT_EQ(run().result.end, AttemptEnd::succeeded);
  EXPECT_EQ(env("MLPIPE_INPUT_TEXT"), "<not set>");
}

TEST_F(AttemptTest, AnArgumentTooLongForLinuxIsToldBeforeAnythingIsCreated) {
  container_.args = {spec::Word{spec::Template::literal(std::string(131'072, 'x'))}};
  AttemptReport report = run();
  EXPECT_EQ(report.result.end, AttemptEnd::not_startable);
  EXPECT_THAT(report.result.message, HasSubstr("128 KiB"));
  EXPECT_TRUE(engine_.created.empty());
}

TEST_F(AttemptTest, AnImageThatSomebodyRemovedMeanwhileIsToldSo) {
  engine_.create_error = Error{ErrorCode::not_found, "creating container c: No such image: sha256:1", ""};
  EXPECT_THAT(run().result.hint, HasSubstr("removed its image"));
  engine_.create_error = Error{ErrorCode::not_found, "creating container c: No such container: 1", ""};
  EXPECT_EQ(run(2).result.hint, "");
}

TEST_F(AttemptTest, AFullDiskIsTheWorldsFault) {
  engine_.create_error = Error{ErrorCode::no_space, "create: no space left on device", ""};
  EXPECT_EQ(run().result.end, AttemptEnd::infrastructure);
}

}  // namespace
}  // namespace mlpipe::runner
