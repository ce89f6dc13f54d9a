#include "app/lineage.hpp"

#include <algorithm>
#include <cctype>

#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

using metadata::Making;
using metadata::Queries;
using metadata::RunRow;
using metadata::TaskRow;

constexpr std::size_t k_shortest_digest = 8;
constexpr const char* k_how =
    "an artifact is RUN/TASK/OUTPUT, the path of its payload, or 8 or more digits of its digest";

// The digits of "sha256:1234abcd" or "1234abcd"; nothing when it is no digest.
std::optional<std::string> digest_prefix(const std::string& reference) {
  constexpr std::string_view k_algorithm = "sha256:";
  const bool is_said = reference.starts_with(k_algorithm);
  const std::string digits = is_said ? reference.substr(k_algorithm.size()) : reference;
  const bool hex = std::all_of(digits.begin(), digits.end(),
                               [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
  if (!hex || digits.size() < k_shortest_digest || digits.size() > 64) return std::nullopt;
  return std::string(k_algorithm) + to_lower(digits);
}

Result<FoundArtifact> by_digest(Queries& queries, const std::string& prefix) {
  constexpr std::size_t k_shown = 5;
  const Result<std::vector<std::string>> digests = queries.digests(prefix, k_shown + 1);
  if (!digests) return Failure(digests.error());
  if (digests->empty()) {
    return fail_with_hint(ErrorCode::not_found, fmt::format("no artifact on record has the digest {}", prefix), k_how);
  }
  if (digests->size() > 1) {
    const std::size_t shown = std::min(digests->size(), k_shown);
    return fail_with_hint(
        ErrorCode::conflict,
        fmt::format("several artifacts have digests that begin with {}: {}{}", prefix,
                    join(std::span(*digests).first(shown), ", "), shown < digests->size() ? " and more" : ""),
        "give more of the digest");
  }
  // Mostly something made it; what a run only took (of a run that is gone) is known by who took it.
  for (const metadata::Side side : {metadata::Side::output, metadata::Side::input}) {
    const Result<std::vector<Making>> makings = queries.makings({.side = side, .digest = digests->front()});
    if (!makings) return Failure(makings.error());
    for (const Making& making : *makings) {
      const engine::TaskData& data = side == metadata::Side::output ? making.outputs : making.inputs;
      for (const auto& [name, artifact] : data.artifacts) {
        if (artifact.digest == digests->front()) return FoundArtifact{artifact, "", "", name};
      }
    }
  }
  return fail(ErrorCode::not_found, "no latest attempt on record has an artifact with the digest {}", digests->front());
}

Result<FoundArtifact> by_place(Queries& queries, const RunRow& run, const std::string& task,
                               const std::string& output) {
  const Result<std::vector<TaskRow>> tasks = queries.tasks(run.id);
  if (!tasks) return Failure(tasks.error());
  const Result<const TaskRow*> row = find_task(run, *tasks, task);
  if (!row) return Failure(row.error());
  const auto& artifacts = (*row)->outputs.artifacts;
  if (const auto found = artifacts.find(output); found != artifacts.end())
    return FoundArtifact{found->second, run.id, task, output};
  std::vector<std::string> names;
  for (const auto& [name, artifact] : artifacts) names.push_back(name);
  const std::optional<std::string> near = closest(output, names);
  return fail_with_hint(ErrorCode::not_found,
                        fmt::format("task {} of run {} has no artifact \"{}\"", task, run.id, printable(output)),
                        names.empty() ? "it has given none"
                        : near        ? fmt::format("did you mean {}?", *near)
                                      : "it has " + join(names, ", "));
}

// `path` or a folder above it is the payload of an output in the run whose folder it lies in.
Result<std::optional<FoundArtifact>> by_path_in_run(Queries& queries, const fs::path& path, const fs::path& root) {
  const fs::path below = path.lexically_relative(artifact::Root(root).runs());
  if (below.empty() || *below.begin() == "..") return std::optional<FoundArtifact>();
  const Result<RunRow> run = queries.find_run(below.begin()->string());
  if (!run || run->id != below.begin()->string()) return std::optional<FoundArtifact>();
  const Result<std::vector<TaskRow>> tasks = queries.tasks(run->id);
  if (!tasks) return Failure(tasks.error());
  for (const TaskRow& task : *tasks) {
    for (const auto& [output, artifact] : task.outputs.artifacts) {
      const fs::path payload = payload_path(artifact.uri, run->root, root);
      if (payload.empty()) continue;
      const fs::path folder = artifact::TaskTree(artifact::Root(root).run(run->id), task.path).output(output);
      const fs::path inside = path.lexically_relative(payload);
      if (path == folder || (!inside.empty() && *inside.begin() != ".."))
        return std::optional(FoundArtifact{artifact, run->id, task.path, output});
    }
  }
  return std::optional<FoundArtifact>();
}

Result<FoundArtifact> by_path(Queries& queries, const std::string& text, const fs::path& root) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(text, error), error);
  if (error) return fail(ErrorCode::io, "{}: {}", printable(text), error.message());
  if (!path.has_filename()) path = path.parent_path();
  Result<std::optional<FoundArtifact>> in_run = by_path_in_run(queries, path, root);
  if (!in_run) return Failure(std::move(in_run).error());
  if (*in_run) return std::move(**in_run);
  const Result<std::vector<metadata::OutputPlace>> places = queries.outputs_at(path.string());
  if (!places) return Failure(places.error());
  if (!places->empty()) {
    const metadata::OutputPlace& place = places->front();
    const Result<RunRow> run = queries.find_run(place.run);
    if (!run) return Failure(run.error());
    return by_place(queries, *run, place.task, place.output);
  }
  if (!fs::exists(path, error)) {
    return fail_with_hint(ErrorCode::not_found, fmt::format("no artifact on record is at {}", printable(path.string())),
                          k_how);
  }
  // A copy of an artifact is the same artifact.
  const Result<artifact::PathDigest> digest = artifact::digest_path(path, {});
  if (!digest) return Failure(digest.error());
  Result<FoundArtifact> found = by_digest(queries, digest->digest);
  if (!found) return within(fmt::format("{} is at no recorded place", printable(path.string())), found.error());
  return found;
}

bool is_path(const std::string& reference) {
  std::error_code error;
  return reference.starts_with('/') || reference.starts_with("./") || reference.starts_with("../") ||
         fs::exists(reference, error);
}

Value artifact_place(const FoundArtifact& found) {
  Value::Struct value{{"type", found.artifact.type},
                      {"uri", found.artifact.uri},
                      {"digest", found.artifact.digest},
                      {"bytes", static_cast<std::int64_t>(found.artifact.bytes)},
                      {"folder", found.artifact.is_folder}};
  if (!found.run.empty()) {
    value.emplace("run", found.run);
    value.emplace("task", found.task);
    value.emplace("output", found.output);
  }
  return value;
}

}  // namespace

Result<FoundArtifact> find_artifact(Queries& queries, const std::string& reference, const fs::path& root) {
  if (is_path(reference)) return by_path(queries, reference, root);
  if (const std::optional<std::string> prefix = digest_prefix(reference)) return by_digest(queries, *prefix);
  const std::size_t first = reference.find('/');
  const std::size_t last = reference.rfind('/');
  if (first == std::string::npos || first == last || first == 0 || last + 1 == reference.size()) {
    return fail_with_hint(ErrorCode::invalid_input, fmt::format("\"{}\" names no artifact", printable(reference)),
                          k_how);
  }
  const Result<RunRow> run = queries.find_run(reference.substr(0, first));
  if (!run) return Failure(run.error());
  return by_place(queries, *run, reference.substr(first + 1, last - first - 1), reference.substr(last + 1));
}

ExitCode lineage(const ShowCommand& command, const Console& console) {
  const Result<fs::path> root = resolve_root(command.root);
  if (!root) return report_error(console, root.error());
  const Result<std::unique_ptr<Queries>> queries = open_record_of(*root);
  if (!queries) return report_error(console, queries.error());
  const Result<FoundArtifact> found = find_artifact(**queries, command.lineage, *root);
  if (!found) return report_error(console, found.error());

  Value::Struct answer{{"artifact", artifact_place(*found)}};
  std::string text;
  if (command.up || !command.down) {
    const Result<LineageNode::Link> up = lineage_up(**queries, *found, command.depth);
    if (!up) return report_error(console, up.error());
    answer.emplace("up", lineage_up_value(*up));
    text += lineage_up_text(*up, console);
  }
  if (command.down) {
    const Result<LineageNode::Link> down = lineage_down(**queries, *found, command.depth);
    if (!down) return report_error(console, down.error());
    answer.emplace("down", lineage_down_value(*down));
    text += (text.empty() ? "" : "\n") + lineage_down_text(*down, console);
  }
  console.out(command.json ? to_pretty_json(answer) : text);
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
