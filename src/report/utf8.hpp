#pragma once

#include <cstddef>
#include <string_view>

namespace mlpipe::report {

struct CodePoint {
  char32_t code = 0;
  std::size_t length = 1;
  bool valid = true;
};

// The character at the start of `text`, which is not empty. A malformed byte is one invalid character.
CodePoint decode(std::string_view text);

}  // namespace mlpipe::report
