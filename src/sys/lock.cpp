#include "mlpipe/sys/lock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "mlpipe/base/value.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/machine.hpp"

namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

// Open file description locks: they belong to the open file and not to the process, and can be asked about without
// being taken.
struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

bool is_same_file(int file, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

LockHolder written_holder(const fs::path& path) {
  LockHolder holder;
  Result<std::string> text = read_file(path, 64UL * 1024);
  if (!text) return holder;
  Result<Value> written = parse_json(*text, path.string());
  if (!written) return holder;  // just being written
  holder.pid = static_cast<int>(written->integer_or("pid", 0));
  holder.since = WallTime(std::chrono::milliseconds(written->integer_or("since_ms", 0)));
  holder.host = written->text_or("host", "");
  holder.boot_id = written->text_or("boot_id", "");
  return holder;
}

// Whether `holder` may be who holds the lock now: not one before it that died, whose words are still there.
bool may_live(const LockHolder& holder, const MachineInfo& machine) {
  if (holder.pid <= 0) return false;
  if (holder.host != machine.hostname || holder.boot_id != machine.boot_id) return true;  // not ours to look up
  return ::kill(holder.pid, 0) == 0 || errno != ESRCH;
}

// Whoever takes a lock writes itself down right afterwards; until then the file is empty or names an earlier holder.
LockHolder read_holder(const fs::path& path) {
  constexpr auto k_patience = std::chrono::milliseconds(100);
  constexpr auto k_between_looks = std::chrono::milliseconds(2);
  const MachineInfo machine = machine_info();
  const auto give_up = std::chrono::steady_clock::now() + k_patience;
  for (;;) {
    LockHolder holder = written_holder(path);
    if (may_live(holder, machine)) return holder;
    if (std::chrono::steady_clock::now() >= give_up) return {};
    std::this_thread::sleep_for(k_between_looks);
  }
}

void write_holder(int file) {
  const MachineInfo machine = machine_info();
  const std::string text = to_json(Value::Struct{{"pid", static_cast<std::int64_t>(::getpid())},
                                                 {"since_ms", SystemClock().wall().time_since_epoch().count()},
                                                 {"host", machine.hostname},
                                                 {"boot_id", machine.boot_id}}) +
                           "\n";
  // For people only: on a full disk the lock is held all the same.
  if (::ftruncate(file, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
}

}  // namespace

std::string to_string(const LockHolder& holder) {
  if (holder.pid == 0) return "another process";
  std::string text = fmt::format("process {} since {}", holder.pid, to_local_time_text(holder.since));
  const MachineInfo machine = machine_info();
  if (!holder.host.empty() && holder.host != machine.hostname) text += " on " + holder.host;
  return text;
}

Result<std::variant<FileLock, LockHolder>> try_lock(const fs::path& path) {
  if (Result<> made = make_directories(path.parent_path()); !made) return within("locking", std::move(made).error());
  for (;;) {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file) return fail_file("locking", path, errno);
    struct flock range = whole_file();
    if (::fcntl(file.get(), F_OFD_SETLK, &range) != 0) {
      if (errno == EAGAIN || errno == EACCES) return std::variant<FileLock, LockHolder>(read_holder(path));
      if (errno == EINTR) continue;
      return fail(ErrorCode::io, "locking {}: its file system has no locks ({})", path.string(),
                  std::generic_category().message(errno));
    }
    if (!is_same_file(file.get(), path)) continue;  // removed between open and lock: that lock guards nothing
    write_holder(file.get());
    return std::variant<FileLock, LockHolder>(FileLock(std::move(file)));
  }
}

bool is_locked(const fs::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct flock range = whole_file();
  return file && ::fcntl(file.get(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

std::optional<LockHolder> holder_of(const fs::path& path) {
  if (!is_locked(path)) return std::nullopt;
  return written_holder(path);
}

}  // namespace mlpipe::sys
