#include "mlpipe/sys/env.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace mlpipe::sys {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  if (value == nullptr) return std::nullopt;
  return value;
}

std::vector<std::string> whole_environment() {
  std::vector<std::string> all;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

std::optional<std::filesystem::path> home_folder() {
  if (const std::optional<std::string> home = environment("HOME"); home && home->starts_with('/')) return *home;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16UL * 1024);
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  if (found->pw_dir == nullptr || found->pw_dir[0] != '/') return std::nullopt;
  return found->pw_dir;
}

std::string program_search_path() {
  return environment("PATH").value_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

}  // namespace mlpipe::sys
