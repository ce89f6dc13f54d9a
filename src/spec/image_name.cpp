#include <algorithm>
#include <string_view>

#include "mlpipe/base/text.hpp"
#include "mlpipe/spec/reader.hpp"

// The grammar of github.com/distribution/reference, as engines read it: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
namespace mlpipe::spec {
namespace {

constexpr std::size_t k_longest_name = 255;
constexpr std::size_t k_longest_tag = 128;
constexpr std::size_t k_shortest_digest = 32;

bool is_small(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_big(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) { return is_small(c) || is_big(c) || c == '_'; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Small letters and digits, with one `.`, one or two `_` or any number of `-` between them.
bool is_path_part(std::string_view part) {
  if (part.empty() || !is_small(part.front()) || !is_small(part.back())) return false;
  for (std::size_t at = 0; at < part.size();) {
    if (is_small(part[at])) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(part.size(), part.find_first_not_of(part[at], at));
    const std::size_t length = end - at;
    const bool good = part[at] == '-' || (part[at] == '.' && length == 1) || (part[at] == '_' && length <= 2);
    if (!good || !is_small(part[end])) return false;
    at = end;
  }
  return true;
}

bool is_host(std::string_view part) {
  if (part != "localhost" && part.find_first_of(".:") == std::string_view::npos) return false;
  const std::size_t colon = part.starts_with('[') ? part.find("]:") : part.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view port = part.substr(part.find(':', colon) + 1);
    if (port.empty() || port.find_first_not_of("0123456789") != std::string_view::npos) return false;
  }
  return std::ranges::all_of(
      part, [](char c) { return is_word(c) || c == '.' || c == '-' || c == ':' || c == '[' || c == ']'; });
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= k_longest_tag && is_word(tag.front()) &&
         std::ranges::all_of(tag, [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_digest(std::string_view digest) {
  const std::size_t colon = digest.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view hex = digest.substr(colon + 1);
  const bool long_enough = digest.starts_with("sha256:") ? hex.size() == 64 : hex.size() >= k_shortest_digest;
  return long_enough && std::ranges::all_of(hex, is_hex);
}

}  // namespace

std::optional<std::string> image_name_problem(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    if (!is_digest(name.substr(at + 1))) return "behind `@` stands a digest: sha256: and 64 hexadecimal digits";
    name = name.substr(0, at);
  }
  // A `:` in front of a `/` is that of a port.
  if (const std::size_t colon = name.rfind(':');
      colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) {
    if (!is_tag(name.substr(colon + 1))) return "behind `:` stands a tag: letters, digits, `.`, `_` and `-`";
    name = name.substr(0, colon);
  }
  if (name.size() > k_longest_name) return "it is longer than 255 letters";
  std::vector<std::string_view> parts = split(name, '/');
  if (parts.size() > 1 && is_host(parts.front())) parts.erase(parts.begin());
  for (const std::string_view part : parts) {
    if (std::ranges::any_of(part, is_big)) return "it has capital letters";
    if (!is_path_part(part)) return "between its `/` stand small letters and digits, with `.`, `_` or `-` between them";
  }
  return std::nullopt;
}

}  // namespace mlpipe::spec
