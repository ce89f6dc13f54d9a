#include <sys/stat.h>

#include "mlpipe/sys/machine.hpp"
#include "runner/classify.hpp"
#include "runner/container_attempt.hpp"
#include "runner/container_config.hpp"

namespace mlpipe::runner {

using engine::AttemptEnd;
using engine::AttemptResult;

namespace {

// The engine keeps 100 MB of a container's output. A log that is longer than this is not thrown away for a replay.
constexpr std::uintmax_t k_surely_replayed = 48U << 20U;

constexpr int k_sigkill_exit = 137;
constexpr int k_sigterm_exit = 143;

// A long log stays where it is, under another name, and the rest goes to a new one.
bool put_long_log_aside(const std::filesystem::path& log) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(log, error);
  if (error || bytes <= k_surely_replayed) return false;
  std::filesystem::rename(log, log.string() + ".before", error);
  return !error;
}

// How it ended, when nobody of ours was there to see it.
AttemptResult classify_unwatched(const ContainerState& state, const engine::TakeUp& known,
                                 std::optional<engine::StopReason> stopped, std::uint64_t memory_limit) {
  if (stopped || state.exit_code == 0 || state.oom_killed) return classify_exit(state, stopped, memory_limit);
  if (known.stopping == engine::StopReason::timed_out) return classify_exit(state, known.stopping, memory_limit);
  AttemptResult lost{.end = AttemptEnd::lost, .exit_code = state.exit_code};
  if (known.stopping) {
    lost.message = "it was being stopped when the mlpipe that ran it ended";
    return lost;
  }
  if (state.started_at && *state.started_at < sys::boot_time()) {
    lost.message = "the machine was started anew while it ran";
    return lost;
  }
  if (state.exit_code == k_sigkill_exit || state.exit_code == k_sigterm_exit) {
    lost.message = fmt::format("it was ended from outside (exit code {}) while no mlpipe was there", state.exit_code);
    return lost;
  }
  return classify_exit(state, stopped, memory_limit);
}

}  // namespace

std::optional<AttemptResult> ContainerAttempt::take_up(const engine::TakeUp& known) {
  container_ = job_.container_name;
  Result<ContainerState> found = find_container();
  if (!found && found.error().code == ErrorCode::not_found) {
    container_.clear();
    if (!known.running_since) return std::nullopt;  // the intent was recorded, and no more came of it
    return AttemptResult{.end = AttemptEnd::lost,
                         .message = "its container was gone when the run was taken up again",
                         .hint = "nothing but mlpipe may remove containers labelled mlpipe.run"};
  }
  if (!found) {
    container_.clear();
    return classify_error(found.error(), stop_reason(stop_));
  }
  if (!found->started) {
    if (Result<> removed = tools_.engine.remove(container_); !removed) return infrastructure(removed.error());
    container_.clear();
    return std::nullopt;
  }
  return follow_to_end(known, *found);
}

AttemptResult ContainerAttempt::follow_to_end(const engine::TakeUp& known, const ContainerState& found) {
  const AttemptFiles files = locate_files(tools_.run, job_.task_path, job_.request.id.number, tools_.engine.info());
  Result<SecretFiles> secrets = read_secrets(job_.settings->secrets, job_.settings->user);
  if (!secrets) return unusable(secrets.error());  // its log could not be masked
  secrets_ = secrets->values();

  const bool continues = put_long_log_aside(files.tree.log(files.number));
  SystemClock clock;
  Result<std::unique_ptr<artifact::LogWriter>> log =
      artifact::create_log(files.tree.log(files.number), {.secrets = secrets_}, clock);
  if (!log) return infrastructure(log.error());
  FileLogSink sink(**log);
  if (continues) sink.note("what it wrote before is in log.before; from here on something may be missing or twice");

  const WallTime since = found.started_at.value_or(known.running_since.value_or(clock.wall()));
  const std::optional<WallTime> ended =
      found.status == ContainerState::Status::running ? std::nullopt : found.finished_at;
  const auto already = std::max(std::chrono::milliseconds(0), ended.value_or(clock.wall()) - since);
  running_(already);
  Result<ContainerState> state = final_state(tools_.engine.follow(container_, sink, stop_.signal), sink);
  (*log)->close();
  if (!state) {
    if (state.error().code == ErrorCode::not_found && !stop_.signal.requested()) return lost_container();
    return classify_error(state.error(), stop_reason(stop_));
  }
  const std::uint64_t memory = job_.request.memory != 0 ? job_.request.memory : job_.settings->resources.memory;
  std::optional<engine::StopReason> stopped = stop_reason(stop_);
  // Nobody was there to stop it in time, and the engine's word on the time may come before this or after.
  const auto& timeout = job_.settings->timeout;
  if (ended && timeout && already > *timeout) stopped = engine::StopReason::timed_out;
  AttemptResult result = finish(files, classify_unwatched(*state, known, stopped, memory));
  result.ended_at = ended;
  return result;
}

}  // namespace mlpipe::runner
