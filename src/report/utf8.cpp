#include "report/utf8.hpp"

namespace mlpipe::report {

CodePoint decode(std::string_view text) {
  constexpr CodePoint k_invalid{.code = 0xFFFD, .length = 1, .valid = false};
  constexpr char32_t k_least[] = {0, 0, 0x80, 0x800, 0x10000};  // by length: shorter forms must be used below these
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {.code = first};
  if (first < 0xC0 || first > 0xF4) return k_invalid;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (text.size() < length) return k_invalid;
  char32_t code = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return k_invalid;
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < k_least[length] || surrogate || code > 0x10FFFF) return k_invalid;
  return {.code = code, .length = length};
}

}  // namespace mlpipe::report
