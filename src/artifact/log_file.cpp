#include "mlpipe/artifact/log_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "log_index.hpp"
#include "log_masker.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::artifact {
namespace fs = std::filesystem;
using sys::Fd;

namespace {

// A stream that goes on within this time adds to its piece: the index stays small under many short writes.
constexpr std::chrono::milliseconds k_merge_within{100};

// How many bytes the file took.
std::size_t put_at(const Fd& file, std::uint64_t offset, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::pwrite(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  return done;
}

class FileLogWriter final : public LogWriter {
 public:
  FileLogWriter(Fd log, Fd index, const LogOptions& options, const Clock& clock)
      : log_(std::move(log)),
        index_(std::move(index)),
        clock_(clock),
        out_(options.secrets),
        err_(options.secrets),
        max_bytes_(options.max_bytes) {}

  ~FileLogWriter() override { close(); }

  void write(LogStream stream, std::span<const std::byte> bytes) override {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    append(stream, (stream == LogStream::out ? out_ : err_).pass(text));
  }

  LogTotals close() override {
    if (!log_) return totals_;
    append(LogStream::out, out_.finish());
    append(LogStream::err, err_.finish());
    say_what_was_lost();
    log_.reset();
    index_.reset();
    return totals_;
  }

 private:
  void append(LogStream stream, std::string_view bytes) {
    if (bytes.empty()) return;
    if (totals_.truncated) {
      totals_.dropped += bytes.size();
      return;
    }
    if (!say_what_was_lost()) {  // the disk is still full: the line stands before what follows, or nothing follows
      lose(bytes.size());
      return;
    }
    const auto room = max_bytes_ - std::min(max_bytes_, totals_.written);
    const std::string_view fitting = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), room));
    const std::size_t taken = put(stream, fitting);
    lose(fitting.size() - taken);
    if (fitting.size() == bytes.size()) return;
    totals_.truncated = true;
    totals_.dropped += bytes.size() - fitting.size();
    put_line(fmt::format("[mlpipe] … truncated: this log may have {}", bytes_text(max_bytes_)));
  }

  std::size_t put(LogStream stream, std::string_view bytes) {
    if (bytes.empty() || !begin_piece(stream)) return 0;
    const std::size_t taken = put_at(log_, end_, bytes);
    end_ += taken;
    totals_.written += taken;
    if (taken > 0) last_byte_ = bytes[taken - 1];
    return taken;
  }

  // The record comes before its bytes: a reader never takes them for the other stream's.
  bool begin_piece(LogStream stream) {
    const MonotonicTime now = clock_.now();
    if (records_ > 0 && stream == stream_ && now - last_write_ <= k_merge_within) {
      last_write_ = now;
      return true;
    }
    const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch()).count();
    const RecordBytes record = encode({.stream = stream, .offset = end_, .time_ns = time});
    // Half a record of a full disk is written over by the next.
    if (put_at(index_, records_ * k_record_bytes, {record.data(), record.size()}) < record.size()) return false;
    ++records_;
    stream_ = stream;
    last_write_ = now;
    return true;
  }

  void lose(std::uint64_t bytes) {
    totals_.dropped += bytes;
    unsaid_ += bytes;
  }

  // False when there is something to say and no room for it.
  bool say_what_was_lost() {
    if (unsaid_ == 0) return true;
    const std::string line =
        fmt::format("[mlpipe] {} of this log lost here: the disk did not take it", bytes_text(unsaid_));
    if (!put_line(line)) return false;
    unsaid_ = 0;
    return true;
  }

  // A line of our own, on a line of its own, as stderr. False when the disk did not take all of it: then none of it
  // stays.
  bool put_line(const std::string& text) {
    const std::string line = (end_ > 0 && last_byte_ != '\n' ? "\n" : "") + text + "\n";
    const std::uint64_t begin = end_;
    if (!begin_piece(LogStream::err)) return false;
    const std::size_t taken = put_at(log_, begin, line);
    if (taken < line.size()) {
      [[maybe_unused]] const int cut = ::ftruncate(log_.get(), static_cast<off_t>(begin));
      return false;
    }
    end_ += taken;
    last_byte_ = '\n';
    return true;
  }

  Fd log_;
  Fd index_;
  const Clock& clock_;
  LogMasker out_;
  LogMasker err_;
  std::uint64_t max_bytes_;
  std::uint64_t end_ = 0;      // of the log
  std::uint64_t records_ = 0;  // whole ones in the index
  LogStream stream_ = LogStream::out;
  MonotonicTime last_write_{};
  char last_byte_ = '\n';
  std::uint64_t unsaid_ = 0;  // bytes lost and not yet told of in the log
  LogTotals totals_;
};

Result<Fd> create_file(const fs::path& path) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return sys::fail_file("creating the log", path, errno);
  return file;
}

}  // namespace

Result<std::unique_ptr<LogWriter>> create_log(const fs::path& path, const LogOptions& options, const Clock& clock) {
  Result<Fd> log = create_file(path);
  if (!log) return Failure(std::move(log).error());
  Result<Fd> index = create_file(index_of(path));
  if (!index) return Failure(std::move(index).error());
  return std::make_unique<FileLogWriter>(*std::move(log), *std::move(index), options, clock);
}

}  // namespace mlpipe::artifact
