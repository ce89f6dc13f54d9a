#include "app/manifest.hpp"

#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

constexpr std::uint64_t k_max_manifest_bytes = 1U << 30U;

Value artifact_entry(const engine::Artifact& artifact) {
  return Value::Struct{{"type", artifact.type},         {"uri", artifact.uri},
                       {"digest", artifact.digest},     {"bytes", artifact.bytes},
                       {"folder", artifact.is_folder}, {"metadata", artifact.metadata}};
}

void add_outputs(Value::Struct& entry, const engine::TaskData& outputs) {
  Value::Struct artifacts;
  for (const auto& [name, artifact] : outputs.artifacts) artifacts.emplace(name, artifact_entry(artifact));
  Value::Struct parameters;
  for (const auto& [name, value] : outputs.parameters) parameters.emplace(name, value);
  if (!artifacts.empty()) entry.insert_or_assign("artifacts", std::move(artifacts));
  if (!parameters.empty()) entry.insert_or_assign("parameters", std::move(parameters));
}

Value task_entry(const engine::Run& run, plan::TaskId id) {
  Value::Struct entry{{"state", to_string(run.state(id))}, {"component", run.plan().component(id).name}};
  if (run.attempt(id) > 0) entry.emplace("attempts", run.attempt(id));
  if (!run.reason(id).empty()) entry.emplace("reason", run.reason(id));
  Value::List needs;
  for (plan::TaskId need : run.plan().needs(id)) needs.emplace_back(run.plan().task(need).path());
  if (!needs.empty()) entry.emplace("needs", std::move(needs));
  if (const engine::TaskData* outputs = run.outputs(id)) add_outputs(entry, *outputs);
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

Result<> write_manifest(const std::filesystem::path& run_folder, const Value& manifest) {
  return sys::write_file_atomically(run_folder / "run.json", to_pretty_json(manifest), sys::Durable::yes);
}

Result<> cancel_manifest(const std::filesystem::path& run_folder, const std::vector<metadata::TaskRow>& tasks, WallTime at) {
  const std::filesystem::path path = run_folder / "run.json";
  Result<std::string> text = sys::read_file(path, k_max_manifest_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return {};  // it ended before it had written one
  if (!text) return Failure(text.error());
  Result<Value> manifest = parse_json(*text, path.string());
  if (!manifest) return Failure(manifest.error());
  if (!manifest->is_struct()) return fail(ErrorCode::invalid_input, "{} is no manifest", path.string());
  Value::Struct& members = manifest->as_struct();
  members.insert_or_assign("state", std::string(to_string(engine::RunState::cancelled)));
  members.insert_or_assign("finished", to_rfc3339(at));
  auto entries = members.find("tasks");
  for (const metadata::TaskRow& row : tasks) {
    if (entries == members.end() || !entries->second.is_struct()) break;
    auto entry = entries->second.as_struct().find(row.path);
    if (entry == entries->second.as_struct().end() || !entry->second.is_struct()) continue;
    Value::Struct& task = entry->second.as_struct();
    const engine::TaskState state = is_final(row.state) ? row.state : engine::TaskState::cancelled;
    task.insert_or_assign("state", std::string(to_string(state)));
    if (!row.attempts.empty()) task.insert_or_assign("attempts", row.attempts.back().number);
    if (state == engine::TaskState::succeeded) add_outputs(task, row.outputs);
  }
  return write_manifest(run_folder, *manifest);
}

}  // namespace mlpipe::app
