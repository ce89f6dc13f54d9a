#include "app/premises.hpp"

#include <algorithm>

#include "app/pipeline_file.hpp"
#include "app/print.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "app/version.hpp"
#include "mlpipe/artifact/store.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/file_digests.hpp"
#include "mlpipe/plan/references.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr int k_premises_version = 1;
constexpr const char* k_none_yet = "it is not on record that a run like this has succeeded";

std::string absolute_text(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return (error ? path : absolute).lexically_normal().string();
}

Value list_of(const std::vector<std::string>& items) { return Value(Value::List(items.begin(), items.end())); }

// ---- What a run rests on ------------------------------------------------------------------------------------------

// Why it may always come to something else; empty: it does not.
std::string why_always(const plan::Plan& plan) {
  for (plan::TaskId id : plan.order()) {
    if (!plan.selected(id)) continue;
    const spec::TaskSpec& task = *plan.task(id).spec;
    if (plan.component(id).container() != nullptr && !task.settings->cache.enabled) {
      return fmt::format("task '{}' says `cache: false`", plan.task(id).path());
    }
    if (plan::takes_run_id(task)) return fmt::format("task '{}' is given run.id", plan.task(id).path());
  }
  return {};
}

Value sources_value(const RunCommand& command, const spec::PipelineSpec& spec) {
  Value::List sources;
  for (const spec::SourceFile& source : spec.sources) {
    const fs::path path = source.path.empty() ? command.pipeline : source.path;
    sources.push_back(Value::Struct{{"path", absolute_text(path)}, {"sha256", sha256_hex(source.text)}});
  }
  return sources;
}

Value passed_over_value(const spec::PipelineSpec& spec) {
  Value::List places;
  for (const fs::path& place : spec.passed_over) places.push_back(absolute_text(place));
  return places;
}

// What importers found, wherever it lies and whether or not anybody needs it any more.
Value imports_value(const plan::Plan& plan, const std::vector<metadata::TaskRow>& tasks) {
  Value::List imports;
  for (const metadata::TaskRow& row : tasks) {
    const std::optional<plan::TaskId> id = plan.find(row.path);
    if (!id || !plan.component(*id).is_importer()) continue;
    for (const auto& [name, artifact] : row.outputs.artifacts) {
      imports.push_back(
          Value::Struct{{"uri", artifact.uri}, {"digest", artifact.digest}, {"folder", artifact.is_folder}});
    }
  }
  return imports;
}

// When the first result is too old for its task; nothing: none ever is.
std::optional<WallTime> end_of_validity(const plan::Plan& plan, const std::vector<metadata::TaskRow>& tasks) {
  std::optional<WallTime> end;
  for (const metadata::TaskRow& row : tasks) {
    const std::optional<plan::TaskId> id = plan.find(row.path);
    if (!id || row.state != engine::TaskState::succeeded) continue;
    const auto& most = plan.task(*id).spec->settings->cache.max_age;
    if (!most) continue;
    std::optional<WallTime> made = row.made;
    if (!made && !row.attempts.empty()) made = row.attempts.back().finished;
    if (made && (!end || *made + *most < *end)) end = *made + *most;
  }
  return end;
}

// ---- Whether it still does ------------------------------------------------------------------------------------------

class Comparison final {
 public:
  Comparison(const artifact::Root& root, const Clock& clock, const EngineSource& engine)
      : root_(root), clock_(clock), engine_(engine) {}

  // The first thing that is not as it was; empty: everything is. An Error when that cannot be known.
  Result<std::string> difference(const Value& premises, const metadata::RunRow& run, metadata::Queries& queries) {
    const bool is_whole = list(premises, "sources") != nullptr && !list(premises, "sources")->empty() &&
                          list(premises, "passed_over") != nullptr && list(premises, "imports") != nullptr &&
                          list(premises, "images") != nullptr;
    if (premises.integer_or("version", 0) != k_premises_version || !is_whole) {
      return fail(ErrorCode::invalid_input, "what it rests on was recorded by another mlpipe");
    }
    const std::unique_ptr<sys::FileDigests> digests = metadata::open_file_digests(root_.digests());
    const std::unique_ptr<artifact::ArtifactStore> store = artifact::make_local_store(root_.run(run.id), digests.get());
    Result<std::string> difference = of_sources(premises);
    if (difference && difference->empty()) difference = of_age(premises);
    if (difference && difference->empty()) difference = of_imports(premises, *store);
    if (difference && difference->empty()) difference = of_outputs(run, queries, *store);
    if (difference && difference->empty()) difference = of_images(premises);
    return difference;
  }

 private:
  // The list of that name; null: there is none.
  static const Value::List* list(const Value& value, std::string_view name) {
    const Value* found = value.find(name);
    return found != nullptr && found->is_list() ? &found->as_list() : nullptr;
  }

  static std::string of_sources(const Value& premises) {
    for (const Value& source : *list(premises, "sources")) {
      const std::string path = source.text_or("path", "");
      const Result<std::string> text = sys::read_file(path);
      if (!text && text.error().code == ErrorCode::not_found) return printable(path) + " is gone";
      if (!text) return text.error().message;
      if (sha256_hex(*text) != source.text_or("sha256", "")) return printable(path) + " has changed";
    }
    for (const Value& place : *list(premises, "passed_over")) {
      std::error_code ignored;
      const fs::path found = place.is_string() ? place.as_string() : "";
      if (fs::is_regular_file(found, ignored) || fs::is_regular_file(found / "component.yaml", ignored)) {
        return fmt::format("there is a component at {} now", printable(found.string()));
      }
    }
    return {};
  }

  std::string of_age(const Value& premises) const {
    const Value* until = premises.find("until_ms");
    if (until == nullptr || clock_.wall() < WallTime(std::chrono::milliseconds(premises.integer_or("until_ms", 0)))) {
      return {};
    }
    return "a result is older than its max_age";
  }

  static Result<std::string> of_imports(const Value& premises, artifact::ArtifactStore& store) {
    for (const Value& import : *list(premises, "imports")) {
      const std::string uri = import.text_or("uri", "");
      const Result<engine::Artifact> now = store.describe(uri, [] { return false; });
      if (!now && now.error().code == ErrorCode::not_found) return printable(uri) + " is gone";
      if (!now) return Failure(now.error());
      const bool is_same =
          now->digest == import.text_or("digest", "") && now->is_folder == import.bool_or("folder", false);
      if (!is_same) return printable(uri) + " has changed";
    }
    return std::string();
  }

  Result<std::string> of_outputs(const metadata::RunRow& run, metadata::Queries& queries,
                                 artifact::ArtifactStore& store) const {
    std::error_code ignored;
    const fs::path folder = root_.run(run.id);
    if (!fs::is_directory(folder, ignored)) return printable(folder.string()) + " is gone";
    const Result<std::vector<engine::Artifact>> outputs = queries.kept_outputs(run.id);
    if (!outputs) return Failure(outputs.error());
    const std::string below = folder.string() + "/";
    for (const engine::Artifact& output : *outputs) {
      if (!output.uri.starts_with(below)) return fmt::format("{} is not in this root", printable(output.uri));
      const Result<bool> whole = store.is_whole(output, [] { return false; });
      if (!whole) return Failure(whole.error());
      if (!*whole) return fmt::format("{} is missing or has changed", printable(output.uri));
    }
    return std::string();
  }

  Result<std::string> of_images(const Value& premises) const {
    const Value::List& images = *list(premises, "images");
    if (images.empty()) return std::string();
    const Result<std::unique_ptr<runner::ContainerEngine>> engine = engine_();
    if (!engine) return Failure(engine.error());
    for (const Value& image : images) {
      const std::string key = image.text_or("key", "");
      const Result<runner::Image> found =
          runner::find_image({.key = key, .component = image.text_or("component", "")}, **engine);
      if (!found && found.error().code != ErrorCode::not_found) return Failure(found.error());
      if (!found || found->id != image.text_or("id", "")) {
        return fmt::format("image {} has changed or is not here", printable(key));
      }
    }
    return std::string();
  }

  const artifact::Root& root_;
  const Clock& clock_;
  const EngineSource& engine_;
};

// Was the root said, so that `root:` of the pipeline does not count?
bool is_root_said(const RunCommand& command) {
  return !command.root.empty() || !sys::environment("MLPIPE_ROOT").value_or("").empty();
}

}  // namespace

Result<std::string> asked_for(const RunCommand& command) {
  std::string parameters_file;
  if (!command.parameters_file.empty()) {
    Result<std::string> text = sys::read_file(command.parameters_file);
    if (!text) return within("--params", std::move(text).error());
    parameters_file = sha256_hex(*text);
  }
  Value::List folders;
  for (const fs::path& folder : component_path(command.component_path)) folders.push_back(absolute_text(folder));
  const Value asked = Value::Struct{{"mlpipe", k_version},
                                    {"root_said", is_root_said(command)},
                                    {"pipeline", absolute_text(command.pipeline)},
                                    {"parameters", list_of(command.parameters)},
                                    {"parameters_file", parameters_file},
                                    {"component_path", std::move(folders)},
                                    {"from", list_of(command.from)},
                                    {"until", list_of(command.until)},
                                    {"only", list_of(command.only)}};
  return sha256_hex(to_json(asked));
}

std::string premises_of(const RunCommand& command, const plan::Plan& plan, const runner::PreparedImages& images,
                        const std::vector<metadata::TaskRow>& tasks) {
  Value::Struct premises{{"version", k_premises_version}};
  const auto always = [&premises](std::string why) {
    premises.emplace("always", std::move(why));
    return to_json(Value(std::move(premises)));
  };
  if (std::string why = why_always(plan); !why.empty()) return always(std::move(why));
  const std::optional<std::vector<runner::ImageSource>> sources = runner::image_sources(plan);
  if (!sources) return always("an image is known only when its task runs");
  Value::List resolved;
  for (const runner::ImageSource& source : *sources) {
    const auto image = images.by_key.find(source.key);
    if (source.is_pulled_anew) return always(fmt::format("image {} is pulled anew each time", source.key));
    if (image == images.by_key.end()) return always(fmt::format("image {} is not known", source.key));
    Value::Struct each{{"key", source.key}, {"id", image->second.id}};
    if (!source.component.empty()) each.emplace("component", source.component);
    resolved.push_back(std::move(each));
  }
  premises.emplace("images", std::move(resolved));
  premises.emplace("sources", sources_value(command, plan.spec()));
  premises.emplace("passed_over", passed_over_value(plan.spec()));
  premises.emplace("imports", imports_value(plan, tasks));
  if (const std::optional<WallTime> until = end_of_validity(plan, tasks)) {
    premises.emplace("until_ms", static_cast<std::int64_t>(until->time_since_epoch().count()));
  }
  return to_json(Value(std::move(premises)));
}

Outcome find_unchanged(const RunCommand& command, const artifact::Root& root, const Clock& clock,
                       const EngineSource& engine) {
  const auto runs_because = [](std::string why) { return Outcome{.run = {}, .why = std::move(why)}; };
  if (command.engine != EngineChoice::docker) {
    return runs_because("runs always: without containers nobody knows what a task depends on");
  }
  const Result<std::string> asked = asked_for(command);
  if (!asked) return runs_because(asked.error().message);
  // The root may be another than the pipeline says in the end: nothing is changed there.
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path(), Trace::none);
  if (!queries)
    return runs_because(queries.error().code == ErrorCode::not_found ? k_none_yet : queries.error().message);
  const Result<std::optional<metadata::Premises>> premises = (*queries)->premises(*asked);
  if (!premises) return runs_because(premises.error().message);
  if (!*premises) return runs_because(k_none_yet);
  Result<metadata::RunRow> run = (*queries)->find_run((*premises)->run_id);
  const Result<Value> text = parse_json((*premises)->text, "what run " + (*premises)->run_id + " rests on");
  if (!run || !text) return runs_because(run ? text.error().message : run.error().message);
  if (const std::string always = text->text_or("always", ""); !always.empty()) {
    return runs_because("runs always: " + always);
  }
  const Result<std::string> difference = Comparison(root, clock, engine).difference(*text, *run, **queries);
  if (!difference) {
    return runs_because(
        fmt::format("cannot tell what has changed since run {}: {}", run->id, difference.error().message));
  }
  if (!difference->empty()) return runs_because(fmt::format("changed since run {}: {}", run->id, *difference));
  return {.run = *std::move(run), .why = {}};
}

void tell_changed(const RunCommand& command, const std::string& why, const Clock& clock) {
  if (command.progress == ProgressStyle::json) {
    print(to_json(Value::Struct{{"event", "changed"}, {"time", to_rfc3339(clock.wall())}, {"text", why}}) + "\n");
  } else if (!command.quiet) {
    print_error(fmt::format("mlpipe: {}\n", why));
  }
}

void tell_unchanged(const RunCommand& command, const artifact::Root& root, const metadata::RunRow& run,
                    const Clock& clock) {
  if (command.progress == ProgressStyle::json) {
    const Value event = Value::Struct{{"event", "unchanged"},
                                      {"time", to_rfc3339(clock.wall())},
                                      {"run", run.id},
                                      {"tasks", static_cast<std::int64_t>(run.tasks)},
                                      {"folder", root.run(run.id).string()}};
    print(to_json(event) + "\n");
    return;
  }
  if (command.quiet) return;
  const std::string suffix = root_option(command.root, root.path());
  print(fmt::format(
      "nothing to do: nothing has changed since run {} ({} task{})\n  in:  {}\n  see: mlpipe show {}{}{}\n", run.id,
      run.tasks, run.tasks == 1 ? "" : "s", root.run(run.id).string(), run.id, suffix.empty() ? "" : " ", suffix));
}

}  // namespace mlpipe::app
