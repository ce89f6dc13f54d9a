#include "app/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <set>
#include <thread>

#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/record.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using mlpipe::test::TempDir;
using runner::Image;
using runner::ProgressSink;
using sys::StopSignal;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t k_gib = std::uint64_t{1} << 30;

// What the pretended engine does with the one container it is asked for.
struct Behaviour {
  runner::EngineInfo info{.name = "Docker 20.10.24",
                          .address = "unix:///run/docker.sock",
                          .api_version = "1.41",
                          .cpus = 2,
                          .memory = 4 * k_gib};
  std::set<std::string> images{"busybox:stable"};
  std::optional<Error> pull_error;
  std::string report = "uid 0\ntime 1770091506\nmemory 67108864\nnetwork yes\n";
  std::string says = "hello from mlpipe doctor\n";
  int exit_code = 0;
  std::string start_error;
  bool shares_files = true;
  bool hangs = false;
  std::optional<Error> create_error;
  // What it was asked for.
  std::vector<runner::ContainerConfig> created;
  std::vector<std::string> pulled;
  int removed = 0;
};

class FakeEngine final : public runner::ContainerEngine {
 public:
  explicit FakeEngine(Behaviour& behaviour) : behaviour_(behaviour) {}

  const runner::EngineInfo& info() const override { return behaviour_.info; }
  Result<Image> inspect_image(const std::string& reference) override {
    if (behaviour_.images.count(reference) == 0) return fail(ErrorCode::not_found, "no such image: {}", reference);
    return Image{.id = "sha256:" + reference};
  }
  Result<Image> pull_image(const std::string& reference, const ProgressSink& progress, const StopSignal&) override {
    behaviour_.pulled.push_back(reference);
    progress("pulling " + reference);
    if (behaviour_.pull_error) return Failure(*behaviour_.pull_error);
    return Image{.id = "sha256:" + reference};
  }
  Result<Image> build_image(const runner::BuildRequest&, const ProgressSink&, const StopSignal&) override {
    return fail(ErrorCode::internal, "not asked for here");
  }
  Result<std::vector<runner::ImageSummary>> list_images(const std::string&) override {
    return std::vector<runner::ImageSummary>();
  }
  Result<> name_image(const std::string&, const std::string&) override { return {}; }
  Result<> remove_image(const std::string&) override { return {}; }
  Result<std::string> create(const runner::ContainerConfig& config) override {
    if (behaviour_.create_error) return Failure(*behaviour_.create_error);
    behaviour_.created.push_back(config);
    return std::string("c1");
  }
  Result<> run(const std::string&, runner::LogSink& log, const std::function<void()>& started,
               StopSignal& stop) override {
    started();
    while (behaviour_.hangs && !stop.requested()) std::this_thread::yield();
    if (behaviour_.shares_files && !behaviour_.report.empty()) {
      std::ofstream(behaviour_.created.back().mounts.front().source / "report") << behaviour_.report;
    }
    log.write(runner::Stream::out, std::as_bytes(std::span(behaviour_.says)));
    return {};
  }
  Result<> follow(const std::string&, runner::LogSink&, StopSignal&) override { return {}; }
  Result<runner::ContainerState> inspect(const std::string&) override {
    return runner::ContainerState{.status = runner::ContainerState::Status::exited,
                                  .started = behaviour_.start_error.empty(),
                                  .exit_code = behaviour_.hangs ? 137 : behaviour_.exit_code,
                                  .error = behaviour_.start_error};
  }
  Result<> stop(const std::string&, std::chrono::seconds) override { return {}; }
  Result<> kill(const std::string&) override { return {}; }
  Result<> remove(const std::string&) override {
    ++behaviour_.removed;
    return {};
  }
  Result<> start(const std::string&) override { return {}; }
  Result<std::vector<runner::ContainerSummary>> list(const std::map<std::string, std::string>&) override {
    return std::vector<runner::ContainerSummary>{};
  }

 private:
  Behaviour& behaviour_;
};

// Goes on by `step` whenever it is looked at.
class SteppingClock final : public Clock {
 public:
  MonotonicTime now() const override { return MonotonicTime{} + (looks_ += step); }
  WallTime wall() const override { return WallTime{std::chrono::seconds(1770091506)} + (looks_ += step); }
  std::chrono::milliseconds step{0};

 private:
  mutable std::chrono::milliseconds looks_{0};
};

class Doctor : public ::testing::Test {
 protected:
  DoctorWorld world() {
    return {.connect = [this]() -> Result<std::unique_ptr<runner::ContainerEngine>> {
              if (connect_error_) return Failure(*connect_error_);
              return std::make_unique<FakeEngine>(behaviour_);
            },
            .gpus = [this] { return gpus_; },
            .free_space = [this](const std::filesystem::path&) { return free_; },
            .root = folder_.path() / "pipeline-root",
            .image = image_,
            .uid = ::getuid(),
            .gid = ::getgid(),
            .patience = patience_,
            .clock = clock_};
  }
  std::vector<Check> examined() {
    return examine(world(), [](std::string_view) {});
  }
  // "ok engine, ok root, ..."
  static std::string summary(const std::vector<Check>& checks) {
    std::vector<std::string> words;
    for (const Check& check : checks) words.push_back(std::string(to_string(check.health)) + " " + check.name);
    return join(words, ", ");
  }
  static const Check& the(const std::vector<Check>& checks, std::string_view name) {
    for (const Check& check : checks) {
      if (check.name == name) return check;
    }
    ADD_FAILURE() << "no check " << name << " in " << summary(checks);
    static const Check k_none;
    return k_none;
  }

  TempDir folder_;
  SteppingClock clock_;
  Behaviour behaviour_;
  std::optional<Error> connect_error_;
  Result<std::vector<sys::Gpu>> gpus_ = std::vector<sys::Gpu>{};
  Result<std::uint64_t> free_ = 100 * k_gib;
  std::string image_;
  std::chrono::milliseconds patience_{60'000};
};

TEST_F(Doctor, FindsAHealthyMachineHealthy) {
  const std::vector<Check> checks = examined();
  EXPECT_EQ(summary(checks),
            "ok engine, ok root, ok image, ok container, ok mount, ok memory, ok network, ok clock, ok record, ok "
            "disk, ok gpu");
  EXPECT_TRUE(healthy(checks));
  EXPECT_EQ(the(checks, "engine").message, "Docker 20.10.24 at unix:///run/docker.sock, API 1.41, 2 CPUs, 4.0 GiB");
  EXPECT_THAT(behaviour_.pulled, IsEmpty());
}

TEST_F(Doctor, RunsTheContainerAsTheCallerAndLeavesNothingBehind) {
  examined();
  ASSERT_EQ(behaviour_.created.size(), 1U);
  const runner::ContainerConfig& config = behaviour_.created.front();
  EXPECT_EQ(config.user, fmt::format("{}:{}", ::getuid(), ::getgid()));
  EXPECT_EQ(config.memory, 64U << 20);
  EXPECT_EQ(config.network, "bridge");
  ASSERT_EQ(config.mounts.size(), 1U);
  EXPECT_FALSE(config.mounts[0].read_only);
  EXPECT_EQ(behaviour_.removed, 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(Doctor, IsRootInsideARootlessEngine) {
  behaviour_.info.rootless = true;
  examined();
  EXPECT_EQ(behaviour_.created.at(0).user, "0:0");
}

TEST_F(Doctor, ChecksTheRestWithoutAnEngine) {
  connect_error_ = Error{ErrorCode::permission, "docker: cannot reach /var/run/docker.sock: Permission denied",
                         "add your user to group \"docker\" or set DOCKER_HOST"};
  const std::vector<Check> checks = examined();
  EXPECT_EQ(summary(checks), "fail engine, ok root, ok record, ok disk, ok gpu");
  EXPECT_FALSE(healthy(checks));
  EXPECT_EQ(the(checks, "engine").hint, "add your user to group \"docker\" or set DOCKER_HOST");
}

TEST_F(Doctor, PullsASmallImageWhenThereIsNone) {
  behaviour_.images.clear();
  const std::vector<Check> checks = examined();
  EXPECT_EQ(behaviour_.pulled, std::vector<std::string>{"busybox:stable"});
  EXPECT_EQ(the(checks, "image").health, Health::ok);
  EXPECT_EQ(behaviour_.created.at(0).image, "sha256:busybox:stable");
}

TEST_F(Doctor, GoesOnWithALocalImageWhenNothingCanBePulled) {
  behaviour_.images = {"python:3.11-slim"};
  behaviour_.pull_error = Error{ErrorCode::unavailable, "registry-1.docker.io: no such host", ""};
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "image").health, Health::warn);
  EXPECT_EQ(the(checks, "image").message,
            "busybox:stable cannot be pulled: registry-1.docker.io: no such host; went on with python:3.11-slim, which "
            "is there");
  EXPECT_EQ(the(checks, "container").health, Health::ok);
  EXPECT_TRUE(healthy(checks));
}

TEST_F(Doctor, TriesOnlyTheImageThatWasAskedFor) {
  image_ = "registry.example.org/mine:1";
  behaviour_.pull_error =
      Error{ErrorCode::permission, "denied", "mlpipe needs a login: docker login registry.example.org"};
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "image").health, Health::fail);
  EXPECT_THAT(the(checks, "image").hint, HasSubstr("docker login registry.example.org"));
  EXPECT_THAT(behaviour_.created, IsEmpty());
}

TEST_F(Doctor, TellsWhatTheContainerSaidWhenItFails) {
  behaviour_.exit_code = 2;
  behaviour_.says = "sh: can't cd to /mlpipe-doctor: Permission denied\n";
  behaviour_.report.clear();
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "container").health, Health::fail);
  EXPECT_THAT(the(checks, "container").message, HasSubstr("exit code 2; it said: sh: can't cd"));
  EXPECT_THAT(the(checks, "container").hint, HasSubstr("SELinux"));
}

TEST_F(Doctor, LooksAtTheDiskOnWhichTheEngineKeepsItsImages) {
  behaviour_.info.storage = folder_.path().string();
  const std::vector<Check> checks = examined();
  EXPECT_TRUE(std::ranges::any_of(checks, [this](const Check& check) {
    return check.name == "disk" && check.message.ends_with("free for images (" + folder_.path().string() + ")");
  })) << summary(checks);
}

TEST_F(Doctor, TellsThatAnImageHasNoShell) {
  behaviour_.start_error = "exec: \"/bin/sh\": no such file or directory";
  const std::vector<Check> checks = examined();
  EXPECT_THAT(the(checks, "container").message, HasSubstr("cannot be started: exec: \"/bin/sh\""));
}

TEST_F(Doctor, KillsAContainerThatDoesNotEnd) {
  behaviour_.hangs = true;
  patience_ = std::chrono::milliseconds{1};
  const std::vector<Check> checks = examined();
  EXPECT_THAT(the(checks, "container").message, HasSubstr("did not end in time"));
  EXPECT_EQ(behaviour_.removed, 1);
}

TEST_F(Doctor, NoticesAnEngineThatSeesOtherFiles) {
  behaviour_.shares_files = false;
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "mount").health, Health::fail);
  EXPECT_THAT(the(checks, "mount").hint, HasSubstr("another machine"));
}

TEST_F(Doctor, NoticesFilesOfAnotherOwner) {
  DoctorWorld remapped = world();
  remapped.uid = ::getuid() + 1;  // the file the pretended container writes is then somebody else's
  const std::vector<Check> checks = examine(remapped, [](std::string_view) {});
  EXPECT_EQ(the(checks, "mount").health, Health::fail);
  EXPECT_THAT(the(checks, "mount").hint, HasSubstr("userns-remap"));
}

TEST_F(Doctor, WarnsOfWhatIsNotEnforcedAndOfAClockThatIsOff) {
  behaviour_.report = "uid 0\ntime 1770091000\nmemory max\nnetwork no\n";
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "memory").health, Health::warn);
  EXPECT_THAT(the(checks, "memory").message, HasSubstr("sees no limit"));
  EXPECT_EQ(the(checks, "network").health, Health::warn);
  EXPECT_EQ(the(checks, "clock").message, "a container's clock is 506 s behind ours");
  EXPECT_TRUE(healthy(checks));
}

TEST_F(Doctor, TakesASlowMachineForSlowAndNotForOneWithAnotherTime) {
  clock_.step = std::chrono::seconds(9);
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "container").health, Health::warn);
  EXPECT_THAT(the(checks, "container").message, HasSubstr("took 27.0 s"));
  EXPECT_EQ(the(checks, "clock").health, Health::warn);
  behaviour_.report = "uid 0\ntime 1770091530\nmemory 67108864\nnetwork yes\n";
  SteppingClock fresh;
  fresh.step = clock_.step;
  clock_ = fresh;
  EXPECT_EQ(the(examined(), "clock").health, Health::ok);
}

TEST_F(Doctor, AsksAnEngineOfPlainProcessesForNoImageAndNoLimits) {
  behaviour_.info = {.name = "process", .mounts = false};
  const std::vector<Check> checks = examined();
  EXPECT_EQ(summary(checks), "warn engine, ok root, ok container, ok mount, ok record, ok disk, ok gpu");
  EXPECT_EQ(behaviour_.created.at(0).memory, 0U);
  EXPECT_EQ(behaviour_.created.at(0).mounts.at(0).source, behaviour_.created.at(0).mounts.at(0).target);
}

TEST_F(Doctor, JudgesTheFreeSpace) {
  free_ = 3 * k_gib;
  EXPECT_EQ(the(examined(), "disk").health, Health::warn);
  free_ = std::uint64_t{50} << 20;
  EXPECT_EQ(the(examined(), "disk").health, Health::fail);
}

TEST_F(Doctor, WarnsOfGpusTheEngineCannotGive) {
  gpus_ = std::vector<sys::Gpu>{{.uuid = "GPU-1", .name = "A100"}, {.uuid = "GPU-2", .name = "A100"}};
  EXPECT_EQ(the(examined(), "gpu").health, Health::warn);
  behaviour_.info.gpu_runtime = true;
  EXPECT_EQ(the(examined(), "gpu").message, "2 x A100");
}

TEST_F(Doctor, NoticesARecordThatDoesNotOpen) {
  folder_.write("pipeline-root/.mlpipe/metadata.db", "this is no database, however long it is........................");
  const std::vector<Check> checks = examined();
  EXPECT_EQ(the(checks, "record").health, Health::fail);
  EXPECT_THAT(the(checks, "record").message, HasSubstr("metadata.db"));
}

TEST_F(Doctor, NoticesADamagedRecordAndRunsThatAreNotInIt) {
  const std::filesystem::path database = folder_.path() / "pipeline-root/.mlpipe/metadata.db";
  folder_.write("pipeline-root/runs/lost/run.json", "{}");
  Check check = the(examined(), "record");
  EXPECT_EQ(check.health, Health::fail);
  EXPECT_THAT(check.message, HasSubstr("gone, but 1 run"));

  ASSERT_TRUE(metadata::open_record(database));
  check = the(examined(), "record");
  EXPECT_EQ(check.health, Health::warn);
  EXPECT_THAT(check.message, HasSubstr("1 run(s)"));
  EXPECT_THAT(check.hint, HasSubstr("doctor --rebuild"));

  std::filesystem::remove_all(folder_.path() / "pipeline-root/runs/lost");
  EXPECT_EQ(the(examined(), "record").health, Health::ok);
  std::filesystem::resize_file(database, 20'000);
  check = the(examined(), "record");
  EXPECT_EQ(check.health, Health::fail);
  EXPECT_THAT(check.hint, HasSubstr("doctor --rebuild"));
}

TEST_F(Doctor, NoticesARootThatCannotBeWritten) {
  DoctorWorld nowhere = world();
  nowhere.root = "/proc/pipeline-root";
  const std::vector<Check> checks = examine(nowhere, [](std::string_view) {});
  EXPECT_EQ(the(checks, "root").health, Health::fail);
  EXPECT_THAT(the(checks, "root").message, HasSubstr("/proc"));
}

TEST_F(Doctor, SaysHowToMendBelowEachLine) {
  EXPECT_EQ(checks_text({{"engine", Health::ok, "Docker", ""}, {"gpu", Health::warn, "odd\x1b[2J", "mend it"}}),
            "ok    engine  Docker\n"
            "warn  gpu     odd\n"
            "              -> mend it\n"
            "\n"
            "ready, with 1 warning(s)\n");
  EXPECT_EQ(checks_text({{"engine", Health::fail, "gone", "start it"}}),
            "fail  engine  gone\n"
            "              -> start it\n"
            "\n"
            "1 of 1 checks failed\n");
  EXPECT_EQ(to_json(checks_value({{"engine", Health::fail, "gone", "start it"}})),
            R"({"checks":[{"health":"fail","hint":"start it","message":"gone","name":"engine"}],"healthy":false})");
}

}  // namespace
}  // namespace mlpipe::app
