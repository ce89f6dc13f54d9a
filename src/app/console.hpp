#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "app/exit_code.hpp"
#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/report/reporters.hpp"

namespace mlpipe::app {

enum class Destination { pipe, terminal };

// Where a listing goes and how it may look there. Tests give one that keeps the text.
struct Console {
  // To standard output; false: the reader is gone, and nothing more needs to be said.
  std::function<bool(std::string_view)> out;
  std::function<void(std::string_view)> err;
  Destination destination = Destination::pipe;
  report::Color color = report::Color::no;
  std::size_t columns = 0;  // of the terminal; 0: lines may be as long as they like
  const Clock& clock;
};

// The program's own standard output and error.
Console standard_console(const Clock& clock);

// As print.hpp's report_error(), on a console.
ExitCode report_error(const Console& console, const Error& error);

// What text means, for its colour.
enum class Style { plain, strong, faint, good, bad, warning, active };
std::string styled(std::string_view text, Style style, report::Color color);

}  // namespace mlpipe::app
