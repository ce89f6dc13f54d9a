#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace mlpipe::test {

// The same numbers for the same seed, on every machine.
class Random final {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  // In [0, end).
  unsigned below(unsigned end) { return static_cast<unsigned>(engine_() % end); }
  // In [first, last].
  unsigned between(unsigned first, unsigned last) { return first + below(last - first + 1); }
  bool chance(unsigned percent) { return below(100) < percent; }
  // 0, 1, ..., size - 1 in a random order.
  std::vector<unsigned> permutation(unsigned size) {
    std::vector<unsigned> numbers(size);
    for (unsigned i = 0; i < size; ++i) numbers[i] = i;
    for (unsigned i = size; i > 1; --i) std::swap(numbers[i - 1], numbers[below(i)]);
    return numbers;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace mlpipe::test
