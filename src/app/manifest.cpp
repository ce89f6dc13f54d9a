#include "app/manifest.hpp"

namespace mlpipe::app {
namespace {

Value artifact_entry(const engine::Artifact& artifact) {
  return Value::Struct{{"type", artifact.type},         {"uri", artifact.uri},
                       {"digest", artifact.digest},     {"bytes", artifact.bytes},
                       {"folder", artifact.is_folder}, {"metadata", artifact.metadata}};
}

Value task_entry(const engine::Run& run, plan::TaskId id) {
  Value::Struct entry{{"state", to_string(run.state(id))}, {"component", run.plan().component(id).name}};
  if (run.attempt(id) > 0) entry.emplace("attempts", run.attempt(id));
  if (!run.reason(id).empty()) entry.emplace("reason", run.reason(id));
  Value::List needs;
  for (plan::TaskId need : run.plan().needs(id)) needs.emplace_back(run.plan().task(need).path());
  if (!needs.empty()) entry.emplace("needs", std::move(needs));
  if (const engine::TaskData* outputs = run.outputs(id)) {
    Value::Struct artifacts;
    for (const auto& [name, artifact] : outputs->artifacts) artifacts.emplace(name, artifact_entry(artifact));
    Value::Struct parameters;
    for (const auto& [name, value] : outputs->parameters) parameters.emplace(name, value);
    if (!artifacts.empty()) entry.emplace("artifacts", std::move(artifacts));
    if (!parameters.empty()) entry.emplace("parameters", std::move(parameters));
  }
  return entry;
}

// The pipeline's own outputs, of those tasks that gave them.
Value pipeline_outputs(const engine::Run& run) {
  Value::Struct outputs;
  for (const spec::PipelineOutput& output : run.plan().spec().root_dag().outputs) {
    std::optional<plan::TaskId> task = run.plan().find(output.source.task);
    const engine::TaskData* data = task ? run.outputs(*task) : nullptr;
    if (data == nullptr) continue;
    if (auto found = data->artifacts.find(output.source.output); found != data->artifacts.end()) {
      outputs.emplace(output.name, artifact_entry(found->second));
    } else if (auto value = data->parameters.find(output.source.output); value != data->parameters.end()) {
      outputs.emplace(output.name, value->second);
    }
  }
  return outputs;
}

}  // namespace

Value make_manifest(const engine::Run& run, const metadata::RunStart& start, const runner::PreparedImages& images,
                    const std::string& state, std::optional<WallTime> finished) {
  Value::Struct tasks;
  for (plan::TaskId id : run.plan().order()) tasks.emplace(std::string(run.plan().task(id).path()), task_entry(run, id));
  Value::Struct used;
  for (const auto& [key, image] : images.by_key) {
    Value::Struct entry{{"id", image.id}, {"reference", images.tags.at(key)}};
    if (!image.digest.empty()) entry.emplace("digest", image.digest);
    used.emplace(key, std::move(entry));
  }
  Value::Struct manifest{{"version", 1},
                         {"run", start.id},
                         {"pipeline", run.plan().spec().name},
                         {"state", state},
                         {"created", to_rfc3339(start.created)},
                         {"spec_digest", start.spec_digest},
                         {"spec_file", start.spec_file},
                         {"arguments", Value(run.plan().arguments())},
                         {"images", std::move(used)},
                         {"tasks", std::move(tasks)},
                         {"mlpipe_version", start.mlpipe_version},
                         {"engine", start.engine},
                         {"host", start.host},
                         {"command_line", start.command_line}};
  if (finished) manifest.emplace("finished", to_rfc3339(*finished));
  if (!start.git_commit.empty()) {
    manifest.emplace("git", Value::Struct{{"commit", start.git_commit}, {"dirty", start.git_dirty}});
  }
  Value outputs = pipeline_outputs(run);
  if (!outputs.as_struct().empty()) manifest.emplace("outputs", std::move(outputs));
  return manifest;
}

}  // namespace mlpipe::app
