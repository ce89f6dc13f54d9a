#include "app/payload_difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>

#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_entries = 1'000'000;  // of a folder; more are not compared

struct Entry {
  fs::file_type type = fs::file_type::none;
  std::uintmax_t bytes = 0;
};
using Listing = std::map<std::string, Entry>;

std::optional<Listing> list(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    const fs::file_type type = entries->symlink_status(ignored).type();
    if (listing.size() == k_most_entries) return std::nullopt;
    listing.emplace(entries->path().lexically_relative(folder).string(),
                    Entry{type, type == fs::file_type::regular ? entries->file_size(ignored) : 0});
  }
  if (error) return std::nullopt;
  return listing;
}

// The offset of the first byte that is not the same in two files; nothing when there is none, or one cannot be read.
std::optional<std::uintmax_t> first_other_byte(const fs::path& before, const fs::path& after) {
  std::ifstream a(before, std::ios::binary);
  std::ifstream b(after, std::ios::binary);
  std::array<char, 65536> left{};
  std::array<char, 65536> right{};
  for (std::uintmax_t offset = 0; a && b; offset += left.size()) {
    a.read(left.data(), left.size());
    b.read(right.data(), right.size());
    const auto count = static_cast<std::size_t>(std::min(a.gcount(), b.gcount()));
    const auto at = std::mismatch(left.begin(), left.begin() + count, right.begin()).first - left.begin();
    if (static_cast<std::size_t>(at) < count) return offset + static_cast<std::uintmax_t>(at);
    if (count < left.size()) break;
  }
  return std::nullopt;
}

std::string compare_files(const fs::path& before, const fs::path& after, std::uintmax_t bytes_before,
                          std::uintmax_t bytes_after) {
  if (bytes_before != bytes_after)
    return fmt::format("{} before, {} now", bytes_text(bytes_before), bytes_text(bytes_after));
  const auto at = first_other_byte(before, after);
  return at ? fmt::format("differs from byte {} on", *at) : "";
}

std::string compare_entries(const fs::path& before, const fs::path& after, const Entry& old_entry, const Entry& entry) {
  if (old_entry.type != entry.type) return "is something else now (file, folder or link)";
  std::error_code error;
  if (entry.type == fs::file_type::symlink) {
    const bool same = fs::read_symlink(before, error) == fs::read_symlink(after, error);
    return same || error ? "" : "leads elsewhere now";
  }
  if (entry.type != fs::file_type::regular) return "";
  std::string found = compare_files(before, after, old_entry.bytes, entry.bytes);
  constexpr fs::perms k_executable = fs::perms::owner_exec;
  if (found.empty() && (fs::status(before, error).permissions() & k_executable) !=
                           (fs::status(after, error).permissions() & k_executable)) {
    return "is executable in one only";
  }
  return found;
}

std::string compare_folders(const fs::path& before, const fs::path& after) {
  const std::optional<Listing> old_listing = list(before);
  const std::optional<Listing> listing = list(after);
  if (!old_listing || !listing) return "";
  // Both are sorted: the first name that only one has, if it comes before the first that differs in content.
  auto a = old_listing->begin();
  auto b = listing->begin();
  while (a != old_listing->end() || b != listing->end()) {
    if (b == listing->end() || (a != old_listing->end() && a->first < b->first))
      return printable(a->first) + " is gone";
    if (a == old_listing->end() || b->first < a->first) return printable(b->first) + " is new";
    if (const std::string found = compare_entries(before / a->first, after / b->first, a->second, b->second);
        !found.empty())
      return fmt::format("{}: {}", printable(a->first), found);
    ++a;
    ++b;
  }
  return "";
}

}  // namespace

std::string first_difference(const fs::path& before, const fs::path& after) {
  std::error_code error;
  const fs::file_type old_type = fs::status(before, error).type();
  const fs::file_type type = fs::status(after, error).type();
  if (old_type != type || before == after) return "";
  if (type == fs::file_type::directory) return compare_folders(before, after);
  if (type != fs::file_type::regular) return "";
  const std::uintmax_t bytes_before = fs::file_size(before, error);
  const std::uintmax_t bytes_after = error ? 0 : fs::file_size(after, error);
  return error ? "" : compare_files(before, after, bytes_before, bytes_after);
}

}  // namespace mlpipe::app
