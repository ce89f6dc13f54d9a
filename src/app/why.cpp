#include "app/why.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/manifest.hpp"
#include "app/payload_difference.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/lineage.hpp"
#include "mlpipe/plan/fingerprint.hpp"
#include "mlpipe/runner/build_context.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;
using engine::Artifact;
using engine::TaskState;
using metadata::Making;
using metadata::Queries;
using metadata::RunRow;
using metadata::TaskRow;

// One thing that is not as it was.
struct Change {
  plan::FingerprintChange fact;
  std::string text;
  std::string made_by;     // of an input: the task of this run that gave it
  std::string built_from;  // of an image: the folder
  std::string in_build;    // of an image: what changed there; "" when that is not on record
  std::optional<std::uint64_t> bytes_before;
  std::optional<std::uint64_t> bytes_after;
  std::string first_difference;
};

struct Explanation {
  std::string outcome;  // docs/json.md, "mlpipe why"
  std::string reason;
  std::optional<Making> source;        // of a cached task: the attempt that made its result
  std::vector<std::string> waits_for;  // of a waiting task
  std::optional<Making> compared_with;
  std::vector<Change> changes;
  bool is_comparable = false;  // both have what they were made of on record
};

std::string file_sizes(const Change& change) {
  if (!change.bytes_before || !change.bytes_after) return "";
  return fmt::format("{} before, {} now", bytes_text(*change.bytes_before), bytes_text(*change.bytes_after));
}

class Explainer final {
 public:
  Explainer(Queries& queries, const RunRow& run, const std::vector<TaskRow>& tasks, const fs::path& root)
      : queries_(queries), run_(run), tasks_(tasks), root_(root) {}

  Result<Explanation> explain(const TaskRow& task) {
    Explanation found;
    found.reason = task.reason;
    if (!task.cached_from.empty()) return explain_cached(task, std::move(found));
    if (!task.attempts.empty()) return explain_attempts(task, std::move(found));
    found.outcome = engine::to_string(task.state);
    if (task.state == TaskState::waiting) found.waits_for = unfinished_needs(task);
    if (task.state == TaskState::ready && found.reason.empty())
      found.reason = "it waits for room: --jobs, or the resources and pools it asks for";
    return found;
  }

 private:
  // A cached result may stand for a cached one: back to the attempt that really ran.
  Result<Explanation> explain_cached(const TaskRow& task, Explanation found) {
    found.outcome = "cached";
    std::set<std::string> seen;
    std::string from = task.cached_from;
    while (!from.empty() && seen.insert(from).second) {
      const Result<std::vector<TaskRow>> rows = queries_.tasks(from);
      if (!rows && rows.error().code == ErrorCode::not_found) break;
      if (!rows) return Failure(rows.error());
      const TaskRow* maker = maker_of(task, run_.id, *rows, from);
      if (maker == nullptr) break;
      Result<std::optional<Making>> making = queries_.making_of(from, maker->path);
      if (!making) return Failure(std::move(making).error());
      if (*making) found.source = std::move(**making);
      from = maker->cached_from;
    }
    return found;
  }

  Result<Explanation> explain_attempts(const TaskRow& task, Explanation found) {
    const bool is_import = task.image.empty();
    found.outcome = is_import ? "imported" : "ran";
    const metadata::AttemptRow& first = task.attempts.front();
    found.reason = is_import ? "an import is looked at in every run" : first.why;
    Result<std::optional<Making>> earlier = queries_.earlier_making(
        run_.id, task.path, is_import ? metadata::Comparable::any : metadata::Comparable::with_fingerprint);
    if (!earlier) return Failure(std::move(earlier).error());
    if (!*earlier) return found;
    found.compared_with = std::move(**earlier);
    if (is_import) {
      compare_imports(task, found);
      return found;
    }
    if (Result<> compared = compare(task, first.fingerprint, found); !compared) return Failure(compared.error());
    return found;
  }

  Result<> compare(const TaskRow& task, const std::string& fingerprint, Explanation& found) {
    Result<std::optional<std::string>> before = queries_.fingerprint_text(found.compared_with->fingerprint);
    if (!before) return Failure(std::move(before).error());
    Result<std::optional<std::string>> after = queries_.fingerprint_text(fingerprint);
    if (!after) return Failure(std::move(after).error());
    if (!*before || !*after) return {};
    found.is_comparable = true;
    for (plan::FingerprintChange& fact : plan::compare_fingerprints(**before, **after)) {
      Change& change = found.changes.emplace_back();
      change.text = plan::to_string(fact);
      change.fact = std::move(fact);
      if (change.fact.kind == "image" && task.image.starts_with('/')) {
        if (Result<> looked = look_at_build(task, *found.compared_with, change); !looked) return looked;
      }
      if (change.fact.kind == "input") look_at_input(task, *found.compared_with, change);
    }
    return {};
  }

  Result<> look_at_build(const TaskRow& task, const Making& earlier, Change& change) {
    change.built_from = task.image;
    const Result<std::optional<std::string>> before = queries_.made_of(earlier.run, task.image);
    if (!before) return Failure(before.error());
    const Result<std::optional<std::string>> after = queries_.made_of(run_.id, task.image);
    if (!after) return Failure(after.error());
    if (*before && *after) change.in_build = runner::build_changes(**before, **after);
    return {};
  }

  void compare_imports(const TaskRow& task, Explanation& found) {
    found.is_comparable = true;
    for (const auto& [name, artifact] : task.outputs.artifacts) {
      const auto old = found.compared_with->outputs.artifacts.find(name);
      if (old == found.compared_with->outputs.artifacts.end() || old->second.digest == artifact.digest) continue;
      Change& change = found.changes.emplace_back();
      change.fact = {.kind = "import", .name = "", .before = old->second.digest, .after = artifact.digest};
      change.text = plan::to_string(change.fact);
      compare_payloads(*found.compared_with, old->second, artifact, change);
    }
  }

  void look_at_input(const TaskRow& task, const Making& earlier, Change& change) {
    const auto now = task.inputs.artifacts.find(change.fact.name);
    const auto before = earlier.inputs.artifacts.find(change.fact.name);
    if (now == task.inputs.artifacts.end()) return;
    for (const TaskRow& other : tasks_) {
      for (const auto& [name, artifact] : other.outputs.artifacts) {
        if (artifact.uri == now->second.uri && artifact.digest == now->second.digest) change.made_by = other.path;
      }
    }
    if (before == earlier.inputs.artifacts.end() || before->second.digest == now->second.digest) return;
    compare_payloads(earlier, before->second, now->second, change);
  }

  void compare_payloads(const Making& earlier, const Artifact& before, const Artifact& now, Change& change) {
    change.bytes_before = before.bytes;
    change.bytes_after = now.bytes;
    std::string root_before = run_.root;
    if (const Result<RunRow> run = queries_.find_run(earlier.run)) root_before = run->root;
    const fs::path old_payload = payload_path(before.uri, root_before, root_);
    const fs::path payload = payload_path(now.uri, run_.root, root_);
    if (!old_payload.empty() && !payload.empty()) change.first_difference = first_difference(old_payload, payload);
    if (change.first_difference == file_sizes(change)) change.first_difference.clear();  // of a file: said already
  }

  // The record has no edges; run.json has.
  std::vector<std::string> unfinished_needs(const TaskRow& task) {
    std::vector<std::string> unfinished;
    const Result<Value> manifest = load_manifest(artifact::Root(root_).run(run_.id));
    if (!manifest) return unfinished;
    const std::vector<std::string> needs = needs_of(*manifest, task.path);
    for (const TaskRow& other : tasks_) {
      const bool is_needed = std::ranges::find(needs, other.path) != needs.end();
      if (is_needed && !engine::is_final(other.state)) unfinished.push_back(other.path);
    }
    return unfinished;
  }

  Queries& queries_;
  const RunRow& run_;
  const std::vector<TaskRow>& tasks_;
  const fs::path& root_;
};

// ---- Text -------------------------------------------------------------------------------------------------------

std::string attempt_text(const Making& making) {
  std::string text = fmt::format("{} of run {}", making.task, making.run);
  if (making.attempt > 0) text += fmt::format(", attempt {}", making.attempt);
  text += ", " + making.state;
  if (making.finished) text += " " + to_local_time_text(*making.finished);
  return text;
}

std::string head_text(const RunRow& run, const TaskRow& task, const Explanation& found) {
  const std::string name = printable(task.path);
  const std::string reason = printable(found.reason);
  if (found.outcome == "cached") {
    std::string text = fmt::format("{} was not run: it has the result of run {}\n", name, task.cached_from);
    text +=
        found.source ? fmt::format("  made by {}\n", attempt_text(*found.source)) : "  which is no more on record\n";
    return text + (task.removed ? "  its artifacts were taken away, and nothing needed them\n" : "");
  }
  if (found.outcome == "ran" || found.outcome == "imported") {
    std::string text = fmt::format("{} {}{}\n", name, found.outcome == "ran" ? "ran" : "was imported",
                                   reason.empty() ? ": why is not on record" : ": " + reason);
    for (std::size_t i = 0; i + 1 < task.attempts.size(); ++i) {
      text +=
          fmt::format("  attempt {} was tried again: {}\n", task.attempts[i].number,
                      printable(task.attempts[i].message.empty() ? task.attempts[i].state : task.attempts[i].message));
    }
    return text;
  }
  std::string text = fmt::format("{} did not run: {}", name, found.outcome);
  if (run.interrupted && !engine::is_final(task.state)) text += fmt::format(" when run {} was interrupted", run.id);
  if (!found.waits_for.empty()) text += ", for " + join(found.waits_for, ", ");
  return text + (reason.empty() ? "" : ": " + reason) + "\n";
}

std::string comparison_text(const TaskRow& task, const Explanation& found) {
  if (found.outcome != "ran" && found.outcome != "imported") return "";
  if (!found.compared_with)
    return fmt::format("  no earlier run of this pipeline has a task {} to compare with\n", printable(task.path));
  const std::string with = attempt_text(*found.compared_with);
  if (!found.is_comparable) return fmt::format("  what changed since {} is not on record\n", with);
  if (found.changes.empty()) return fmt::format("  nothing changed since {}\n", with);
  std::string text = fmt::format("  changed since {}:\n", with);
  for (const Change& change : found.changes) {
    text += fmt::format("    {}\n", change.text);
    if (!change.made_by.empty()) text += fmt::format("      it is the output of {}\n", printable(change.made_by));
    if (!change.built_from.empty()) {
      text += fmt::format("      it was built anew from {}: {}\n", printable(change.built_from),
                          change.in_build.empty() ? "its files changed, or the image it starts from" : change.in_build);
    }
    if (const std::string sizes = file_sizes(change); !sizes.empty()) text += fmt::format("      {}\n", sizes);
    if (!change.first_difference.empty()) text += fmt::format("      first difference: {}\n", change.first_difference);
  }
  return text;
}

// ---- JSON -------------------------------------------------------------------------------------------------------

Value making_value(const Making& making) {
  Value::Struct value{{"run", making.run}, {"task", making.task}, {"state", making.state}};
  if (making.attempt > 0) value.emplace("attempt", making.attempt);
  if (making.finished) value.emplace("finished", to_rfc3339(*making.finished));
  return value;
}

Value change_value(const Change& change) {
  Value::Struct value{{"kind", change.fact.kind}, {"text", change.text}};
  const auto add = [&value](const char* name, const std::string& text) {
    if (!text.empty()) value.emplace(name, text);
  };
  add("name", change.fact.name);
  add("before", change.fact.before);
  add("after", change.fact.after);
  add("made_by", change.made_by);
  add("built_from", change.built_from);
  add("in_build", change.in_build);
  add("first_difference", change.first_difference);
  if (change.bytes_before) value.emplace("bytes_before", static_cast<std::int64_t>(*change.bytes_before));
  if (change.bytes_after) value.emplace("bytes_after", static_cast<std::int64_t>(*change.bytes_after));
  return value;
}

Value answer_of(const RunRow& run, const TaskRow& task, const Explanation& found) {
  Value::Struct answer{{"run", run.id},
                       {"task", task.path},
                       {"state", engine::to_string(task.state)},
                       {"outcome", found.outcome},
                       {"attempts", static_cast<std::int64_t>(task.attempts.size())}};
  if (!found.reason.empty()) answer.emplace("reason", found.reason);
  if (!task.cached_from.empty()) answer.emplace("cached_from", task.cached_from);
  if (found.source) answer.emplace("made_by", making_value(*found.source));
  if (!found.waits_for.empty())
    answer.emplace("waits_for", Value(Value::List(found.waits_for.begin(), found.waits_for.end())));
  if (found.compared_with) answer.emplace("compared_with", making_value(*found.compared_with));
  if (found.is_comparable) {
    Value::List changes;
    for (const Change& change : found.changes) changes.push_back(change_value(change));
    answer.emplace("changes", std::move(changes));
  }
  return answer;
}

}  // namespace

ExitCode why(const WhyCommand& command, const Console& console) {
  const Result<fs::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  const Result<RunRow> run = (*queries)->find_run(command.run);
  if (!run) return report_error(console, run.error());
  const Result<std::vector<TaskRow>> tasks = (*queries)->tasks(run->id);
  if (!tasks) return report_error(console, tasks.error());
  const Result<const TaskRow*> task = find_task(*run, *tasks, command.task);
  if (!task) return report_error(console, task.error());
  const Result<Explanation> found = Explainer(**queries, *run, *tasks, *root).explain(**task);
  if (!found) return report_error(console, found.error());
  console.out(command.json ? to_pretty_json(answer_of(*run, **task, *found))
                           : head_text(*run, **task, *found) + comparison_text(**task, *found));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
