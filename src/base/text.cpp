#include "mlpipe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace mlpipe {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that make `a` of `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// Length of the UTF-8 sequence at the start of `text`, 0 when it is not a valid one.
std::size_t sequence_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogates
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

// Length of the terminal escape sequence at the start of `text` (which starts with ESC); ECMA-48, 5.
std::size_t escape_length(std::string_view text) {
  auto in = [&](std::size_t at, char low, char high) {
    return at < text.size() && text[at] >= low && text[at] <= high;
  };
  std::size_t end = 1;
  if (in(1, '[', '[')) {  // control sequence: parameters, intermediates, one final byte
    end = 2;
    while (in(end, ' ', '?')) ++end;
    return in(end, '@', '~') ? end + 1 : end;
  }
  if (text.size() > 1 && std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {  // a string of its own
    end = text.find_first_of("\x07\x1b", 2);
    if (end == std::string_view::npos) return 2;
    return text[end] == '\x1b' && in(end + 1, '\\', '\\') ? end + 2 : text[end] == '\x07' ? end + 1 : end;
  }
  while (in(end, ' ', '/')) ++end;
  return in(end, '0', '~') ? end + 1 : end;
}

struct Number {
  double value = 0;
  std::string_view unit;
};

std::optional<Number> take_number(std::string_view text, std::chars_format format) {
  if (text.starts_with('-')) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  return Number{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view k_space = " \t\r\n";
  std::size_t begin = text.find_first_not_of(k_space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(k_space) - begin + 1);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<std::string> closest(std::string_view word, std::span<const std::string> candidates) {
  std::size_t limit = std::max<std::size_t>(1, word.size() / 3);
  const std::string* best = nullptr;
  for (const std::string& candidate : candidates) {
    auto [shorter, longer] = std::minmax({candidate.size(), word.size()});
    if (longer - shorter > limit || longer > 200) continue;
    std::size_t distance = edit_distance(to_lower(word), to_lower(candidate));
    if (distance > limit || distance >= longer) continue;  // nothing in common: "a" for "b" helps nobody
    best = &candidate;
    if (distance == 0) break;
    limit = distance - 1;  // only a nearer one is better
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

bool is_valid_utf8(std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  while (true) {
    // Nearly all of nearly every text.
    text.remove_prefix(static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_ascii) - text.begin()));
    if (text.empty()) return true;
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto byte = static_cast<unsigned char>(text[0]);
    std::size_t length = sequence_length(text);
    if (byte == 0x1B) {
      length = escape_length(text);
    } else if (length == 0) {
      out += fmt::format("\\x{:02x}", byte);
      length = 1;
    } else if (byte == '\t') {
      out += ' ';
    } else if (byte < 0x20 || byte == 0x7F) {
      if (byte != '\r') out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {  // C1 controls: U+0080 to U+009F
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string shorten(std::string_view text, std::size_t columns) {
  std::size_t count = 0;
  std::size_t cut = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (count + 1 == columns) cut = at;
    if (count == columns) return columns == 0 ? std::string() : std::string(text.substr(0, cut)) + "…";
    at += std::max<std::size_t>(1, sequence_length(text.substr(at)));
    ++count;
  }
  return std::string(text);
}

std::string duration_text(std::chrono::milliseconds duration) {
  auto ms = duration.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 59'950) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  auto seconds = (ms + 500) / 1000;
  if (seconds < 3600) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h {:02}m", seconds / 3600, seconds % 3600 / 60);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::string_view k_units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1023.95 would print as 1024.0.
  while ((unit == 0 ? amount >= 1024 : amount >= 1023.95) && unit + 1 < std::size(k_units)) {
    amount /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, k_units[unit]);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  double total = 0;
  bool first = true;
  while (!text.empty()) {
    std::optional<Number> number = take_number(text, std::chars_format::fixed);
    if (!number) return std::nullopt;
    std::size_t letters = 0;
    while (letters < number->unit.size() && number->unit[letters] >= 'a' && number->unit[letters] <= 'z') ++letters;
    std::string_view unit = number->unit.substr(0, letters);
    double scale = 0;
    if (unit == "ms") scale = 1;
    if (unit == "s") scale = 1000;
    if (unit == "m") scale = 60'000;
    if (unit == "h") scale = 3'600'000;
    if (unit == "d") scale = 86'400'000;
    if (number->unit.empty() && first) scale = 1000;
    if (scale == 0) return std::nullopt;
    first = false;
    total += number->value * scale;
    text = number->unit.substr(letters);
  }
  if (total > 1e15) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::llround(total)));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::optional<Number> number = take_number(trim(text), std::chars_format::general);
  if (!number) return std::nullopt;
  struct Unit {
    std::string_view name;
    double scale;
  };
  constexpr Unit k_units[] = {{"", 1},        {"k", 1e3},     {"K", 1e3},     {"M", 1e6},     {"G", 1e9},
                              {"T", 1e12},    {"P", 1e15},    {"E", 1e18},    {"Ki", 0x1p10}, {"Mi", 0x1p20},
                              {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}};
  for (const Unit& unit : k_units) {
    if (number->unit != unit.name) continue;
    double bytes = number->value * unit.scale;
    if (bytes > 9e18) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(bytes));
  }
  return std::nullopt;
}

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view k_safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(k_safe) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace mlpipe
