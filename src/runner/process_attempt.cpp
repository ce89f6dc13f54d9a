#include "runner/process_attempt.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"
#include "runner/process_marks.hpp"

namespace mlpipe::runner {
namespace fs = std::filesystem;
using sys::ChildProcess;
using sys::StopSignal;

namespace {

std::map<std::string, std::string> environment_of(const ContainerConfig& config) {
  std::map<std::string, std::string> env;
  env["PATH"] = sys::program_search_path();
  if (const std::optional<fs::path> home = sys::home_folder()) env["HOME"] = home->string();
  env["CUDA_VISIBLE_DEVICES"] = join(config.gpus, ",");
  for (const std::string& entry : config.env) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) env[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  env[k_process_mark] = to_text({.name = config.name, .labels = config.labels});
  return env;
}

fs::path working_folder_of(const ContainerConfig& config, const std::map<std::string, std::string>& env) {
  if (!config.working_directory.empty()) return config.working_directory;
  const auto home = env.find("HOME");
  std::error_code ignored;
  return home != env.end() && fs::is_directory(home->second, ignored) ? fs::path(home->second) : fs::path("/");
}

// Stopping is asked for in two steps by two askers, and by the end of the grace.
class Stopper final {
 public:
  Stopper(const ChildProcess& child, std::chrono::seconds grace) : child_(child), grace_(grace) {}

  void obey(StopSignal::Level level) {
    if (kill_at_ && std::chrono::steady_clock::now() >= *kill_at_) level = StopSignal::Level::kill;
    if (level <= done_) return;
    done_ = level;
    if (level == StopSignal::Level::kill) {
      kill_at_.reset();
      child_.signal_group(SIGKILL);
      return;
    }
    kill_at_ = std::chrono::steady_clock::now() + grace_;
    child_.signal_group(SIGTERM);
    child_.signal_group(SIGCONT);  // a stopped process would not see it
  }

  int poll_timeout() const {
    if (!kill_at_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT32_MAX));
  }

 private:
  const ChildProcess& child_;
  std::chrono::seconds grace_;
  StopSignal::Level done_ = StopSignal::Level::none;
  std::optional<MonotonicTime> kill_at_;
};

enum class Drain { once, all_there };

void drain(sys::Fd& from, Stream stream, LogSink& log, Drain how) {
  std::array<std::byte, 64UL * 1024> buffer;
  while (from) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      from.reset();
      return;
    }
    log.write(stream, std::span(buffer).first(static_cast<std::size_t>(got)));
    if (how == Drain::once) return;
  }
}

}  // namespace

Result<ChildProcess> start_process(const ContainerConfig& config) {
  const std::map<std::string, std::string> env = environment_of(config);
  sys::SpawnRequest request{.program = {},
                            .argv = config.entrypoint.value_or(std::vector<std::string>()),
                            .working_directory = working_folder_of(config, env)};
  request.argv.insert(request.argv.end(), config.command.begin(), config.command.end());
  for (const auto& [name, value] : env) request.env.push_back(fmt::format("{}={}", name, value));

  Result<fs::path> program = sys::find_program(request.argv.front(), env.at("PATH"), request.working_directory);
  // As a container engine has it: "not executable" is a mistake of the task's, not a matter of our permissions.
  const auto as_engines_say = [](Error error) {
    if (error.code == ErrorCode::permission) error.code = ErrorCode::invalid_input;
    return Failure(std::move(error));
  };
  if (!program) return as_engines_say(std::move(program).error());
  request.program = *program;
  Result<ChildProcess> child = sys::spawn(request);
  if (!child) return as_engines_say(std::move(child).error());
  child->input().reset();
  return child;
}

sys::ExitStatus follow_process(ChildProcess& child, const ContainerConfig& config, LogSink& log, StopSignal& stop,
                               StopSignal& also) {
  Stopper stopper(child, config.grace);
  for (;;) {
    // The level and not the descriptor decides: others may have acknowledged it before.
    stopper.obey(std::max(stop.level(), also.level()));
    std::array<pollfd, 5> polled{{{child.exit_fd(), POLLIN, 0},
                                  {child.output().get(), POLLIN, 0},
                                  {child.error().get(), POLLIN, 0},
                                  {stop.fd(), POLLIN, 0},
                                  {also.fd(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), stopper.poll_timeout()) < 0) continue;
    if (polled[1].revents != 0) drain(child.output(), Stream::out, log, Drain::once);
    if (polled[2].revents != 0) drain(child.error(), Stream::err, log, Drain::once);
    if (polled[3].revents != 0) stop.acknowledge();
    if (polled[4].revents != 0) also.acknowledge();
    if (polled[0].revents != 0) break;
  }
  const sys::ExitStatus status = child.wait();
  kill_marked({.name = config.name, .labels = config.labels});
  // Everybody who could write is dead: what is in the pipes is all there will be.
  drain(child.output(), Stream::out, log, Drain::all_there);
  drain(child.error(), Stream::err, log, Drain::all_there);
  return status;
}

}  // namespace mlpipe::runner
