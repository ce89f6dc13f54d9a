#include "app/reporting.hpp"

#include <unistd.h>

#include "app/print.hpp"
#include "app/root.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/report/reporters.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {
namespace {

int descriptor_of(ProgressTarget target) {
  return target == ProgressTarget::standard_output ? STDOUT_FILENO : STDERR_FILENO;
}

std::unique_ptr<report::Sink> sink_of(ProgressTarget target) {
  if (target == ProgressTarget::standard_error) return report::make_fd_sink(STDERR_FILENO);
  return report::make_fd_sink(STDOUT_FILENO, [](int error) {
    if (error != 0) note_lost_output(fail_errno("writing", error).value());
  });
}

ProgressStyle choose_style(ProgressStyle said, int descriptor) {
  if (said != ProgressStyle::automatic) return said;
  bool live = sys::can_redraw(sys::is_terminal(descriptor), sys::terminal_environment());
  return live ? ProgressStyle::terminal : ProgressStyle::plain;
}

}  // namespace

Reporting::Reporting(const RunCommand& command, const plan::Plan& plan, const artifact::Root& root,
                     const std::string& run_id, const Clock& clock)
    : style_(choose_style(command.progress, descriptor_of(command.progress_to))),
      output_(sink_of(command.progress_to)),
      clock_(clock),
      quiet_(command.quiet) {
  std::filesystem::path run_folder = root.run(run_id);
  auto log_path = [&plan, run_folder](engine::AttemptId id) {
    if (plan.component(id.task).is_importer()) return std::filesystem::path();
    return artifact::TaskTree(run_folder, plan.task(id.task).path()).log(id.number);
  };
  bool github = sys::environment("GITHUB_ACTIONS") == "true" && style_ != ProgressStyle::json;
  auto options = [&]() -> report::ReportOptions {
    return {.output = output_,
            .clock = clock,
            .log_path = log_path,
            .verbosity = quiet_ ? report::Verbosity::quiet : report::Verbosity::normal,
            .failure_blocks = github ? report::FailureBlocks::no : report::FailureBlocks::yes,
            .command_suffix = root_option(command.root, root.path()),
            .run_folder = run_folder.string()};
  };
  auto complain = [](const Error& error) { (void)report_error(error); };
  std::vector<std::unique_ptr<engine::Reporter>> all;
  if (style_ == ProgressStyle::terminal && !quiet_) {
    report::TerminalOptions terminal{
        .color = sys::wants_color(true, sys::terminal_environment()) ? report::Color::yes : report::Color::no,
        .glyphs = report::glyphs_of_locale(),
        .size = [to = descriptor_of(command.progress_to)] {
          return sys::terminal_size(to).value_or(sys::TerminalSize{});
        }};
    all.push_back(report::make_terminal_reporter(options(), std::move(terminal)));
  } else if (style_ == ProgressStyle::json) {
    all.push_back(report::make_json_reporter(options()));
  } else {
    all.push_back(report::make_plain_reporter(options()));
  }
  if (github) {
    report::GithubOptions extra{.step_summary = {}, .on_error = complain, .stop_token = {}};
    if (auto file = sys::environment("GITHUB_STEP_SUMMARY"); file && !file->empty()) extra.step_summary = *file;
    all.push_back(report::make_github_reporter(options(), std::move(extra)));
  }
  if (!command.junit.empty()) {
    all.push_back(report::make_junit_reporter(
        {.file = command.junit, .clock = clock, .log_path = log_path, .on_error = complain}));
  }
  reporter_ = report::make_composite_reporter(std::move(all));
}

void Reporting::preparing(std::string_view line) {
  if (quiet_) return;
  if (style_ == ProgressStyle::json) {
    Value event = Value::Struct{{"event", "preparing"}, {"time", to_rfc3339(clock_.wall())}, {"text", line}};
    output_.write(to_json(event) + "\n");
  } else {
    output_.write(to_local_clock_text(clock_.wall()) + " " + printable(line) + "\n");
  }
}

void Reporting::finish() { output_.finish(std::chrono::seconds(5)); }

}  // namespace mlpipe::app
