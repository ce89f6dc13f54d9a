#include "app/out_of_memory.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <typeinfo>

#include "app/print.hpp"

namespace mlpipe::app {
namespace {

// Handlers are given nothing, so this is the process's. The standard library's own terminations (std::filesystem throws
// where it said it would not) come without the exception.
std::atomic<bool> some_was_refused = false;

bool is_out_of_memory() {
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  return thrown != nullptr ? *thrown == typeid(std::bad_alloc) : some_was_refused.load();
}

}  // namespace

ExitCode report_out_of_memory() {
  print_error(
      "mlpipe: out of memory\n"
      "  hint: raise its limit (ulimit -v), or run fewer tasks at once with --jobs; a run that was under way goes on "
      "with "
      "`mlpipe resume`\n");
  return ExitCode::environment;
}

void end_when_out_of_memory() {
  std::set_new_handler([] {
    some_was_refused = true;
    throw std::bad_alloc();
  });
  std::set_terminate([] {
    if (is_out_of_memory()) ::_exit(static_cast<int>(report_out_of_memory()));
    std::fputs("mlpipe: bug: it ends unforeseen; please report it with the command line and the spec\n", stderr);
    std::abort();
  });
}

}  // namespace mlpipe::app
