#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/base/result.hpp"

namespace mlpipe::sys {

struct CommandResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
  bool truncated = false;  // more than max_output came; the rest was read and dropped
  bool ok() const { return exit_code == 0; }
};

struct CommandOptions {
  std::string input = {};                      // given to its standard input, then end-of-file
  std::chrono::milliseconds deadline{30'000};  // then its whole process group is killed
  std::vector<std::pair<std::string, std::optional<std::string>>> env = {};  // over ours; nothing: unset
  std::filesystem::path working_directory = {};                              // empty: ours
  std::size_t max_output = 16 * 1024 * 1024;                                 // kept of each stream
};

// Runs a helper program (git, nvidia-smi, dot, docker-credential-*) to its end, without a shell and without our
// terminal. That it failed is a CommandResult; an Error is: not_found, permission (it cannot be run), unavailable
// (deadline passed). Any thread, several at once.
Result<CommandResult> run_command(const std::vector<std::string>& argv, const CommandOptions& options = {});

}  // namespace mlpipe::sys
