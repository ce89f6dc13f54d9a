#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/report/reporters.hpp"
#include "report/log_tail.hpp"
#include "report/story.hpp"

// How reports say things. All texts are printable.
namespace mlpipe::report {

// "exit code 3", "ended by SIGSEGV (exit code 139)": the result's own words, or the kind of its end.
std::string what_happened(const engine::AttemptResult& result);
// "attempt 2 of 4"; without the total when it is exceeded (attempts lost to the world do not count); "" for an only attempt.
std::string attempt_text(int attempt, int allowed);
// "cached from RUN", of the answer that ended a task.
std::string cached_text(const engine::CacheAnswer& answer);
// "failed after 1.2 s (attempt 2 of 4): exit code 3": how a failure is told everywhere; empty parts are left out.
std::string failed_text(std::string_view took, std::string_view attempt, std::string_view what);
// When it is tried again: "in 12.3 s", "at once".
std::string retry_text(std::optional<milliseconds> delay);
// The log that an attempt wrote; "" when there is none: imports write none, nor does what could not be started.
std::string written_log(const ReportOptions& options, engine::AttemptId id);
// The numbers of the Metrics artifacts among `outputs`: "rmse=26510 r2=0.91"; with several artifacts "test.rmse=26510".
std::string metrics_text(const engine::TaskData& outputs);
// "7 s", "4m 05s", "2h 03m": for what is still going on.
std::string elapsed_text(milliseconds elapsed);
// "3 succeeded, 1 failed, 2 skipped": what is not zero.
std::string counts_text(const Story& story);
// "succeeded in 12.3 s: 5 succeeded", "cancelled by SIGINT after ...".
std::string run_end_text(const Story& story);
// "pipeline.yaml:23:5"; "" when unknown.
std::string place_text(const TaskInfo& task);

// "mlpipe logs RUN TASK --root /x", words quoted for a shell.
std::string suggested_command(std::string_view command, std::span<const std::string> words, std::string_view suffix);

// A failed task, told so that the next step is clear.
struct FailureStory {
  std::string name;
  std::string what;     // "exit code 3"
  std::string took;     // "1.2 s"; "" when it never started
  std::string attempt;  // "attempt 4 of 4"
  std::string hint;
  std::string place;
  std::string log;  // its path; "" when there is none
  LogTail tail;
  std::string command;  // that shows the whole log; "" when such a task writes none
};

// At most `most` of the failed tasks, in the order they failed.
std::vector<FailureStory> failure_stories(const Story& story, const ReportOptions& options, std::size_t most);

// What the state of a task is called in a report's end when it did not fail: its reason.
std::string skip_text(const Story& story, TaskId id);

}  // namespace mlpipe::report
