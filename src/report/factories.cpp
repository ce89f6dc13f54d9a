#include "report/scribes.hpp"

namespace mlpipe::report {

std::unique_ptr<engine::Reporter> make_plain_reporter(ReportOptions options) {
  const Clock& clock = options.clock;
  return report_by(make_plain_scribe(std::move(options)), clock);
}

std::unique_ptr<engine::Reporter> make_json_reporter(ReportOptions options) {
  const Clock& clock = options.clock;
  return report_by(make_json_scribe(std::move(options)), clock);
}

}  // namespace mlpipe::report
