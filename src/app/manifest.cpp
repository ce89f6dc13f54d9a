#include "app/manifest.hpp"

#include "app/recorded_run.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

constexpr std::uint64_t k_max_manifest_bytes = 1U << 30U;
constexpr std::int64_t k_manifest_version = 2;
constexpr std::string_view k_cancelled = "cancelled after its mlpipe had ended";

// The pipeline's own outputs, of those tasks that gave them.
Value pipeline_outputs(const engine::Run& run) {
  Value::Struct outputs;
  for (const spec::PipelineOutput& output : run.plan().spec().root_dag().outputs) {
    std::optional<plan::TaskId> task = run.plan().find(output.source.task);
    const engine::TaskData* data = task ? run.outputs(*task) : nullptr;
    if (data == nullptr) continue;
    if (auto found = data->artifacts.find(output.source.output); found != data->artifacts.end()) {
      outputs.emplace(output.name, value_of(found->second));
    } else if (auto value = data->parameters.find(output.source.output); value != data->parameters.end()) {
      outputs.emplace(output.name, value->second);
    }
  }
  return outputs;
}

// The tasks of a manifest of any version: of version 1 they were members by their paths.
const Value* task_entry(const Value& manifest, const std::string& path) {
  const Value* tasks = manifest.find("tasks");
  if (tasks == nullptr || !tasks->is_list()) return tasks == nullptr ? nullptr : tasks->find(path);
  for (const Value& entry : tasks->as_list()) {
    if (entry.text_or("task", "") == path) return &entry;
  }
  return nullptr;
}

// Task by task, behind the other members: as one value the manifest of 10,000 tasks would take ten times its length.
std::string manifest_text(const metadata::RunRow& run, const std::vector<metadata::TaskRow>& tasks,
                          const ManifestExtras& extras) {
  metadata::RunRow shown = run;
  shown.interrupted = true;  // nothing in it lasts until now: it is read later
  Value::Struct head = value_of(shown, WallTime());
  head.insert_or_assign("state", to_string(run.state));
  head.emplace("version", k_manifest_version);
  head.emplace("events", extras.events);
  head.emplace("images", extras.images);
  if (extras.outputs.is_struct() && !extras.outputs.as_struct().empty()) head.emplace("outputs", extras.outputs);

  std::string text = "{";
  for (const auto& [name, member] : head) {
    text += fmt::format("\n  \"{}\": ", name);
    add_pretty_json(text, member, 1);
    text += ',';
  }
  text += "\n  \"tasks\": [";
  for (const metadata::TaskRow& task : tasks) {
    Value::Struct entry = value_of(shown, task, WallTime());
    if (const Value* needs = extras.needs.find(task.path)) entry.emplace("needs", *needs);
    if (text.back() != '[') text += ',';
    text += "\n    ";
    add_pretty_json(text, Value(std::move(entry)), 2);
  }
  text += tasks.empty() ? "]" : "\n  ]";
  text += "\n}\n";
  return text;
}

}  // namespace

ManifestExtras extras_of(const engine::Run& run, const runner::PreparedImages& images) {
  Value::Struct used;
  for (const auto& [key, image] : images.by_key) {
    Value::Struct entry{{"id", image.id}, {"reference", images.tags.at(key)}};
    if (!image.digest.empty()) entry.emplace("digest", image.digest);
    used.emplace(key, std::move(entry));
  }
  Value::Struct needs;
  for (plan::TaskId id : run.plan().order()) {
    Value::List list;
    for (plan::TaskId need : run.plan().needs(id)) list.emplace_back(run.plan().task(need).path());
    if (!list.empty()) needs.emplace(run.plan().task(id).path(), std::move(list));
  }
  return {.images = std::move(used), .needs = std::move(needs), .outputs = pipeline_outputs(run)};
}

Result<> write_manifest(const std::filesystem::path& run_folder, const metadata::RunRow& run,
                        const std::vector<metadata::TaskRow>& tasks, const ManifestExtras& extras) {
  return sys::write_file_atomically(run_folder / "run.json", manifest_text(run, tasks, extras), sys::Durable::yes);
}

Result<Value> load_manifest(const std::filesystem::path& run_folder) {
  const std::filesystem::path path = run_folder / "run.json";
  Result<std::string> text = sys::read_file(path, k_max_manifest_bytes);
  if (!text) return Failure(text.error());
  Result<Value> manifest = parse_json(*text, "run.json");
  if (!manifest) return within("it is no valid JSON", std::move(manifest).error());
  const std::int64_t version = manifest->integer_or("version", 0);
  if (version < 1) return fail(ErrorCode::invalid_input, "run.json: it is no manifest of a run");
  if (version > k_manifest_version) {
    return fail_with_hint(
        ErrorCode::invalid_input,
        fmt::format("run.json: it was written by a newer mlpipe (version {}, this one knows up to {})", version,
                    k_manifest_version),
        "use the newer mlpipe");
  }
  return manifest;
}

std::vector<std::string> needs_of(const Value& manifest, const std::string& task) {
  std::vector<std::string> paths;
  const Value* entry = task_entry(manifest, task);
  const Value* needs = entry == nullptr ? nullptr : entry->find("needs");
  if (needs == nullptr || !needs->is_list()) return paths;
  for (const Value& need : needs->as_list()) {
    if (need.is_string()) paths.push_back(need.as_string());
  }
  return paths;
}

Result<> cancel_manifest(const std::filesystem::path& run_folder, metadata::RunRow run,
                         std::vector<metadata::TaskRow> tasks, WallTime at) {
  const Result<Value> before = load_manifest(run_folder);
  if (!before && before.error().code == ErrorCode::not_found) return {};  // it ended before it had written one
  if (!before) return Failure(before.error());
  ManifestExtras extras{.events = before->integer_or("events", 0)};
  if (const Value* images = before->find("images")) extras.images = *images;
  if (const Value* outputs = before->find("outputs")) extras.outputs = *outputs;
  run.state = engine::RunState::cancelled;
  run.finished = at;
  run.counts = {};
  Value::Struct needs;
  for (metadata::TaskRow& task : tasks) {
    Value::List list;
    for (std::string& need : needs_of(*before, task.path)) list.emplace_back(std::move(need));
    if (!list.empty()) needs.emplace(task.path, std::move(list));
    if (!is_final(task.state)) {
      task.state = engine::TaskState::cancelled;
      task.reason = k_cancelled;
      for (metadata::AttemptRow& attempt : task.attempts) {
        if (attempt.finished) continue;
        attempt.state = to_string(engine::AttemptEnd::cancelled);
        attempt.finished = at;
        attempt.message = "its mlpipe had ended; cancelled";
      }
    }
    ++run.counts[static_cast<std::size_t>(task.state)];
  }
  extras.needs = std::move(needs);
  return write_manifest(run_folder, run, tasks, extras);
}

}  // namespace mlpipe::app
