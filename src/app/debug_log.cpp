#include "app/debug_log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <unistd.h>

#include <chrono>

#include "app/version.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/plan.hpp"

namespace mlpipe::app {
namespace {

constexpr const char* k_pattern = "%Y-%m-%dT%H:%M:%S.%f%z [%P.%t] %v";  // process and thread

class FileLog final : public DebugLog {
 public:
  // Throws spdlog_ex when the file cannot be opened.
  explicit FileLog(const std::string& path)
      : logger_("mlpipe", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path)) {
    logger_.set_pattern(k_pattern);
    logger_.flush_on(spdlog::level::info);
    logger_.set_error_handler([](const std::string&) {});  // a full disk must not fill the terminal too
  }
  void write(std::string_view topic, std::string_view text) override { logger_.info("{}: {}", topic, printable(text)); }

 private:
  spdlog::logger logger_;
};

std::string text_of(const engine::Transition& transition, const plan::Plan& plan) {
  std::string text = fmt::format("'{}': {} -> {}", plan.task(transition.task).path(), to_string(transition.from),
                                 to_string(transition.to));
  if (transition.attempt > 0) text += fmt::format(", attempt {}", transition.attempt);
  if (transition.cached()) text += ", cached from " + transition.cache->from_run;
  if (transition.retry_in) text += ", next attempt in " + duration_text(*transition.retry_in);
  if (transition.result != nullptr) {
    text += fmt::format(", {}, exit code {}", to_string(transition.result->end), transition.result->exit_code);
    if (!transition.result->message.empty()) text += ": " + transition.result->message;
  } else if (!transition.reason.empty()) {
    text += ": " + transition.reason;
  }
  return text;
}

// What `doing` gives, with the time it takes in the log.
template <class Doing>
Result<> timed(DebugLog& log, std::string_view what, Doing&& doing) {
  const auto begin = std::chrono::steady_clock::now();
  Result<> done = doing();
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  debug(&log, "record", "{} in {:.1f} ms{}", what, taken.count(), done ? "" : ", failed: " + done.error().message);
  return done;
}

}  // namespace

Result<std::unique_ptr<DebugLog>> open_debug_log(const std::string& path, const std::string& command_line) try {
  if (path.empty()) return std::unique_ptr<DebugLog>();
  auto log = std::make_unique<FileLog>(path);
  debug(log.get(), "mlpipe", "{} as user {}: {}", k_version, ::geteuid(), command_line);
  return std::unique_ptr<DebugLog>(std::move(log));
} catch (const spdlog::spdlog_ex& refused) {
  return fail_with_hint(ErrorCode::io, std::string("the debug log cannot be written: ") + refused.what(),
                        "--debug-log and MLPIPE_DEBUG_LOG name a file in a folder that you may write to");
}

Result<> DebuggedRecord::commit(std::span<const engine::Transition> transitions) {
  for (const engine::Transition& transition : transitions) log_.write("run", text_of(transition, plan_));
  const std::string what =
      fmt::format("{} {} committed", transitions.size(), transitions.size() == 1 ? "change" : "changes");
  return timed(log_, what, [&] { return record_.commit(transitions); });
}

Result<> DebuggedRecord::discard(engine::TaskId task) {
  return timed(log_, fmt::format("artifacts of '{}' taken away", plan_.task(task).path()),
               [&] { return record_.discard(task); });
}

Result<> DebuggedRecord::finish(engine::RunState state, WallTime at) {
  return timed(log_, fmt::format("the run ended, {},", to_string(state)), [&] { return record_.finish(state, at); });
}

}  // namespace mlpipe::app
