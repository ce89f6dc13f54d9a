#include "app/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/show_text.hpp"
#include "app/text_table.hpp"
#include "app/verify_artifacts.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using metadata::RunRow;
using metadata::TaskRow;

constexpr std::size_t k_files_shown = 10;

// Finds out which tasks' payload was taken away: of a cached task it is the payload of the run it came from.
class Removals final {
 public:
  explicit Removals(metadata::Queries& queries) : queries_(queries) {}

  bool is_removed(const TaskRow& task, const engine::Artifact& artifact) {
    if (task.removed) return true;
    if (task.cached_from.empty()) return false;
    const auto [at, is_new] = tasks_.try_emplace(task.cached_from);
    if (is_new) {
      // A run that is gone from the record says nothing.
      if (Result<std::vector<TaskRow>> found = queries_.tasks(task.cached_from); found) at->second = std::move(*found);
    }
    return std::any_of(at->second.begin(), at->second.end(), [&](const TaskRow& other) {
      return other.removed && std::any_of(other.outputs.artifacts.begin(), other.outputs.artifacts.end(),
                                          [&](const auto& output) { return output.second.uri == artifact.uri; });
    });
  }

 private:
  metadata::Queries& queries_;
  std::map<std::string, std::vector<TaskRow>> tasks_;
};

std::optional<WallTime> recorded_at(const RunRow& run, const TaskRow& task) {
  if (!task.cached_from.empty()) return run.created;
  return task.attempts.empty() ? std::nullopt : task.attempts.back().finished;
}

// An importer follows the user's own links, unlike a task's.
std::filesystem::path followed(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? path : real;
}

std::vector<VerifiedArtifact> artifacts_of(metadata::Queries& queries, const RunRow& run,
                                           const std::vector<TaskRow>& tasks, const std::string& only,
                                           const std::filesystem::path& root) {
  Removals removals(queries);
  std::vector<VerifiedArtifact> artifacts;
  for (const TaskRow& task : tasks) {
    if (!only.empty() && task.path != only) continue;
    for (const auto& [output, artifact] : task.outputs.artifacts) {
      VerifiedArtifact& added = artifacts.emplace_back();
      added.task = task.path;
      added.output = output;
      added.recorded = artifact;
      added.path = payload_path(artifact.uri, run.root, root);
      if (task.image.empty()) added.path = followed(added.path);
      added.since = recorded_at(run, task);
      if (removals.is_removed(task, artifact)) added.finding = Finding::removed;
    }
  }
  return artifacts;
}

Style style_of(Finding finding) {
  switch (finding) {
    case Finding::ok: return Style::good;
    case Finding::changed:
    case Finding::missing: return Style::bad;
    case Finding::removed: return Style::faint;
    case Finding::unreadable: return Style::warning;
  }
  return Style::plain;
}

std::string remark_on(const VerifiedArtifact& artifact) {
  switch (artifact.finding) {
    case Finding::ok: return "";
    case Finding::missing: return fmt::format("nothing is at {}", artifact.path.string());
    case Finding::removed: return "its payload was taken away, which is on record";
    case Finding::unreadable: return artifact.message;
    case Finding::changed: break;
  }
  if (!artifact.message.empty()) return artifact.message;
  std::string text = fmt::format("{} is now {}", short_digest(artifact.recorded.digest), short_digest(artifact.digest));
  if (artifact.bytes != artifact.recorded.bytes) text += fmt::format(", {}", bytes_text(artifact.bytes));
  if (artifact.files.empty()) return text;
  const std::size_t shown = std::min(artifact.files.size(), k_files_shown);
  text += fmt::format("; changed since: {}", join(std::span(artifact.files).first(shown), ", "));
  if (shown < artifact.files.size()) text += fmt::format(" and {} more", artifact.files.size() - shown);
  return text;
}

std::size_t count(const std::vector<VerifiedArtifact>& artifacts, Finding finding) {
  return static_cast<std::size_t>(
      std::count_if(artifacts.begin(), artifacts.end(), [&](const auto& one) { return one.finding == finding; }));
}

constexpr Finding k_findings[] = {Finding::ok, Finding::changed, Finding::missing, Finding::removed,
                                  Finding::unreadable};

std::string text_of(const RunRow& run, const std::vector<VerifiedArtifact>& artifacts, const Console& console) {
  TextTable table({{"ARTIFACT"}, {"STATE"}, {"SIZE", Align::right}, {""}});
  for (const VerifiedArtifact& artifact : artifacts) {
    table.add({printable(fmt::format("{}.{}", artifact.task, artifact.output)),
               Cell(std::string(to_string(artifact.finding)), style_of(artifact.finding)),
               bytes_text(artifact.recorded.bytes), printable(remark_on(artifact))});
  }
  std::string counts;
  std::uint64_t bytes = 0;
  for (const Finding finding : k_findings) {
    if (const std::size_t number = count(artifacts, finding); number > 0)
      counts += fmt::format("{} {} {}", counts.empty() ? ":" : ",", number, to_string(finding));
  }
  for (const VerifiedArtifact& artifact : artifacts) bytes += artifact.bytes;
  const std::string lines = table.empty() ? "" : table.render(console.color);
  return lines + fmt::format("{} {} of run {}{}; {} read\n", artifacts.size(),
                             artifacts.size() == 1 ? "artifact" : "artifacts", run.id, counts, bytes_text(bytes));
}

Value value_of(const VerifiedArtifact& artifact) {
  Value::Struct value{{"task", artifact.task},
                      {"output", artifact.output},
                      {"state", to_string(artifact.finding)},
                      {"uri", artifact.recorded.uri},
                      {"digest", artifact.recorded.digest},
                      {"bytes", static_cast<std::int64_t>(artifact.recorded.bytes)}};
  if (!artifact.path.empty()) value.emplace("path", artifact.path.string());
  if (!artifact.digest.empty()) {
    value.emplace("found_digest", artifact.digest);
    value.emplace("found_bytes", static_cast<std::int64_t>(artifact.bytes));
  }
  if (!artifact.message.empty()) value.emplace("message", artifact.message);
  if (!artifact.files.empty()) {
    Value::List files;
    for (const std::string& file : artifact.files) files.emplace_back(file);
    value.emplace("files", std::move(files));
  }
  return value;
}

Value answer_of(const std::filesystem::path& root, const RunRow& run, const std::vector<VerifiedArtifact>& artifacts) {
  Value::List list;
  for (const VerifiedArtifact& artifact : artifacts) list.push_back(value_of(artifact));
  Value::Struct counts{{"total", static_cast<std::int64_t>(artifacts.size())}};
  for (const Finding finding : k_findings) {
    if (const std::size_t number = count(artifacts, finding); number > 0)
      counts.emplace(to_string(finding), static_cast<std::int64_t>(number));
  }
  return Value::Struct{
      {"run", run.id}, {"root", root.string()}, {"counts", std::move(counts)}, {"artifacts", std::move(list)}};
}

ExitCode exit_code_of(const std::vector<VerifiedArtifact>& artifacts) {
  if (count(artifacts, Finding::changed) + count(artifacts, Finding::missing) > 0) return ExitCode::run_failed;
  return count(artifacts, Finding::unreadable) > 0 ? ExitCode::environment : ExitCode::succeeded;
}

// Reads all of them, and says meanwhile how far it is.
bool read_all(std::vector<VerifiedArtifact>& artifacts, const Console& console, const sys::StopSignal& stop,
              ShowProgress show_progress) {
  if (show_progress == ShowProgress::no) return verify_artifacts(artifacts, stop, {});
  std::uint64_t all = 0;
  for (const VerifiedArtifact& artifact : artifacts) {
    if (artifact.finding != Finding::removed) all += artifact.recorded.bytes;
  }
  const bool done = verify_artifacts(artifacts, stop, [&](std::uint64_t bytes, std::size_t ended) {
    console.err(fmt::format("\r\x1b[Kverifying: {} of {} artifacts, {} of {}", ended, artifacts.size(),
                            bytes_text(bytes), bytes_text(all)));
  });
  console.err("\r\x1b[K");
  return done;
}

}  // namespace

ExitCode verify(const VerifyCommand& command, const Console& console, const sys::StopSignal& stop,
                ShowProgress show_progress) {
  const Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  const Result<RunRow> run = (*queries)->find_run(command.run);
  if (!run) return report_error(console, run.error());
  const Result<std::vector<TaskRow>> tasks = (*queries)->tasks(run->id);
  if (!tasks) return report_error(console, tasks.error());
  if (!command.task.empty()) {
    if (Result<const TaskRow*> task = find_task(*run, *tasks, command.task); !task)
      return report_error(console, task.error());
  }

  std::vector<VerifiedArtifact> artifacts = artifacts_of(**queries, *run, *tasks, command.task, *root);
  if (!read_all(artifacts, console, stop, show_progress)) {
    console.err(fmt::format("mlpipe: verifying run {} was interrupted\n", run->id));
    return ExitCode::interrupted;
  }
  console.out(command.json ? to_pretty_json(answer_of(*root, *run, artifacts)) : text_of(*run, artifacts, console));
  return exit_code_of(artifacts);
}

}  // namespace mlpipe::app
