#include "mlpipe/sys/subprocess.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/child_process.hpp"
#include "mlpipe/sys/env.hpp"
#include "sigpipe_guard.hpp"

namespace mlpipe::sys {

namespace {

std::vector<std::string> environment_with(const CommandOptions& options) {
  std::vector<std::string> all = whole_environment();
  for (const auto& [name, value] : options.env) {
    const std::string prefix = name + "=";
    std::erase_if(all, [&prefix](const std::string& entry) { return entry.starts_with(prefix); });
    if (value) all.push_back(prefix + *value);
  }
  return all;
}

std::string search_path_in(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    if (entry.starts_with("PATH=")) return entry.substr(5);
  }
  return program_search_path();
}

// Feeds and drains a child until it has ended or the deadline has come.
class Conversation final {
 public:
  Conversation(ChildProcess& child, const CommandOptions& options, CommandResult& result)
      : child_(child), options_(options), rest_(options.input), result_(result) {
    if (rest_.empty()) child_.input().reset();
  }

  // Whether the child ended in time.
  bool carry_out(MonotonicTime deadline) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      std::array<pollfd, 4> polled{{{child_.exit_fd(), POLLIN, 0},
                                    {child_.output().get(), POLLIN, 0},
                                    {child_.error().get(), POLLIN, 0},
                                    {child_.input().get(), POLLOUT, 0}}};
      // A closed descriptor is -1, which poll passes over.
      if (::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left.count(), INT32_MAX))) < 0)
        continue;
      if (polled[3].revents != 0) feed();
      if (polled[1].revents != 0) drain(child_.output(), result_.out);
      if (polled[2].revents != 0) drain(child_.error(), result_.err);
      if (polled[0].revents != 0) {
        // What it wrote before its end is in the pipes; descendants that hold them open are not waited for.
        drain(child_.output(), result_.out);
        drain(child_.error(), result_.err);
        return true;
      }
    }
  }

 private:
  void feed() {
    const SigpipeGuard guard;
    const ssize_t written = ::write(child_.input().get(), rest_.data(), rest_.size());
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    rest_.remove_prefix(written < 0 ? rest_.size() : static_cast<std::size_t>(written));  // it may not want its input
    if (rest_.empty()) child_.input().reset();
  }

  void drain(Fd& from, std::string& to) {
    std::array<char, 65536> buffer;
    for (int rounds = 0; from && rounds < 64; ++rounds) {  // bounded: a descendant may write for ever
      const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        from.reset();
        return;
      }
      const std::size_t room = options_.max_output - std::min(options_.max_output, to.size());
      const std::size_t kept = std::min(room, static_cast<std::size_t>(got));
      to.append(buffer.data(), kept);
      if (kept < static_cast<std::size_t>(got)) result_.truncated = true;
    }
  }

  ChildProcess& child_;
  const CommandOptions& options_;
  std::string_view rest_;
  CommandResult& result_;
};

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& argv, const CommandOptions& options) {
  MLPIPE_ASSERT(!argv.empty());
  const MonotonicTime deadline = std::chrono::steady_clock::now() + options.deadline;
  SpawnRequest request{
      .program = {}, .argv = argv, .env = environment_with(options), .working_directory = options.working_directory};
  Result<std::filesystem::path> program = find_program(argv[0], search_path_in(request.env), options.working_directory);
  if (!program) return Failure(std::move(program).error());
  request.program = *program;
  Result<ChildProcess> child = spawn(request);
  if (!child) return Failure(std::move(child).error());

  CommandResult result;
  if (!Conversation(*child, options, result).carry_out(deadline)) {
    return fail(ErrorCode::unavailable, "running \"{}\": not done after {}, so it was killed",
                shorten(printable(join(argv, " ")), 120), duration_text(options.deadline));
  }
  const ExitStatus status = child->wait();
  result.exit_code = status.exit_code;
  result.signal = status.signal;
  return result;
}

}  // namespace mlpipe::sys
