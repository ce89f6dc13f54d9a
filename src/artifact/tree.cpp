#include "mlpipe/artifact/tree.hpp"

#include <algorithm>

#include "mlpipe/base/text.hpp"

namespace mlpipe::artifact {

namespace {

constexpr std::size_t k_longest_name = 100;

bool is_allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<> check_name(std::string_view what, std::string_view name) {
  const auto refuse = [&](const std::string& why) -> Failure {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("{} \"{}\": {}", what, shorten(printable(name), k_longest_name), why),
                          "use letters, digits, \"_\", \"-\" and \".\", as in \"train_model-2\"");
  };
  if (name.empty()) return refuse("it is empty");
  if (name.size() > k_longest_name) {
    return refuse(fmt::format("it has {} bytes, more than {}", name.size(), k_longest_name));
  }
  if (name.front() == '.') return refuse("it starts with a dot");
  if (const auto bad = std::ranges::find_if_not(name, is_allowed); bad != name.end()) {
    const auto byte = static_cast<unsigned char>(*bad);
    const std::string shown =
        byte > 0x20 && byte < 0x7f ? fmt::format("\"{}\"", *bad) : fmt::format("the byte 0x{:02x}", byte);
    return refuse(fmt::format("{} may not be in it", shown));
  }
  return {};
}

}  // namespace mlpipe::artifact
