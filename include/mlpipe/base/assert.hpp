#pragma once

namespace mlpipe {
// Prints the condition and where it stands, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace mlpipe

// For bugs of ours, never for input: always on, also in release builds.
#define MLPIPE_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::mlpipe::assertion_failed(#condition, __FILE__, __LINE__))
