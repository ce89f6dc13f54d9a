#pragma once

#include <optional>
#include <string>
#include <type_traits>

#include "mlpipe/artifact/log_file.hpp"
#include "runner/attempt.hpp"
#include "runner/attempt_files.hpp"

namespace mlpipe::runner {

// Writes a container's output to its log. When the connection broke and the engine tells everything from the first byte
// again, what the log has already is passed over.
class FileLogSink final : public LogSink {
 public:
  explicit FileLogSink(artifact::LogWriter& log) : log_(log) {}
  void write(Stream stream, std::span<const std::byte> bytes) override;
  void begin_replay();
  // A line of ours among the output.
  void note(std::string_view line);

 private:
  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t to_skip = 0;
  };
  artifact::LogWriter& log_;
  Counts out_;
  Counts err_;
};

engine::AttemptResult infrastructure(const Error& error);
// The input does not fit the component or its files: trying again would not help.
engine::AttemptResult unusable(const Error& error);
std::optional<engine::StopReason> stop_reason(const AttemptStop& stop);

// One attempt in a container, from its empty folder to its committed outputs.
class ContainerAttempt final {
 public:
  ContainerAttempt(const AttemptJob& job, const AttemptTools& tools, AttemptStop& stop, const RunningSince& running)
      : job_(job), tools_(tools), stop_(stop), running_(running), interface_(job.component->interface) {}

  ~ContainerAttempt() { give_sandbox_back(SandboxPool::Condition::good); }

  AttemptReport run() try {
    AttemptReport report{.result = run_to_result(), .container_id = {}};
    report.result.message = artifact::mask_secrets(report.result.message, secrets_);
    report.container_id = std::move(container_);
    return report;
  } catch (...) {
    end_unfollowed();
    throw;
  }

 private:
  engine::AttemptResult run_to_result();
  // Memory ran out and nobody follows the container any more: it must not run beside the attempt that comes after this one.
  // When it cannot be ended either, mlpipe ends, and whoever resumes takes it up.
  void end_unfollowed() noexcept { (void)tools_.engine.remove(job_.container_name); }
  // The attempt that an earlier mlpipe began: its end, or nothing when it never came to run. (take_up.cpp)
  std::optional<engine::AttemptResult> take_up(const engine::TakeUp& known);
  engine::AttemptResult follow_to_end(const engine::TakeUp& known, const ContainerState& found);
  template <typename Call>
  std::invoke_result_t<Call> patiently(Call call);
  Result<ContainerState> find_container();
  Result<> create_container(ContainerConfig& config);
  Result<> start_and_follow(ContainerConfig& config, LogSink& log);
  Result<ContainerState> final_state(Result<> followed, FileLogSink& log);
  engine::AttemptResult lost_container();
  std::function<bool()> killed() const {
    return [this] { return stop_.signal.level() == sys::StopSignal::Level::kill; };
  }
  static void tell_unstartable(const AttemptFiles& files, engine::AttemptResult& result);
  engine::AttemptResult finish(const AttemptFiles& files, engine::AttemptResult result);
  // The output that gives away a secret; empty: none does.
  std::string output_with_secret(const engine::TaskData& outputs) const;
  void give_sandbox_back(SandboxPool::Condition condition);

  const AttemptJob& job_;
  const AttemptTools& tools_;
  AttemptStop& stop_;
  const RunningSince& running_;
  const spec::Interface& interface_;
  std::string container_;
  std::optional<std::string> sandbox_;
  Image image_;
  std::vector<std::string> secrets_;  // once they are read
};

}  // namespace mlpipe::runner
