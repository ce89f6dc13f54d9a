#include "mlpipe/runner/local_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/engine/run.hpp"
#include "support/fake_container_engine.hpp"
#include "support/fake_record.hpp"
#include "support/fake_reporter.hpp"
#include "support/spec_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::runner {
namespace {

using engine::RunState;
using engine::TaskState;
using ::testing::Contains;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// Whole runs: the real engine and the real runner with its threads, on containers in memory.
class LocalRunnerTest : public ::testing::Test {
 protected:
  LocalRunnerTest() {
    context_.run_id = "run-1";
    context_.root = folder_.path();
    context_.run_folder = folder_.path() / "runs" / "run-1";
    context_.uid = ::getuid();
    context_.gid = ::getgid();
    context_.concurrent_tasks = 4;
    std::filesystem::create_directories(context_.run_folder);
    store_ = artifact::make_local_store(context_.run_folder);
  }

  spec::ComponentId component(const std::string& image, test::FakeContainerEngine::Behaviour behaviour) {
    engine_.add_image(image, std::move(behaviour));
    context_.images[image] = engine_.images[image];
    spec::ComponentSpec made;
    made.name = image;
    made.implementation = spec::ContainerSpec{.image = spec::Template::literal(image)};
    return pipeline_.component(std::move(made));
  }

  RunState run(engine::RunOptions options = {}) {
    spec_ = pipeline_.build();
    plan_ = plan::make_plan(spec_, {}).value();
    options.run_id = "run-1";
    options.limits.max_parallel = 4;
    options.limits.gpu = static_cast<int>(gpus_.size());
    run_ = std::make_unique<engine::Run>(plan_, options);
    auto runner = make_local_runner(plan_, context_, engine_, *store_, gpus_);
    runner_ = runner.get();
    Result<RunState> state = engine::run_to_end(*run_, *runner, record_, reporter_, clock_);
    runner_ = nullptr;
    runner->clean_up();
    EXPECT_EQ(engine_.alive(), 0U);
    return state.value();
  }

  test::TempDir folder_;
  test::FakeContainerEngine engine_;
  test::PipelineBuilder pipeline_;
  spec::PipelineSpec spec_;
  plan::Plan plan_;
  RunContext context_;
  std::unique_ptr<artifact::ArtifactStore> store_;
  std::unique_ptr<engine::Run> run_;
  test::FakeRecord record_;
  test::FakeReporter reporter_;
  SystemClock clock_;
  std::vector<std::string> gpus_;
  std::atomic<LocalRunner*> runner_{nullptr};
};

TEST_F(LocalRunnerTest, AChainAndItsContainersAreGoneAtTheEnd) {
  spec::ComponentId ok = component("ok", {});
  for (int i = 0; i < 20; ++i) {
    auto task = pipeline_.task("t" + std::to_string(i)).component(ok);
    if (i > 0) task.after("t" + std::to_string(i - 1));
  }
  EXPECT_EQ(run(), RunState::succeeded);
  EXPECT_EQ(engine_.alive(), 0U);
}

TEST_F(LocalRunnerTest, SandboxesAreRemovedAfterTheContainersThatJoinedThem) {
  // A sandbox is made beside the first tasks: the last one waits until there is one to join.
  std::atomic<bool> made{false};
  engine_.unattended_start = [&made] { made = true; };
  spec::ComponentId ok = component("ok", {});
  spec::ComponentId waits = component("waits", {.body = [&made](const ContainerConfig&) {
                                        while (!made) std::this_thread::yield();
                                      }});
  pipeline_.task("first").component(waits);
  for (int i = 0; i < 20; ++i) {
    pipeline_.task("t" + std::to_string(i)).component(ok).after(i == 0 ? "first" : "t" + std::to_string(i - 1));
  }
  EXPECT_EQ(run(), RunState::succeeded);
  EXPECT_THAT(engine_.created, Contains(Field(&ContainerConfig::network, StartsWith("container:"))));
}

TEST_F(LocalRunnerTest, AFanOutRunsSideBySide) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  spec::ComponentId meet = component("meet", {.body = [&](const ContainerConfig&) {
                                       int now = ++inside;
                                       int seen = most;
                                       while (now > seen && !most.compare_exchange_weak(seen, now)) {
                                       }
                                       while (most < 2) std::this_thread::yield();
                                       --inside;
                                     }});
  for (int i = 0; i < 40; ++i) pipeline_.task("t" + std::to_string(i)).component(meet);
  context_.concurrent_starts = 4;
  EXPECT_EQ(run(), RunState::succeeded);
  EXPECT_GE(most, 2);
  EXPECT_LE(most, 4);
  EXPECT_EQ(engine_.alive(), 0U);
}

TEST_F(LocalRunnerTest, NoSandboxIsMadeBeforeATaskThatUsesOneStarts) {
  spec::ComponentId ok = component("ok", {});
  pipeline_.task("first").component(component("failing", {.exit_code = 1})).network(spec::NetworkMode::none);
  for (const char* name : {"a", "b", "c"}) pipeline_.task(name).component(ok).after("first");
  EXPECT_EQ(run(), RunState::failed);
  EXPECT_THAT(engine_.created, SizeIs(1));  // the container of the first task
}

TEST_F(LocalRunnerTest, NoContainerIsRemovedBeforeItsResultIsRecorded) {
  class WatchingRecord final : public engine::Record {
   public:
    explicit WatchingRecord(test::FakeContainerEngine& watched) : engine_(watched) {}
    Result<> commit(std::span<const engine::Transition> transitions) override {
      for (const engine::Transition& each : transitions) {
        if (each.result == nullptr) continue;
        std::lock_guard lock(engine_.mutex);
        if (std::find(engine_.removed.begin(), engine_.removed.end(), "c1") != engine_.removed.end()) early = true;
      }
      return {};
    }
    Result<> discard(engine::TaskId) override { return {}; }
    Result<> finish(RunState, WallTime) override { return {}; }
    bool early = false;

   private:
    test::FakeContainerEngine& engine_;
  };
  pipeline_.task("only").component(component("ok", {}));
  spec_ = pipeline_.build();
  plan_ = plan::make_plan(spec_, {}).value();
  engine::Run run(plan_, {.run_id = "run-1"});
  WatchingRecord record(engine_);
  {
    auto runner = make_local_runner(plan_, context_, engine_, *store_, {});
    ASSERT_EQ(engine::run_to_end(run, *runner, record, reporter_, clock_).value(), RunState::succeeded);
  }
  EXPECT_FALSE(record.early);
  EXPECT_THAT(engine_.removed, SizeIs(1));
}

TEST_F(LocalRunnerTest, AnInterruptStopsWhatRunsAndCancelsTheRest) {
  spec::ComponentId endless = component(
      "endless", {.body = [this](const ContainerConfig&) { runner_.load()->post(engine::Interrupted{SIGINT}); },
                  .until_stopped = true});
  pipeline_.task("first").component(endless);
  pipeline_.task("second").component(endless).after("first");
  EXPECT_EQ(run(), RunState::cancelled);
  EXPECT_EQ(run_->interrupt_signal(), SIGINT);
  EXPECT_EQ(run_->state(plan::TaskId{0}), TaskState::cancelled);
  EXPECT_EQ(run_->state(plan::TaskId{1}), TaskState::cancelled);
  EXPECT_EQ(engine_.alive(), 0U);
}

TEST_F(LocalRunnerTest, ATimeoutStopsTheTaskAndFailsIt) {
  pipeline_.task("slow").component(component("endless", {.until_stopped = true})).timeout(std::chrono::milliseconds(5));
  EXPECT_EQ(run(), RunState::failed);
  EXPECT_EQ(record_.ends.begin()->second, engine::AttemptEnd::timed_out);
}

TEST_F(LocalRunnerTest, AGpuIsNeverWithTwoTasksAtOnce) {
  gpus_ = {"GPU-a", "GPU-b"};
  std::mutex mutex;
  std::set<std::string> in_use;
  bool shared = false;
  spec::ComponentId gpu = component("gpu", {.body = [&](const ContainerConfig& config) {
                                      {
                                        std::lock_guard lock(mutex);
                                        for (const std::string& id : config.gpus) shared |= !in_use.insert(id).second;
                                        if (config.gpus.size() != 1) shared = true;
                                      }
                                      std::this_thread::yield();
                                      std::lock_guard lock(mutex);
                                      for (const std::string& id : config.gpus) in_use.erase(id);
                                    }});
  for (int i = 0; i < 50; ++i) pipeline_.task("t" + std::to_string(i)).component(gpu).gpu(1);
  EXPECT_EQ(run(), RunState::succeeded);
  EXPECT_FALSE(shared);
}

TEST_F(LocalRunnerTest, ARetryGetsAFreshFolderAndItsOwnLog) {
  pipeline_.task("flaky").component(component("fails", {.exit_code = 1, .output = "no\n"})).retry({.limit = 2});
  EXPECT_EQ(run(), RunState::failed);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    artifact::TaskTree tree(context_.run_folder, "flaky");
    EXPECT_EQ(test::slurp(tree.log(attempt)), "no\n") << attempt;
  }
}

}  // namespace
}  // namespace mlpipe::runner
