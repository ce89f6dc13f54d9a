#pragma once

#include <memory>

#include "mlpipe/report/reporters.hpp"
#include "report/scribe.hpp"

// The reports of reporters.hpp as Scribes.
namespace mlpipe::report {

std::unique_ptr<Scribe> make_plain_scribe(ReportOptions options);
std::unique_ptr<Scribe> make_json_scribe(ReportOptions options);
std::unique_ptr<Scribe> make_terminal_scribe(ReportOptions options, TerminalOptions terminal);
std::unique_ptr<Scribe> make_junit_scribe(JunitOptions options);
std::unique_ptr<Scribe> make_github_scribe(ReportOptions options, GithubOptions github);

}  // namespace mlpipe::report
