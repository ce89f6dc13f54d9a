#include "mlpipe/runner/secret_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "mlpipe/sys/file.hpp"

namespace mlpipe::runner {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_prefix = "mlpipe-secrets-";

sys::Fd open_folder(const fs::path& path) {
  return sys::Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// Waits for whoever looks whether the folder was abandoned. False: it was taken for that, and removed.
bool lock_new_folder(const sys::Fd& folder) {
  while (::flock(folder.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  // Where there are no locks, nobody gets one either, and the folder is nobody's to remove.
  struct stat info {};
  return ::fstat(folder.get(), &info) == 0 && info.st_nlink > 0;
}

// The lock of a folder of ours that nobody holds; none: it is to be left alone.
sys::Fd lock_abandoned(const fs::path& path) {
  sys::Fd folder = open_folder(path);
  struct stat info {};
  if (!folder || ::fstat(folder.get(), &info) != 0 || info.st_uid != ::geteuid()) return {};
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return folder;
}

}  // namespace

fs::path place_of_secrets() {
  std::error_code ignored;
  return fs::is_directory("/dev/shm", ignored) ? "/dev/shm" : "/tmp";
}

Result<SecretFolder> SecretFolder::make(const fs::path& parent) {
  for (;;) {
    std::string path = (parent / k_prefix).string() + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
      return fail_errno("making a folder for secrets in " + parent.string(), errno);
    sys::Fd lock = open_folder(path);
    if (!lock && errno == ENOENT) continue;  // taken for abandoned before it could be locked
    if (!lock) return fail_errno("opening the folder for secrets " + path, errno);
    if (lock_new_folder(lock)) return SecretFolder(std::move(path), std::move(lock));
  }
}

SecretFolder::~SecretFolder() {
  if (lock_) (void)sys::remove_tree(path_);  // what stays goes with the next run
}

std::vector<fs::path> abandoned_secrets(const fs::path& parent) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
    if (!entry.path().filename().string().starts_with(k_prefix)) continue;
    if (lock_abandoned(entry.path())) found.push_back(entry.path());
  }
  return found;
}

Result<> remove_if_abandoned(const fs::path& folder) {
  const sys::Fd lock = lock_abandoned(folder);
  return lock ? sys::remove_tree(folder) : Result<>();
}

void remove_abandoned_secrets(const fs::path& parent) {
  for (const fs::path& folder : abandoned_secrets(parent)) (void)remove_if_abandoned(folder);
}

}  // namespace mlpipe::runner
