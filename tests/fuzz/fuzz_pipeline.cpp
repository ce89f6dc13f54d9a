// Any bytes as a pipeline file: read or refused, and what is refused can be printed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mlpipe/spec/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  // No folder: only what is in the file itself is read.
  mlpipe::spec::ReadPipeline read =
      mlpipe::spec::read_pipeline_text(std::move(text), "fuzz.yaml", "/nonexistent", mlpipe::spec::ReadOptions{});
  std::string shown = mlpipe::spec::render(read.diagnostics, read.sources);
  if (read.spec.has_value() == mlpipe::spec::has_errors(read.diagnostics)) std::abort();  // exactly one of the two
  if (shown.empty() != read.diagnostics.empty()) std::abort();
  return 0;
}
