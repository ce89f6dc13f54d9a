#include <exception>

#include "app/arguments.hpp"
#include "app/dispatch.hpp"
#include "app/exit_code.hpp"
#include "app/print.hpp"
#include "mlpipe/sys/signals.hpp"

int main(int argc, char** argv) try {
  // Cron and daemons may start us with closed descriptors: no database or socket may get one of their numbers.
  if (auto opened = mlpipe::sys::open_closed_standard_descriptors(); !opened) {
    return static_cast<int>(mlpipe::app::ExitCode::environment);
  }
  return static_cast<int>(mlpipe::app::dispatch(mlpipe::app::parse_arguments(argc, argv)));
} catch (const std::exception& unforeseen) {
  mlpipe::app::print_error(std::string("mlpipe: bug: ") + unforeseen.what() +
                           "\n  hint: please report it with the command line and the spec\n");
  return static_cast<int>(mlpipe::app::ExitCode::bug);
}
