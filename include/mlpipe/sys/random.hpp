#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mlpipe::sys {

// `digits` lower-case hex digits from the kernel's random numbers.
std::string random_hex(std::size_t digits);

// A seed for a generator (jitter of retries).
std::uint64_t random_seed();

}  // namespace mlpipe::sys
