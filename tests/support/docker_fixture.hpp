#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mlpipe/runner/docker.hpp"
#include "mlpipe/sys/stop_signal.hpp"
#include "support/collecting_log.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::test {

// What one attempt came to.
struct Outcome {
  Result<> run;
  runner::ContainerState state;
  std::string out, err;
};

// Tests on the engine that runs here, with an image made of the static busybox, and containers that go with the test.
class DockerFixture : public ::testing::Test {
 protected:
  static constexpr const char* k_image = "mlpipe-test/busybox";
  static constexpr const char* k_label = "mlpipe.test";

  void SetUp() override {
    Result<std::unique_ptr<runner::ContainerEngine>> found = runner::connect_docker(runner::docker_search_of_process());
    ASSERT_TRUE(found) << found.error().message << " (" << found.error().hint << ")";
    engine_ = std::move(*found);
    ASSERT_NO_FATAL_FAILURE(make_image());
  }

  void TearDown() override {
    for (const std::string& id : created_) {
      const Result<> removed = engine_->remove(id);
      EXPECT_TRUE(removed) << removed.error().message;
    }
  }

  // Built once: the engine's build cache gives it back afterwards.
  void make_image() {
    ASSERT_TRUE(std::filesystem::exists("/bin/busybox")) << "install busybox-static";
    TempDir context;
    const std::filesystem::path bin = context.path() / "root" / "bin";
    std::filesystem::create_directories(bin);
    std::filesystem::copy_file("/bin/busybox", bin / "busybox");
    for (const char* name :
         {"sh",     "echo", "cat", "sleep", "true", "false", "kill", "dd", "head", "tail", "yes", "seq", "ls",
          "printf", "test", "id",  "mount", "df",   "stat",  "wget", "nc", "ps",   "grep", "tr",  "rm",  "env"}) {
      std::filesystem::create_symlink("busybox", bin / name);
    }
    context.write("root/notexec", "#!/bin/sh\n");
    context.write("Dockerfile", "FROM scratch\nCOPY root/ /\nCMD [\"echo\", \"image command\"]\n");
    const Result<runner::Image> image = engine_->build_image({.context = context.path(), .tag = k_image}, {}, stop_);
    ASSERT_TRUE(image) << image.error().message;
    image_ = image->id;
  }

  runner::ContainerConfig config(std::vector<std::string> command) {
    static std::atomic<int> count = 0;
    runner::ContainerConfig made;
    made.name = fmt::format("mlpipe-test-{}-{}", ::getpid(), ++count);
    made.labels[k_label] = fmt::format("{}", ::getpid());
    made.image = image_;
    made.command = std::move(command);
    made.network = "none";
    return made;
  }

  runner::ContainerConfig shell(const std::string& script) { return config({"/bin/sh", "-c", script}); }

  std::string create(const runner::ContainerConfig& wanted) {
    const Result<std::string> id = engine_->create(wanted);
    EXPECT_TRUE(id) << id.error().message;
    if (!id) return {};
    created_.push_back(*id);
    return *id;
  }

  // One attempt from create to inspect.
  Outcome run(const runner::ContainerConfig& wanted) {
    const std::string id = create(wanted);
    CollectingLog log;
    Outcome outcome;
    outcome.run = engine_->run(id, log, {}, stop_);
    const Result<runner::ContainerState> state = engine_->inspect(id);
    EXPECT_TRUE(state) << state.error().message;
    if (state) outcome.state = *state;
    outcome.out = log.out();
    outcome.err = log.err();
    return outcome;
  }

  std::unique_ptr<runner::ContainerEngine> engine_;
  std::string image_;
  sys::StopSignal stop_;
  std::vector<std::string> created_;
};

}  // namespace mlpipe::test
