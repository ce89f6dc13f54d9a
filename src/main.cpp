#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "app/arguments.hpp"
#include "app/dispatch.hpp"
#include "app/exit_code.hpp"
#include "app/out_of_memory.hpp"
#include "app/print.hpp"
#include "mlpipe/sys/signals.hpp"

namespace {

int report_bug(const std::exception& unforeseen) {
  mlpipe::app::print_error(
      std::string("mlpipe: bug: ") + unforeseen.what() +
      "\n  hint: please report it with the command line, the spec, and what --debug-log FILE writes\n");
  return static_cast<int>(mlpipe::app::ExitCode::bug);
}

}  // namespace

int main(int argc, char** argv) try {
  mlpipe::app::end_when_out_of_memory();
  // Cron and daemons may start us with closed descriptors: no database or socket may get one of their numbers.
  if (auto opened = mlpipe::sys::open_closed_standard_descriptors(); !opened) {
    return static_cast<int>(mlpipe::app::ExitCode::environment);
  }
  const mlpipe::app::ExitCode code = mlpipe::app::dispatch(mlpipe::app::parse_arguments(argc, argv));
  return static_cast<int>(mlpipe::app::code_after_output(code));
} catch (const std::bad_alloc&) {
  return static_cast<int>(mlpipe::app::report_out_of_memory());
} catch (const std::system_error& refused) {
  if (refused.code() != std::errc::resource_unavailable_try_again) return report_bug(refused);
  mlpipe::app::print_error(
      std::string("mlpipe: no thread can be started: ") + refused.code().message() +
      "\n  hint: raise the limit on processes (ulimit -u), or run fewer tasks at once with --jobs\n");
  return static_cast<int>(mlpipe::app::ExitCode::environment);
} catch (const std::exception& unforeseen) {
  return report_bug(unforeseen);
}
