#include "report/log_tail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::report {
namespace {

constexpr std::size_t k_most_bytes = 64 * 1024;
constexpr std::size_t k_last_line_bytes = 4 * 1024;
constexpr std::size_t k_most_columns = 1000;

struct End {
  std::string bytes;
  bool whole = true;
  std::uintmax_t size = 0;
};

// The last `most` bytes of a regular file.
std::optional<End> read_end(const std::filesystem::path& path, std::size_t most) {
  const sys::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const auto size = static_cast<std::uintmax_t>(status.st_size);
  End end{.bytes = std::string(std::min<std::uintmax_t>(size, most), '\0'), .whole = size <= most, .size = size};
  const auto offset = static_cast<off_t>(size - end.bytes.size());
  std::size_t done = 0;
  while (done < end.bytes.size()) {
    const ssize_t count =
        ::pread(file.get(), end.bytes.data() + done, end.bytes.size() - done, offset + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  end.bytes.resize(done);
  return end;
}

// What a terminal would show of the line in the end: what follows the last carriage return that something follows.
std::string_view last_seen(std::string_view line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const std::size_t at = line.rfind('\r');
  return at == std::string_view::npos ? line : line.substr(at + 1);
}

// A cut may fall into the middle of a character.
std::string_view without_torn_start(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && at < 3 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
  return text.substr(at);
}

}  // namespace

LogTail tail_of(std::string_view bytes, bool whole, std::size_t max_lines) {
  LogTail tail{.lines = {}, .whole = whole, .readable = true};
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) bytes.remove_suffix(1);
  while (!bytes.empty() && tail.lines.size() < max_lines) {
    const std::size_t at = bytes.rfind('\n');
    const bool first_of_bytes = at == std::string_view::npos;
    std::string_view line = first_of_bytes ? bytes : bytes.substr(at + 1);
    std::string text;
    if (first_of_bytes && !whole) {
      line = without_torn_start(line);
      text = "…";
    }
    text += printable(last_seen(line));
    tail.lines.push_back(shorten(text, k_most_columns));
    bytes = first_of_bytes ? std::string_view{} : bytes.substr(0, at);
    if (!first_of_bytes && bytes.empty() && tail.lines.size() < max_lines)
      tail.lines.emplace_back();  // an empty first line
  }
  if (!bytes.empty()) tail.whole = false;
  std::reverse(tail.lines.begin(), tail.lines.end());
  return tail;
}

LogTail read_log_tail(const std::filesystem::path& log, std::size_t max_lines) {
  const std::optional<End> end = read_end(log, k_most_bytes);
  if (!end) return {};
  return tail_of(end->bytes, end->whole, max_lines);
}

const std::string& LastLines::of(engine::AttemptId id, const std::filesystem::path& log) {
  Seen& seen = seen_[id.task];
  if (seen.attempt != id.number) seen = {.attempt = id.number, .size = 0, .line = {}};
  std::error_code absent;
  const std::uintmax_t size = std::filesystem::file_size(log, absent);
  if (absent || size == seen.size) return seen.line;
  const std::optional<End> end = read_end(log, k_last_line_bytes);
  if (!end) return seen.line;
  seen.size = end->size;
  LogTail tail = tail_of(end->bytes, end->whole, k_tail_lines);
  for (auto line = tail.lines.rbegin(); line != tail.lines.rend(); ++line) {
    if (trim(*line).empty()) continue;
    seen.line = std::string(trim(*line));
    break;
  }
  return seen.line;
}

void LastLines::forget(engine::TaskId task) { seen_.erase(task); }

}  // namespace mlpipe::report
