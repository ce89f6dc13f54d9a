#include "mlpipe/sys/random.hpp"

#include <sys/random.h>

#include <cerrno>

#include "mlpipe/base/assert.hpp"

namespace mlpipe::sys {

namespace {

void fill_random(void* memory, std::size_t bytes) {
  auto* at = static_cast<unsigned char*>(memory);
  while (bytes > 0) {
    const ssize_t got = ::getrandom(at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    MLPIPE_ASSERT(got > 0);  // the system call exists since Linux 3.17 and cannot fail otherwise
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace

std::string random_hex(std::size_t digits) {
  std::string text(digits, '\0');
  fill_random(text.data(), text.size());
  for (char& c : text) c = "0123456789abcdef"[static_cast<unsigned char>(c) & 15U];
  return text;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  fill_random(&seed, sizeof seed);
  return seed;
}

}  // namespace mlpipe::sys
