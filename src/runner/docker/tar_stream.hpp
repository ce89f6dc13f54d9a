#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "runner/docker/context_files.hpp"

namespace mlpipe::runner::docker {

// A tar archive (POSIX pax) of a build context, made as it is read. The same files give the same bytes: no times, no
// owners.
class TarStream final {
 public:
  explicit TarStream(std::vector<ContextFile> files) : files_(std::move(files)) {}
  // The next piece, at most some 256 KiB; empty after the end.
  Result<std::string> next();

 private:
  std::vector<ContextFile> files_;
  std::size_t index_ = 0;
  std::optional<ContextReader> reader_;
  bool ended_ = false;
};

}  // namespace mlpipe::runner::docker
