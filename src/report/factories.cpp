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

std::unique_ptr<engine::Reporter> make_terminal_reporter(ReportOptions options, TerminalOptions terminal) {
  const Clock& clock = options.clock;
  return report_by(make_terminal_scribe(std::move(options), std::move(terminal)), clock);
}

std::unique_ptr<engine::Reporter> make_junit_reporter(JunitOptions options) {
  const Clock& clock = options.clock;
  return report_by(make_junit_scribe(std::move(options)), clock);
}

std::unique_ptr<engine::Reporter> make_github_reporter(ReportOptions options, GithubOptions github) {
  const Clock& clock = options.clock;
  return report_by(make_github_scribe(std::move(options), std::move(github)), clock);
}

}  // namespace mlpipe::report
