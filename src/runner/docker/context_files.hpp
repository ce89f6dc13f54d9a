#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::runner::docker {

struct ContextFile {
  enum class Kind { file, folder, symlink };
  std::string path;              // relative to the context, '/' between names
  std::filesystem::path source;  // where it lies
  Kind kind = Kind::file;
  std::uint32_t mode = 0;  // permissions as sent: folders 0755, files 0755 when their owner may execute them, else 0644
  std::uint64_t size = 0;  // of a file
  std::string target;      // of a symlink
};

// What a build of `context` sends: its files after .dockerignore, sorted by path; the Dockerfile and .dockerignore
// always (the engine hides them again when they are excluded). Symlinks are not followed; sockets, FIFOs and devices
// are left out.
Result<std::vector<ContextFile>> list_context(const std::filesystem::path& context);

// Reads one of those files in pieces. A file that is not as long as it was when it was listed is an error (`conflict`).
class ContextReader final {
 public:
  static Result<ContextReader> open(const ContextFile& file);
  // The next piece; empty at the end.
  Result<std::string> next();

 private:
  ContextReader(sys::Fd fd, std::string path, std::uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), left_(size) {}

  sys::Fd fd_;
  std::string path_;
  std::uint64_t left_;
};

}  // namespace mlpipe::runner::docker
