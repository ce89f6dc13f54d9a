#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mlpipe::sys {

// The variable's value; nothing when it is not set. Nobody in this program changes the environment, so any thread may
// ask.
std::optional<std::string> environment(const std::string& name);

// The whole environment, "NAME=value".
std::vector<std::string> whole_environment();

// HOME when it is an absolute path, else the user database's word (cron and containers start programs without HOME).
std::optional<std::filesystem::path> home_folder();

// PATH, or the system's default when it is not set.
std::string program_search_path();

}  // namespace mlpipe::sys
