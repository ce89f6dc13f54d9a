#include "mlpipe/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace mlpipe {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "mlpipe: bug: %s:%d: %s does not hold; please report it with the command line and the spec\n",
               file, line, condition);
  std::abort();
}

}  // namespace mlpipe
