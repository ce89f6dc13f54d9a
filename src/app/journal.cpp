#include "app/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "app/manifest.hpp"
#include "app/recorded_run.hpp"
#include "mlpipe/engine/naming.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using engine::TaskState;
using engine::Transition;

std::string line_of(Value::Struct value) { return to_json(std::move(value)) + "\n"; }

std::string fingerprint_line(const std::string& fingerprint, const std::string& text) {
  return line_of({{"fingerprint", fingerprint}, {"text", text}});
}

// What an attempt was given or gave: a run that is interrupted goes on from there. A result from the cache is not told: whoever
// goes on finds it there again.
Value::Struct payload_of(const Transition& transition) {
  Value::Struct payload;
  if (transition.cached()) {
    payload.emplace("cached", true);
  } else if (transition.result != nullptr) {
    const engine::AttemptResult& result = *transition.result;
    Value::Struct ended{
        {"state", to_string(result.end)}, {"exit_code", result.exit_code}, {"oom_killed", result.oom_killed},
        {"message", result.message},      {"hint", result.hint},           {"outputs", value_of(result.outputs)}};
    if (result.ended_at) ended.emplace("finished", to_rfc3339(*result.ended_at));
    payload.emplace("ended", std::move(ended));
  } else if (transition.to == TaskState::starting && transition.attempt > 0 && !transition.taken_up) {
    Value::Struct begun{{"memory", transition.memory}};
    if (transition.inputs != nullptr) begun.emplace("inputs", value_of(*transition.inputs));
    if (transition.cache != nullptr) {
      begun.emplace("fingerprint", transition.cache->fingerprint);
      begun.emplace("why", transition.cache->why);
    }
    payload.emplace("begun", std::move(begun));
  } else if (transition.to == TaskState::running && transition.already.count() > 0) {
    payload.emplace("already_ms", std::int64_t{transition.already.count()});
  } else if (transition.stop_reason) {
    payload.emplace("stop_reason",
                    *transition.stop_reason == engine::StopReason::timed_out ? "timed_out" : "cancelled");
  }
  return payload;
}

// Written by hand, for a run of many tasks has many: as value_of(EventRow) would be.
std::string event_line(const Transition& transition, std::string_view task, std::int64_t number) {
  std::string line =
      fmt::format(R"({{"event":{},"at":"{}","task":{},"from":"{}","to":"{}")", number, to_rfc3339(transition.at),
                  to_json(task), to_string(transition.from), to_string(transition.to));
  if (transition.attempt > 0) line += fmt::format(R"(,"attempt":{})", transition.attempt);
  if (!transition.reason.empty()) line += R"(,"reason":)" + to_json(transition.reason);
  if (transition.retry_in) line += fmt::format(R"(,"retry_in_ms":{})", transition.retry_in->count());
  for (const auto& [name, value] : payload_of(transition)) line += fmt::format(R"(,"{}":{})", name, to_json(value));
  line += "}\n";
  const engine::CacheAnswer* cache = transition.to == TaskState::starting ? transition.cache : nullptr;
  if (cache != nullptr && !cache->fingerprint.empty() && !cache->fingerprint_text.empty()) {
    line += fingerprint_line(cache->fingerprint, cache->fingerprint_text);
  }
  return line;
}

}  // namespace

fs::path journal_path(const fs::path& run_folder) { return run_folder / ".mlpipe" / "journal.jsonl"; }

// ---- Writing ----------------------------------------------------------------------------------------------------

JournalledRecord::JournalledRecord(engine::Record& record, const plan::Plan& plan, const fs::path& run_folder,
                                   std::int64_t events)
    : record_(record),
      plan_(plan),
      file_(journal_path(run_folder), std::ios::app | std::ios::binary),
      events_(events) {}

Result<> JournalledRecord::commit(std::span<const Transition> transitions) {
  if (Result<> done = record_.commit(transitions); !done) return done;
  for (const Transition& transition : transitions) {
    file_ << event_line(transition, plan_.task(transition.task).path(), ++events_);
  }
  file_.flush();
  return {};
}

Result<> JournalledRecord::discard(engine::TaskId task) {
  if (Result<> done = record_.discard(task); !done) return done;
  file_ << line_of({{"removed", plan_.task(task).path()}}) << std::flush;
  return {};
}

Result<> JournalledRecord::finish(engine::RunState state, WallTime at) {
  if (Result<> done = record_.finish(state, at); !done) return done;
  file_ << line_of(value_of(metadata::EventRow{.number = ++events_,
                                               .at = at,
                                               .task = {},
                                               .attempt = 0,
                                               .from = std::string(to_string(engine::RunState::running)),
                                               .to = std::string(to_string(state)),
                                               .reason = {},
                                               .retry_in = {}}))
        << std::flush;
  return {};
}

Result<> renew_journal(metadata::Queries& queries, const std::vector<metadata::EventRow>& events,
                       const std::vector<metadata::TaskRow>& tasks, const fs::path& run_folder) {
  std::string text;
  for (const metadata::EventRow& event : events) text += line_of(value_of(event));
  std::set<std::string> kept;
  for (const metadata::TaskRow& task : tasks) {
    for (const metadata::AttemptRow& attempt : task.attempts) {
      if (attempt.fingerprint.empty() || !kept.insert(attempt.fingerprint).second) continue;
      Result<std::optional<std::string>> made_of = queries.fingerprint_text(attempt.fingerprint);
      if (!made_of) return Failure(made_of.error());
      if (*made_of) text += fingerprint_line(attempt.fingerprint, **made_of);
    }
  }
  return sys::write_file_atomically(journal_path(run_folder), text, sys::Durable::yes);
}

Result<> journal_annotations(const fs::path& run_folder, const metadata::Annotations& change) {
  const fs::path path = journal_path(run_folder);
  const sys::Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return errno == ENOENT || errno == ENOTDIR ? Result<>() : sys::fail_file("noting in", path, errno);
  Value::Struct line;
  Value::Struct labels;
  for (const auto& [name, text] : change.labels) labels.emplace(name, text ? Value(*text) : Value());
  if (!labels.empty()) line.emplace("labels", std::move(labels));
  if (change.note) line.emplace("note", *change.note);
  const std::string text = line_of(std::move(line));
  // One write, so that it stands whole between those of a run that goes on.
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()))
    return sys::fail_file("noting in", path, written < 0 ? errno : ENOSPC);
  return {};
}

// ---- Reading ----------------------------------------------------------------------------------------------------

namespace {

class Reader final {
 public:
  Reader(std::int64_t events, metadata::RecordedRun& recorded) : events_(events), recorded_(recorded) {
    for (std::size_t number = 0; number < recorded.tasks.size(); ++number)
      task_of_.emplace(recorded.tasks[number].path, number);
  }

  void take(const Value& line) {
    if (line.find("event") != nullptr) {
      take_event(line);
    } else if (const std::string fingerprint = line.text_or("fingerprint", ""); !fingerprint.empty()) {
      recorded_.fingerprints.emplace(fingerprint, line.text_or("text", ""));
    } else if (metadata::TaskRow* task = find(line.text_or("removed", ""))) {
      task->removed = true;
    } else {
      take_annotations(line);
    }
  }

 private:
  metadata::TaskRow* find(const std::string& path) {
    const auto found = task_of_.find(path);
    return found == task_of_.end() ? nullptr : &recorded_.tasks[found->second];
  }

  void take_annotations(const Value& line) {
    if (const Value* labels = line.find("labels"); labels != nullptr && labels->is_struct()) {
      for (const auto& [name, text] : labels->as_struct()) {
        if (text.is_string()) recorded_.run.labels.insert_or_assign(name, text.as_string());
        if (text.is_null()) recorded_.run.labels.erase(name);
      }
    }
    if (line.find("note") != nullptr) recorded_.run.note = line.text_or("note", "");
  }

  void take_event(const Value& line) {
    const std::optional<WallTime> at = parse_rfc3339(line.text_or("at", ""));
    if (!at) return;
    std::optional<std::chrono::milliseconds> retry_in;
    if (line.find("retry_in_ms") != nullptr) retry_in = std::chrono::milliseconds(line.integer_or("retry_in_ms", 0));
    const metadata::EventRow event{.number = line.integer_or("event", 0),
                                   .at = *at,
                                   .task = line.text_or("task", ""),
                                   .attempt = static_cast<int>(line.integer_or("attempt", 0)),
                                   .from = line.text_or("from", ""),
                                   .to = line.text_or("to", ""),
                                   .reason = line.text_or("reason", ""),
                                   .retry_in = retry_in};
    if (!numbers_.insert(event.number).second) return;
    recorded_.events.push_back(event);
    if (event.number <= events_ || line.bool_or("cached", false)) return;
    if (metadata::TaskRow* task = find(event.task)) change(*task, event, line);
  }

  void change(metadata::TaskRow& task, const metadata::EventRow& event, const Value& line) {
    for (std::size_t number = 0; number < engine::k_task_states; ++number) {
      if (to_string(static_cast<TaskState>(number)) == event.to) task.state = static_cast<TaskState>(number);
    }
    task.reason = event.reason;
    if (const Value* begun = line.find("begun")) {
      metadata::AttemptRow& attempt = task.attempts.emplace_back();
      attempt.number = event.attempt;
      attempt.container = engine::container_name(recorded_.run.root, recorded_.run.id, task.path, event.attempt);
      attempt.started = event.at;
      attempt.fingerprint = task.fingerprint = begun->text_or("fingerprint", "");
      attempt.why = begun->text_or("why", "");
      attempt.memory = static_cast<std::uint64_t>(begun->integer_or("memory", 0));
      if (const Value* inputs = begun->find("inputs")) task.inputs = data_of(*inputs);
    }
    if (event.attempt == 0 || task.attempts.empty() || task.attempts.back().number != event.attempt) return;
    metadata::AttemptRow& attempt = task.attempts.back();
    if (const Value* ended = line.find("ended")) {
      attempt.state = ended->text_or("state", "");
      attempt.exit_code = static_cast<int>(ended->integer_or("exit_code", 0));
      attempt.oom_killed = ended->bool_or("oom_killed", false);
      attempt.message = ended->text_or("message", "");
      attempt.hint = ended->text_or("hint", "");
      attempt.finished = parse_rfc3339(ended->text_or("finished", "")).value_or(event.at);
      if (const Value* outputs = ended->find("outputs")) task.outputs = data_of(*outputs);
      return;
    }
    if (attempt.finished) return;
    attempt.state = event.to;
    if (event.to == to_string(TaskState::running) && !attempt.running) {
      attempt.running = event.at - std::chrono::milliseconds(line.integer_or("already_ms", 0));
    }
    if (line.find("stop_reason") != nullptr) attempt.stop_reason = line.text_or("stop_reason", "");
  }

  std::int64_t events_;
  metadata::RecordedRun& recorded_;
  std::map<std::string, std::size_t> task_of_;
  std::set<std::int64_t> numbers_;
};

}  // namespace

void apply_journal(const fs::path& run_folder, std::int64_t events, metadata::RecordedRun& recorded) {
  const Result<std::string> text = sys::read_file(journal_path(run_folder));
  if (!text) return;
  Reader reader(events, recorded);
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    if (const Result<Value> line = parse_json(std::string_view(*text).substr(begin, end - begin), "journal");
        line && line->is_struct()) {
      reader.take(*line);
    }
    begin = end + 1;
  }
}

}  // namespace mlpipe::app
