#include "runner/classify.hpp"

#include <csignal>
#include <cstring>

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner {
namespace {

using engine::AttemptEnd;
using engine::AttemptResult;

// "SIGSEGV", "SIGKILL", ...; empty for a number that is no signal.
std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name == nullptr ? std::string() : std::string("SIG") + name;
}

AttemptResult stopped_by_us(engine::StopReason reason, int exit_code) {
  AttemptResult result{.end = reason == engine::StopReason::timed_out ? AttemptEnd::timed_out : AttemptEnd::cancelled,
                       .exit_code = exit_code};
  if (result.end == AttemptEnd::timed_out) {
    result.message = "stopped: it ran longer than its timeout";
    result.hint = "raise `timeout:` of the task if it needs more time";
  } else {
    result.message = "stopped: the run was cancelled";
  }
  return result;
}

AttemptResult out_of_memory(int exit_code, std::uint64_t memory_limit) {
  AttemptResult result{.end = AttemptEnd::out_of_memory, .exit_code = exit_code, .oom_killed = true};
  if (memory_limit > 0) {
    result.message = fmt::format("killed for want of memory: its limit is {}", bytes_text(memory_limit));
    result.hint = "raise `resources: {memory: ...}` of the task, or make it use less";
  } else {
    result.message = "killed for want of memory: the machine had no more to give";
    result.hint = "set `resources: {memory: ...}` so that fewer tasks run beside it, or make it use less";
  }
  return result;
}

}  // namespace

AttemptResult classify_exit(const ContainerState& state, std::optional<engine::StopReason> stopped,
                            std::uint64_t memory_limit) {
  const int code = state.exit_code;
  if (!state.started) {
    if (stopped) return stopped_by_us(*stopped, code);
    return {.end = state.error.empty() ? AttemptEnd::lost : AttemptEnd::not_startable,
            .exit_code = code,
            .message = state.error.empty() ? "the container never started" : "cannot be started: " + state.error};
  }
  if (state.oom_killed && code != 0 && !stopped) return out_of_memory(code, memory_limit);
  if (stopped) return stopped_by_us(*stopped, code);
  if (code == 0) return {.end = AttemptEnd::succeeded, .oom_killed = state.oom_killed};
  if (code == 128 + SIGKILL || code == 128 + SIGTERM) {
    // Neither we nor the OOM killer: the engine was shut down (first by SIGTERM, which the init process passes on), or
    // somebody stopped or removed the container.
    AttemptResult lost{.end = AttemptEnd::lost,
                       .exit_code = code,
                       .message = code == 128 + SIGKILL ? "killed (SIGKILL) by neither mlpipe nor the OOM killer"
                                                        : "ended by a SIGTERM that mlpipe did not send",
                       .hint = "the container engine was restarted, or the container was stopped from outside"};
    // Podman on cgroup v1 does not always see an OOM kill.
    if (code == 128 + SIGKILL && memory_limit > 0) {
      lost.hint += fmt::format(", or it went over its memory limit of {} unseen", bytes_text(memory_limit));
    }
    return lost;
  }
  if (code > 128 && code < 128 + NSIG && !signal_name(code - 128).empty()) {
    return {.end = AttemptEnd::signalled,
            .exit_code = code,
            .message = fmt::format("ended by {} (exit code {})", signal_name(code - 128), code)};
  }
  AttemptResult result{.end = AttemptEnd::user_exit, .exit_code = code, .message = fmt::format("exit code {}", code)};
  if (code == 127) result.hint = "127 usually means that a command was not found inside the container";
  if (code == 126) result.hint = "126 usually means that a file could not be executed inside the container";
  return result;
}

AttemptResult classify_error(const Error& error, std::optional<engine::StopReason> stopped) {
  if (error.code == ErrorCode::cancelled) return stopped_by_us(stopped.value_or(engine::StopReason::cancelled), 0);
  AttemptResult result{.message = error.message, .hint = error.hint};
  switch (error.code) {
    case ErrorCode::not_found:
      result.end = AttemptEnd::not_startable;
      result.exit_code = 127;
      break;
    case ErrorCode::invalid_input:
      result.end = AttemptEnd::not_startable;
      result.exit_code = 126;
      break;
    default: result.end = AttemptEnd::infrastructure;
  }
  return result;
}

}  // namespace mlpipe::runner
