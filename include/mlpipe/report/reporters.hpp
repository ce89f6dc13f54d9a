#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/report/output.hpp"
#include "mlpipe/sys/terminal.hpp"

// Implementations of engine::Reporter. None of them ever holds up or fails a run: a slow reader loses lines or frames (and is
// told so), a closed one ends the report.
namespace mlpipe::report {

enum class Color { no, yes };
enum class Glyphs { ascii, unicode };
enum class Verbosity { quiet, normal };  // quiet: only failures and the end
enum class FailureBlocks { no, yes };    // the block about each failed task at the end

// Unicode when the locale of the environment (LC_ALL, LC_CTYPE, LANG) is a UTF-8 one.
Glyphs glyphs_of_locale();

// What most reporters need. `output` and `clock` outlive the reporter.
struct ReportOptions {
  Output& output;
  const Clock& clock;
  // Where the log of an attempt lies, empty when it writes none; a file that is not there is fine.
  std::function<std::filesystem::path(engine::AttemptId)> log_path;
  Verbosity verbosity = Verbosity::normal;
  FailureBlocks failure_blocks = FailureBlocks::yes;
  // Appended to the commands that are suggested, "--root /data/root"; empty: nothing is needed.
  std::string command_suffix = {};
  // Where the run's artifacts lie, told at the end; empty: not told.
  std::string run_folder = {};
};

struct TerminalOptions {
  Color color = Color::yes;
  Glyphs glyphs = Glyphs::unicode;
  std::function<sys::TerminalSize()> size;  // asked before every frame
};

// The live view: what runs and a bar at the bottom, what ended scrolls up. Only for a terminal.
std::unique_ptr<engine::Reporter> make_terminal_reporter(ReportOptions options, TerminalOptions terminal);

// Timestamped lines without escapes, one per event.
std::unique_ptr<engine::Reporter> make_plain_reporter(ReportOptions options);

// One JSON object per line and event; docs/json.md, "Progress events".
std::unique_ptr<engine::Reporter> make_json_reporter(ReportOptions options);

struct JunitOptions {
  std::filesystem::path file;
  const Clock& clock;
  std::function<std::filesystem::path(engine::AttemptId)> log_path;
  std::function<void(const Error&)> on_error;  // the file could not be written
};
// Writes a JUnit XML file when the run ends (or when the reporter goes away before that).
std::unique_ptr<engine::Reporter> make_junit_reporter(JunitOptions options);

struct GithubOptions {
  std::optional<std::filesystem::path> step_summary;  // $GITHUB_STEP_SUMMARY
  std::function<void(const Error&)> on_error;         // the summary could not be written
  std::string stop_token;                             // hard to guess; empty: made here
};
// GitHub workflow commands: an annotation for each failed task and its log in a group. Goes with a plain reporter on the
// same Output that writes no failure blocks, so that nothing a task printed is taken for a workflow command.
std::unique_ptr<engine::Reporter> make_github_reporter(ReportOptions options, GithubOptions github);

// Forwards everything to each of `reporters`, in order.
std::unique_ptr<engine::Reporter> make_composite_reporter(std::vector<std::unique_ptr<engine::Reporter>> reporters);

}  // namespace mlpipe::report
