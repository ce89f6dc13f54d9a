#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlpipe {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

// The candidate nearest to `word` by edit distance, when it is near enough to be what was meant.
std::optional<std::string> closest(std::string_view word, std::span<const std::string> candidates);

bool is_valid_utf8(std::string_view text);
// Text safe to print on a terminal: control characters, escape sequences and invalid UTF-8 made visible or dropped.
std::string printable(std::string_view text);
// Cut to at most `columns` code points, the last one "…" when something was cut.
std::string shorten(std::string_view text, std::size_t columns);

// "340 ms", "12.3 s", "4m 05s", "2h 03m".
std::string duration_text(std::chrono::milliseconds duration);
// "312 B", "1.4 MiB".
std::string bytes_text(std::uint64_t bytes);
// "30s", "1h30m", "500ms", "1.5h", "90" (seconds); nothing when it is no duration.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// Kubernetes quantities: "500M", "4Gi", "1024", "0.5Gi" -> bytes; nothing when it is none.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

// Quoted for a POSIX shell when it has to be.
std::string shell_quoted(std::string_view word);

// Standard base64 with padding; and the URL-safe alphabet that X-Registry-Auth wants.
std::string to_base64(std::string_view bytes);
std::string to_base64_url(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mlpipe
