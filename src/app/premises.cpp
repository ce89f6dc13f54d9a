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
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr int k_premises_version = 1;
constexpr const char* k_none_yet = "no run like this has succeeded yet";

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

// The folders of components that come before the one in which `source` was found: a component that appears in one of them is
// taken instead.
Value::List places_before(const fs::path& source, const fs::path& pipeline_folder,
                          const std::vector<fs::path>& component_path) {
  Value::List places;
  std::vector<fs::path> before{pipeline_folder};
  for (const fs::path& folder : component_path) {
    const fs::path below = source.lexically_relative(absolute_text(folder));
    if (!below.empty() && *below.begin() != "..") {
      for (const fs::path& earlier : before) places.push_back((earlier / *below.begin()).string());
      return places;
    }
    before.emplace_back(absolute_text(folder));
  }
  return {};
}

Value sources_value(const RunCommand& command, const spec::PipelineSpec& spec) {
  const std::vector<fs::path> folders = component_path(command.component_path);
  const fs::path pipeline_folder = fs::path(absolute_text(command.pipeline)).parent_path();
  Value::List sources;
  for (const spec::SourceFile& source : spec.sources) {
    const fs::path path = source.path.empty() ? command.pipeline : source.path;
    Value::Struct each{{"path", absolute_text(path)}, {"sha256", sha256_hex(source.text)}};
    if (!folders.empty() && !sources.empty()) {
      Value::List absent = places_before(absolute_text(path), pipeline_folder, folders);
      if (!absent.empty()) each.emplace("instead_of", std::move(absent));
    }
    sources.push_back(std::move(each));
  }
  return sources;
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

// The first thing that is not as it was; empty: everything is.
class Comparison final {
 public:
  Comparison(const artifact::Root& root, const Clock& clock, const EngineSource& engine)
      : root_(root), clock_(clock), engine_(engine) {}

  std::string difference(const Value& premises, const metadata::RunRow& run, metadata::Queries& queries) {
    if (premises.integer_or("version", 0) != k_premises_version) return "it was recorded by another mlpipe";
    std::string difference = of_sources(premises);
    if (difference.empty()) difference = of_age(premises);
    if (difference.empty()) difference = of_artifacts(run, queries);
    if (difference.empty()) difference = of_images(premises);
    return difference;
  }

 private:
  static const Value::List& list(const Value& value, std::string_view name) {
    static const Value::List k_none;
    const Value* found = value.find(name);
    return found != nullptr && found->is_list() ? found->as_list() : k_none;
  }

  static std::string of_sources(const Value& premises) {
    for (const Value& source : list(premises, "sources")) {
      const std::string path = source.text_or("path", "");
      const Result<std::string> text = sys::read_file(path);
      if (!text && text.error().code == ErrorCode::not_found) return printable(path) + " is gone";
      if (!text) return text.error().message;
      if (sha256_hex(*text) != source.text_or("sha256", "")) return printable(path) + " has changed";
      for (const Value& place : list(source, "instead_of")) {
        std::error_code ignored;
        const fs::path found = place.as_string();
        if (fs::is_regular_file(found, ignored) || fs::is_regular_file(found / "component.yaml", ignored)) {
          return fmt::format("there is a component at {} now", printable(found.string()));
        }
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

  std::string of_artifacts(const metadata::RunRow& run, metadata::Queries& queries) const {
    const Result<std::vector<engine::Artifact>> outputs = queries.kept_outputs(run.id);
    if (!outputs) return outputs.error().message;
    const std::unique_ptr<sys::FileDigests> digests = metadata::open_file_digests(root_.digests());
    const std::unique_ptr<artifact::ArtifactStore> store = artifact::make_local_store(root_.run(run.id), digests.get());
    for (const engine::Artifact& output : *outputs) {
      const Result<bool> whole = store->is_whole(output, [] { return false; });
      if (!whole) return whole.error().message;
      if (!*whole) return fmt::format("{} is missing or has changed", printable(output.uri));
    }
    return {};
  }

  std::string of_images(const Value& premises) const {
    const Value::List& images = list(premises, "images");
    if (images.empty()) return {};
    const Result<std::unique_ptr<runner::ContainerEngine>> engine = engine_();
    if (!engine) return engine.error().message;
    for (const Value& image : images) {
      const std::string key = image.text_or("key", "");
      const Result<runner::Image> found =
          runner::find_image({.key = key, .component = image.text_or("component", "")}, **engine);
      if (!found && found.error().code != ErrorCode::not_found) return found.error().message;
      if (!found || found->id != image.text_or("id", "")) {
        return fmt::format("image {} has changed or is not here", printable(key));
      }
    }
    return {};
  }

  const artifact::Root& root_;
  const Clock& clock_;
  const EngineSource& engine_;
};

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
  const Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(root.path());
  if (!queries) return runs_because(k_none_yet);
  const Result<std::optional<metadata::Premises>> premises = (*queries)->premises(*asked);
  if (!premises) return runs_because(premises.error().message);
  if (!*premises) return runs_because(k_none_yet);
  Result<metadata::RunRow> run = (*queries)->find_run((*premises)->run_id);
  const Result<Value> text = parse_json((*premises)->text, "what run " + (*premises)->run_id + " rests on");
  if (!run || !text) return runs_because(run ? text.error().message : run.error().message);
  if (const std::string always = text->text_or("always", ""); !always.empty()) {
    return runs_because("runs always: " + always);
  }
  const std::string difference = Comparison(root, clock, engine).difference(*text, *run, **queries);
  if (!difference.empty()) return runs_because(fmt::format("changed since run {}: {}", run->id, difference));
  return {.run = *std::move(run), .why = {}};
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
