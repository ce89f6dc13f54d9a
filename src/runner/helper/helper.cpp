// The one program of the helper image: static, so that it runs in an image that holds nothing else.
//   helper pause                 holds a network namespace until it is killed
//   helper chown UID GID PATH    gives everything below PATH to UID:GID, following no links
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

uid_t owner;
gid_t group;

int give(const char* path, const struct stat* status, int, struct FTW*) {
  if (lchown(path, owner, group) != 0) {
    std::perror(path);
    return 1;
  }
  // The owner must be able to read, keep and delete what it now owns.
  if (S_ISDIR(status->st_mode)) return chmod(path, (status->st_mode & 07777U) | 0700U);
  if (S_ISREG(status->st_mode)) return chmod(path, (status->st_mode & 0777U) | 0600U);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "chown") == 0) {
    owner = static_cast<uid_t>(std::strtoul(argv[2], nullptr, 10));
    group = static_cast<gid_t>(std::strtoul(argv[3], nullptr, 10));
    return nftw(argv[4], give, 64, FTW_PHYS) == 0 ? 0 : 1;
  }
  signal(SIGTERM, [](int) { _exit(0); });
  signal(SIGINT, [](int) { _exit(0); });
  for (;;) pause();
}
