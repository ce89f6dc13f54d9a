#include "app/logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "app/file_watch.hpp"
#include "app/log_lines.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/run_history.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using artifact::LogFilter;
using metadata::RunRow;

// A change of the record is told when it is written, which is some time before it can be read (it is synced first). So after
// a change we look again soon, then less and less often; no more than this where inotify tells nothing (a network file system).
constexpr std::chrono::milliseconds k_shortest_wait{50};
constexpr std::chrono::milliseconds k_longest_wait{2000};

// The log of one attempt, as far as it was printed.
class OpenLog final {
 public:
  OpenLog(std::filesystem::path file, const Console& console, LogLook look, LogFilter filter)
      : file_(std::move(file)), lines_(console, std::move(look)), filter_(filter) {}

  const std::filesystem::path& file() const { return file_; }
  bool exists() const { return std::filesystem::exists(file_); }

  // Prints what has come since the last call. A log that is not there yet has nothing.
  Result<> print(int tail) {
    if (!exists()) return {};
    if (!begun_ && tail >= 0) {
      Result<std::uint64_t> offset = artifact::log_tail_offset(file_, static_cast<std::size_t>(tail), filter_);
      if (!offset) return Failure(std::move(offset).error());
      offset_ = *offset;
    }
    begun_ = true;
    Result<std::uint64_t> offset = artifact::read_log(file_, offset_, filter_, [this](const artifact::LogPiece& piece) {
      if (lines_.wanted()) lines_.take(piece);
    });
    if (!offset) return Failure(std::move(offset).error());
    offset_ = *offset;
    return {};
  }
  void finish() { lines_.finish(); }
  bool wanted() const { return lines_.wanted(); }

 private:
  std::filesystem::path file_;
  LogLines lines_;
  LogFilter filter_;
  std::uint64_t offset_ = 0;
  bool begun_ = false;
};

class LogPrinter final {
 public:
  LogPrinter(const LogsCommand& command, const Console& console, artifact::Root root, const RunRow& run)
      : command_(command), console_(console), run_folder_(root.run(run.id)), root_(std::move(root)) {
    if (command.out_only) filter_ = LogFilter::out;
    if (command.err_only) filter_ = LogFilter::err;
  }

  // What there is now; of each task its latest attempt, or the one asked for.
  Result<> print_present(const RunHistory& history) {
    set_prefix_width(history);
    for (const RunHistory::Attempt& attempt : history.attempts()) {
      if (attempt.number != (command_.attempt > 0 ? command_.attempt : history.latest_attempt(attempt.task))) continue;
      OpenLog log = open(attempt);
      if (!log.exists() && !command_.task.empty()) {
        console_.err(
            fmt::format("mlpipe: task {} has no log of attempt {}\n", printable(attempt.task), attempt.number));
      }
      if (Result<> printed = log.print(command_.tail); !printed) return printed;
      log.finish();
      if (!log.wanted()) break;
    }
    return {};
  }

  // What there is now and what comes, until the task or run has ended or nobody reads any more.
  Result<> follow(RunHistory& history) {
    FileWatch watch;
    watch.add(root_.state());
    watch.add(root_.run_lock("").parent_path());
    set_prefix_width(history);
    begin_with_latest(history);
    std::chrono::milliseconds limit = k_shortest_wait;
    while (true) {
      const bool last = history.ended() || asked_attempt_ended(history);
      if (Result<> printed = print_open(history, watch); !printed) return printed;
      if (last || !wanted_) return {};
      limit = watch.wait(limit) ? k_shortest_wait : std::min(2 * limit, k_longest_wait);
      if (Result<> read = history.read(); !read) return read;
    }
  }

 private:
  struct Followed {
    std::size_t attempt;  // in the history
    OpenLog log;
  };

  OpenLog open(const RunHistory::Attempt& attempt) const {
    const bool several = command_.task.empty();
    LogLook look;
    look.timestamps = command_.timestamps;
    look.task = attempt.task;
    look.attempt = attempt.number;
    if (command_.json)
      look.form = LogForm::json;
    else if (several || command_.timestamps || console_.destination == Destination::terminal)
      look.form = LogForm::lines;
    if (several) {
      std::string name = printable(attempt.task);
      if (attempt.number > 1) name += fmt::format("#{}", attempt.number);
      look.prefix = fmt::format("{:<{}} | ", name, prefix_width_);
    }
    return OpenLog(artifact::TaskTree(run_folder_, attempt.task).log(attempt.number), console_, std::move(look),
                   filter_);
  }

  void set_prefix_width(const RunHistory& history) {
    for (const RunHistory::Attempt& attempt : history.attempts()) {
      const std::size_t width = attempt.task.size() + (attempt.number > 1 ? 2 : 0);
      prefix_width_ = std::min(k_widest_prefix, std::max(prefix_width_, width));
    }
  }

  // Earlier attempts are history; following begins with the latest.
  void begin_with_latest(const RunHistory& history) {
    for (; next_ < history.attempts().size(); ++next_) {
      const RunHistory::Attempt& attempt = history.attempts()[next_];
      const int asked = command_.attempt > 0 ? command_.attempt : history.latest_attempt(attempt.task);
      if (attempt.number == asked) followed_.push_back({next_, open(attempt)});
    }
  }

  bool asked_attempt_ended(const RunHistory& history) const {
    return std::any_of(history.attempts().begin(), history.attempts().end(), [&](const RunHistory::Attempt& attempt) {
      return attempt.number == command_.attempt && attempt.ended;
    });
  }

  Result<> print_open(const RunHistory& history, FileWatch& watch) {
    for (; next_ < history.attempts().size(); ++next_) {
      const RunHistory::Attempt& attempt = history.attempts()[next_];
      if (command_.attempt > 0 && attempt.number != command_.attempt) continue;
      followed_.push_back({next_, open(attempt)});
    }
    for (Followed& followed : followed_) {
      watch.add(followed.log.file());
      if (Result<> printed = followed.log.print(command_.tail); !printed) return printed;
      const bool done = history.attempts()[followed.attempt].ended || history.ended();
      if (done) followed.log.finish();
      wanted_ = wanted_ && followed.log.wanted();
    }
    std::erase_if(followed_, [&](const Followed& followed) { return history.attempts()[followed.attempt].ended; });
    return {};
  }

  static constexpr std::size_t k_widest_prefix = 30;

  const LogsCommand& command_;
  const Console& console_;
  std::filesystem::path run_folder_;
  artifact::Root root_;
  LogFilter filter_ = LogFilter::both;
  std::size_t prefix_width_ = 0;
  std::size_t next_ = 0;  // first attempt of the history that was not looked at
  std::list<Followed> followed_;
  bool wanted_ = true;
};

// Why there is nothing to print, when one task was asked for; an Error when what was asked for does not exist.
Result<std::string> why_nothing(const RunHistory& history, const metadata::TaskRow& task, metadata::Queries& queries,
                                const LogsCommand& command) {
  const auto is_wanted = [&](const RunHistory::Attempt& attempt) {
    return command.attempt == 0 || attempt.number == command.attempt;
  };
  if (std::any_of(history.attempts().begin(), history.attempts().end(), is_wanted)) return std::string();
  if (!task.cached_from.empty()) {
    const std::string says =
        fmt::format("task {} came from the cache and printed nothing in this run", printable(task.path));
    const Result<std::vector<metadata::TaskRow>> tasks = queries.tasks(task.cached_from);
    const metadata::TaskRow* maker = tasks ? maker_of(task, history.run().id, *tasks, task.cached_from) : nullptr;
    if (maker == nullptr) return fmt::format("{}; run {}, which made it, is no more on record", says, task.cached_from);
    return fmt::format("{}; `mlpipe logs {} {}` has what it printed", says, task.cached_from,
                       shell_quoted(maker->path));
  }
  if (task.attempts.empty()) {
    const std::string reason = task.reason.empty() ? "" : ": " + printable(task.reason);
    return fmt::format("task {} is {}{}; it has written nothing", printable(task.path), engine::to_string(task.state),
                       reason);
  }
  return fail_with_hint(ErrorCode::not_found,
                        fmt::format("task {} has no attempt {}", printable(task.path), command.attempt),
                        fmt::format("it has {} so far", task.attempts.size()));
}

}  // namespace

ExitCode logs(const LogsCommand& command, const Console& console) {
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  const Result<RunRow> run = (*queries)->find_run(command.run);
  if (!run) return report_error(console, run.error());
  if (command.task.empty() && command.attempt > 0) {
    return report_error(console, {ErrorCode::invalid_input, "--attempt is about one task, and none is named",
                                  fmt::format("mlpipe logs {} TASK --attempt {}", run->id, command.attempt)});
  }

  RunHistory history(**queries, *run, command.task);
  if (!command.task.empty()) {
    const Result<std::vector<metadata::TaskRow>> tasks = (*queries)->tasks(run->id);
    if (!tasks) return report_error(console, tasks.error());
    const Result<const metadata::TaskRow*> task = find_task(*run, *tasks, command.task);
    if (!task) return report_error(console, task.error());
    if (Result<> read = history.read(); !read) return report_error(console, read.error());
    if (!command.follow || history.ended()) {
      const Result<std::string> nothing = why_nothing(history, **task, **queries, command);
      if (!nothing) return report_error(console, nothing.error());
      if (!nothing->empty()) console.err(fmt::format("mlpipe: {}\n", *nothing));
    }
  } else if (Result<> read = history.read(); !read) {
    return report_error(console, read.error());
  } else if (run->cached > 0) {
    console.err(
        fmt::format("mlpipe: {} of {} tasks came from the cache: what they printed is in the runs that made them\n",
                    run->cached, run->tasks));
  }

  LogPrinter printer(command, console, artifact::Root(*root), *run);
  Result<> printed = command.follow ? printer.follow(history) : printer.print_present(history);
  if (!printed) return report_error(console, printed.error());
  if (command.follow && history.run().interrupted) {
    console.err(fmt::format("mlpipe: run {} was interrupted: the process that ran it is gone\n", run->id));
  }
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
