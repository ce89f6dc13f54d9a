#include "mlpipe/engine/naming.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/sha256.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::string_view k_prefix = "mlpipe-";
constexpr std::size_t k_hash_length = 8;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

std::string with_safe_characters(std::string_view text) {
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [](char c) { return !is_name_character(c); }, '.');
  return safe;
}

}  // namespace

std::string container_name(std::string_view root, std::string_view run_id, std::string_view task_path, int attempt) {
  const std::string number = fmt::format("-{}", attempt);
  // The lengths in front keep ("a", "b/c") and ("a/b", "c") apart.
  const std::string hash = sha256_hex(fmt::format("{}:{}{}:{}/{}", root.size(), root, run_id.size(), run_id, task_path))
                               .substr(0, k_hash_length);
  const std::size_t room = k_max_container_name - k_prefix.size() - 1 - 1 - hash.size() - number.size();
  // Both parts keep something to be recognised by.
  const std::size_t task_room = std::max(room / 2, room - std::min(room, run_id.size()));
  const std::string task = with_safe_characters(task_path.substr(0, task_room));
  const std::string run = with_safe_characters(run_id.substr(0, room - task.size()));
  return fmt::format("{}{}-{}-{}{}", k_prefix, run, task, hash, number);
}

}  // namespace mlpipe::engine
