#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "log_index.hpp"
#include "mlpipe/artifact/log_file.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;
using sys::Fd;

namespace {

constexpr std::size_t k_block_bytes = 64UL * 1024;

// Reads up to `bytes` at `offset`; fewer at the end of the file.
Result<std::size_t> get_at(const Fd& file, const fs::path& path, std::uint64_t offset, char* to, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(file.get(), to + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys::fail_file("reading the log", path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::uint64_t size_of(const Fd& file) {
  struct stat info {};
  return file && ::fstat(file.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// The records of an index, read in blocks. An unreadable or missing index has none.
class Index final {
 public:
  explicit Index(const fs::path& path)
      : path_(path),
        file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)),
        count_(size_of(file_) / k_record_bytes) {}

  // Records, with one at the start of the log assumed where there is none.
  std::uint64_t count() const { return std::max<std::uint64_t>(1, count_); }

  LogRecord at(std::uint64_t number) {
    if (number >= count_) return {};
    if (number < first_ || number >= first_ + loaded_) load_around(number);
    if (number < first_ || number >= first_ + loaded_) return {};
    return decode(block_.data() + (number - first_) * k_record_bytes);
  }

  // The last record that begins at or before `offset`; the first when none does.
  std::uint64_t find(std::uint64_t offset) {
    std::uint64_t low = 0;
    std::uint64_t high = count();
    while (high - low > 1) {
      const std::uint64_t middle = low + (high - low) / 2;
      (at(middle).offset <= offset ? low : high) = middle;
    }
    return low;
  }

 private:
  // Good for going up and for going down: the record lies in the middle of what is loaded.
  void load_around(std::uint64_t number) {
    constexpr std::uint64_t k_half = k_block_bytes / k_record_bytes / 2;
    first_ = number < k_half ? 0 : number - k_half;
    block_.resize(k_block_bytes);
    Result<std::size_t> got = get_at(file_, path_, first_ * k_record_bytes, block_.data(), block_.size());
    loaded_ = got ? *got / k_record_bytes : 0;
  }

  fs::path path_;
  Fd file_;
  std::uint64_t count_;
  std::vector<char> block_;
  std::uint64_t first_ = 0;
  std::uint64_t loaded_ = 0;
};

bool passes(LogFilter filter, LogStream stream) {
  return filter == LogFilter::both || (filter == LogFilter::out) == (stream == LogStream::out);
}

Result<Fd> open_log(const fs::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return sys::fail_file("reading the log", path, errno);
  return file;
}

WallTime time_of(const LogRecord& record) {
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(record.time_ns)));
}

}  // namespace

Result<std::uint64_t> read_log(const fs::path& path, std::uint64_t offset, LogFilter filter,
                               const std::function<void(const LogPiece&)>& sink) {
  Result<Fd> log = open_log(path);
  if (!log) return Failure(std::move(log).error());
  // The size first and the index after it: then all of these bytes have their record.
  const std::uint64_t size = size_of(*log);
  Index index(index_of(path));
  std::vector<char> block(k_block_bytes);
  if (offset >= size) return size;
  for (std::uint64_t number = index.find(offset); number < index.count() && offset < size; ++number) {
    const LogRecord record = index.at(number);
    const bool is_last = number + 1 == index.count();
    const std::uint64_t end = is_last ? size : std::min(size, index.at(number + 1).offset);
    if (!passes(filter, record.stream)) offset = std::max(offset, end);
    while (offset < end) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - offset));
      Result<std::size_t> got = get_at(*log, path, offset, block.data(), wanted);
      if (!got) return Failure(std::move(got).error());
      if (*got == 0) return offset;  // cut while we read
      sink({.stream = record.stream, .time = time_of(record), .bytes = {block.data(), *got}});
      offset += *got;
    }
  }
  return offset;
}

Result<std::uint64_t> log_tail_offset(const fs::path& path, std::size_t lines, LogFilter filter) {
  Result<Fd> log = open_log(path);
  if (!log) return Failure(std::move(log).error());
  std::uint64_t end = size_of(*log);
  if (lines == 0) return end;
  Index index(index_of(path));
  std::vector<char> block(k_block_bytes);
  std::size_t to_find = lines;  // newlines before the last lines; the one that ends the log does not count
  bool at_end = true;
  for (std::uint64_t number = index.count(); number-- > 0;) {
    const LogRecord record = index.at(number);
    const std::uint64_t begin = std::min(end, record.offset);
    while (passes(filter, record.stream) && end > begin) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - begin));
      Result<std::size_t> got = get_at(*log, path, end - wanted, block.data(), wanted);
      if (!got) return Failure(std::move(got).error());
      for (std::size_t i = *got; i-- > 0;) {
        const bool is_final = std::exchange(at_end, false);
        if (block[i] == '\n' && !is_final && --to_find == 0) return end - wanted + i + 1;
      }
      end -= wanted;
    }
    end = begin;
  }
  return 0;
}

std::string last_line(const fs::path& path) {
  const Fd log(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const std::uint64_t size = size_of(log);
  std::array<char, 4096> block;
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size));
  if (wanted == 0) return {};
  const Result<std::size_t> got = get_at(log, path, size - wanted, block.data(), wanted);
  if (!got) return {};
  std::string_view text(block.data(), *got);
  if (size > wanted) {  // do not begin within a character
    const auto first = std::ranges::find_if(text.substr(0, std::min<std::size_t>(3, text.size())),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; });
    text.remove_prefix(static_cast<std::size_t>(first - text.begin()));
  }
  while (!text.empty()) {
    const std::size_t cut = text.find_last_of("\r\n");
    const std::string_view line = trim(cut == std::string_view::npos ? text : text.substr(cut + 1));
    if (std::string shown(trim(printable(line))); !shown.empty()) return shown;
    text = cut == std::string_view::npos ? std::string_view() : text.substr(0, cut);
  }
  return {};
}

}  // namespace mlpipe::artifact
