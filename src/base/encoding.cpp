#include <array>

#include "mlpipe/base/text.hpp"

namespace mlpipe {
namespace {

constexpr std::string_view k_standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view k_url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t chunk = 0;
    std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      chunk = chunk << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? alphabet[chunk >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

}  // namespace

std::string to_base64(std::string_view bytes) { return encode(bytes, k_standard); }
std::string to_base64_url(std::string_view bytes) { return encode(bytes, k_url); }

std::optional<std::string> from_base64(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;  // six bits are no byte
  std::string out;
  std::uint32_t chunk = 0;
  int bits = 0;
  for (char c : text) {
    std::size_t digit = k_standard.find(c);
    if (digit == std::string_view::npos) digit = k_url.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    chunk = chunk << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(chunk >> bits & 0xFFU);
    }
  }
  return out;
}

}  // namespace mlpipe
