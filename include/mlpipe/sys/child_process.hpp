#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::sys {

// How a process ended: an exit code, or the signal that ended it (then exit_code is 128 + signal, as a shell says it).
struct ExitStatus {
  int exit_code = 0;
  int signal = 0;
  bool operator==(const ExitStatus&) const = default;
};

struct SpawnRequest {
  std::filesystem::path program;                 // as find_program() gives it
  std::vector<std::string> argv;                 // argv[0] is the name the program sees
  std::vector<std::string> env = {};             // all of it, "NAME=value"
  std::filesystem::path working_directory = {};  // empty: ours
};

// A child process in a session and process group of its own, so that it cannot reach our terminal and can be signalled
// with all its descendants. Its signal mask is empty and its signal actions are the defaults; it inherits no descriptor
// but 0-2, which are pipes. Descriptors here are non-blocking. One thread at a time.
class ChildProcess final {
 public:
  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) noexcept = delete;
  // Kills the whole group and reaps the child, unless wait() has been called.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  Fd& input() { return input_; }    // its standard input; reset() it to give it end-of-file
  Fd& output() { return output_; }  // its standard output
  Fd& error() { return error_; }    // its standard error
  // Readable once the child itself has ended (its descendants may live on, holding the pipes open).
  int exit_fd() const { return exit_.get(); }

  // Sends `signal` to the whole group; nothing happens when the group is gone.
  void signal_group(int signal) const;
  // Blocks until the child has ended, then kills what is left of its group.
  ExitStatus wait();

 private:
  friend Result<ChildProcess> spawn(const SpawnRequest&);
  ChildProcess() = default;

  pid_t pid_ = 0;
  Fd input_, output_, error_;
  Fd exit_;  // a pidfd; held as long as the child is not reaped
};

// not_found: the program, its #! interpreter or the working folder is not there; permission: it may not be executed;
// invalid_input: it is no program; unavailable: no processes or descriptors left. Any thread.
Result<ChildProcess> spawn(const SpawnRequest& request);

// The file that `name` runs: itself when it has a slash (relative to `working_directory`), else looked for along
// `search_path` (as in PATH). not_found (exit code 127 in a shell) or permission (126) with a message that says where
// it looked.
Result<std::filesystem::path> find_program(const std::string& name, std::string_view search_path,
                                           const std::filesystem::path& working_directory = {});

}  // namespace mlpipe::sys
