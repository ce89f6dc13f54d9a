// Any bytes as a component.yaml. The reader of one takes a path, so the bytes go through a file in memory.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mlpipe/spec/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("component.yaml", 0);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  mlpipe::Result<mlpipe::spec::ReadComponent> read = mlpipe::spec::read_component(path);
  if (!read) std::abort();  // the file itself can be read
  std::string shown = mlpipe::spec::render(read->diagnostics, read->sources);
  if (read->component.has_value() == mlpipe::spec::has_errors(read->diagnostics)) std::abort();
  if (shown.empty() != read->diagnostics.empty()) std::abort();
  return 0;
}
