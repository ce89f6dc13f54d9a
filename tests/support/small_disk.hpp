#pragma once

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "support/temp_dir.hpp"

namespace mlpipe::test {

// A tmpfs of its own: to fill, to run out of inodes, to make read-only. Mounting needs root; without it ok() is false
// and why_not() is the reason for GTEST_SKIP().
class SmallDisk final {
 public:
  // `options` as for mount -t tmpfs -o: "size=64k", "size=1m,nr_inodes=8".
  explicit SmallDisk(const std::string& options) {
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, options.c_str()) != 0) error_ = errno;
  }
  ~SmallDisk() {
    if (ok()) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool ok() const { return error_ == 0; }
  std::string why_not() const { return std::string("cannot mount a tmpfs here: ") + std::strerror(error_); }
  const std::filesystem::path& path() const { return dir_.path(); }
  bool make_read_only() { return ::mount("tmpfs", path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0; }

 private:
  TempDir dir_;
  int error_ = 0;
};

// Files are used as the user "nobody" while it lives; only root can change so: otherwise the caller is unprivileged
// anyway.
class Unprivileged final {
 public:
  Unprivileged() : was_root_(::geteuid() == 0) {
    if (was_root_ && ::seteuid(65534) != 0) std::abort();
  }
  ~Unprivileged() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  bool was_root_;
};

}  // namespace mlpipe::test
