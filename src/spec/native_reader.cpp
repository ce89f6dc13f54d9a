#include <fmt/format.h>

#include "mlpipe/base/text.hpp"
#include "spec/component_reader.hpp"
#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/reading.hpp"
#include "spec/retry_reader.hpp"
#include "spec/settings_reader.hpp"
#include "spec/task_reader.hpp"
#include "spec/wiring.hpp"

namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

// A run id is the name, a time and four letters, together at most 100 bytes.
constexpr std::size_t k_longest_name = 79;

const std::vector<std::string> k_keys = {"name",    "description", "parameters", "defaults", "tasks",
                                         "outputs", "pools",       "root",       "labels",   "experiment"};

class PipelineReader final {
 public:
  explicit PipelineReader(Reading& reading) : reading_(reading), mistakes_(reading.mistakes) {}

  void read(YamlNode root) {
    if (!expect_mapping(root, "a pipeline", mistakes_)) return;
    if (root.find("implementation")) {
      mistakes_.error(root.where(), "this is a component, not a pipeline",
                      "name it in a task of a pipeline: component: PATH");
      return;
    }
    if (root.find("deploymentSpec") || root.find("pipelineInfo") || root.find("pipelineSpec")) {
      mistakes_.error(root.where(), "compiled KFP pipelines are not supported by this version");
      return;
    }
    for (YamlEntry entry : root.entries()) read_key(entry);
    if (has_misspelt(root, k_keys, {"parameters"})) root_.interface.unread_inputs.all = true;
    if (has_misspelt(root, k_keys, {"pools"})) reading_.are_pools_known = false;
    if (has_misspelt(root, k_keys, {"defaults"})) defaults_.is_image_known = false;
    if (!root.find("name") && !has_misspelt(root, k_keys, {"name"})) {
      mistakes_.error(root.where(), "the pipeline has no `name`", "begin the file with name: my-pipeline");
    }
    if (!tasks_ || !tasks_->is_mapping() || !tasks_->has_children()) {
      if (tasks_ && tasks_->is_shortened()) return;
      if (!tasks_ && has_misspelt(root, k_keys, {"tasks"})) return;
      if (!tasks_ || tasks_->is_mapping() || tasks_->is_null()) {
        mistakes_.error(tasks_ ? tasks_->where() : root.where(), "the pipeline has no `tasks`");
      } else {
        expect_mapping(*tasks_, "`tasks`", mistakes_);
      }
      return;
    }
    read_tasks();
  }

 private:
  void read_key(YamlEntry entry) {
    std::string_view key = entry.key.text();
    PipelineSpec& spec = reading_.spec;
    if (key == "name") {
      read_name(entry.value);
    } else if (key == "description") {
      if (!entry.value.is_null()) spec.description = read_text(entry.value, "`description`", mistakes_).value_or("");
    } else if (key == "parameters") {
      read_parameters(entry.value, root_.interface, mistakes_);
    } else if (key == "defaults") {
      defaults_ = read_defaults(entry.value, reading_);
      default_retry_ = entry.value.find("retry");
    } else if (key == "tasks") {
      tasks_ = entry.value;
    } else if (key == "outputs") {
      outputs_ = entry.value;
    } else if (key == "pools") {
      spec.pools = read_pools(entry.value, mistakes_);
      bool is_whole = entry.value.is_null() || (entry.value.is_mapping() && !entry.value.is_shortened());
      reading_.are_pools_known = reading_.are_pools_known && is_whole;
    } else if (key == "root") {
      read_root(entry.value);
    } else if (key == "labels") {
      read_labels(entry.value);
    } else if (key == "experiment") {
      read_experiment(entry.value);
    } else if (key == "on_exit") {
      mistakes_.error(entry.key.where(), "`on_exit` is not supported by this version", way_instead(key, k_keys));
    } else {
      unknown_key(entry.key, "a pipeline", k_keys, mistakes_);
    }
  }

  void read_name(YamlNode node) {
    std::optional<std::string> name = read_filled_text(node, "`name`", mistakes_);
    if (!name || !check_name(node, "a pipeline", mistakes_)) return;
    if (name->size() > k_longest_name) {
      mistakes_.error(node.where(), fmt::format("the name has {} bytes; {} are allowed", name->size(), k_longest_name),
                      "run ids are made of it");
    }
    reading_.spec.name = *std::move(name);
  }

  void read_root(YamlNode node) {
    reading_.spec.pipeline_root = read_filled_text(node, "`root`", mistakes_).value_or("");
    const std::size_t scheme = reading_.spec.pipeline_root.find("://");
    if (scheme == std::string::npos) return;
    mistakes_.error(
        node.where(),
        fmt::format("{} addresses cannot be a root", ticked(reading_.spec.pipeline_root.substr(0, scheme + 3))),
        "this version keeps artifacts on this machine only: name a folder");
  }

  void read_labels(YamlNode node) {
    if (node.is_null() || !expect_mapping(node, "`labels`", mistakes_)) return;
    for (YamlEntry entry : node.entries()) {
      std::optional<std::string> value = read_text(entry.value, "a label", mistakes_);
      if (entry.key.text().empty()) mistakes_.error(entry.key.where(), "a label has an empty name");
      if (value) reading_.spec.labels.emplace_back(entry.key.text(), *std::move(value));
    }
  }

  void read_experiment(YamlNode node) {
    std::optional<std::string> name = read_filled_text(node, "`experiment`", mistakes_);
    if (!name) return;
    if (name->find("${{") != std::string::npos) {
      mistakes_.error(node.where(), "`experiment` cannot be computed: it is read before the run starts");
    } else if (printable(*name) != *name) {
      mistakes_.error(node.where(), "`experiment` cannot hold line breaks and other control characters");
    } else {
      reading_.spec.experiment = *std::move(name);
    }
  }

  void read_tasks() {
    ComponentLibrary library(reading_);
    TaskReader reader(reading_, library, defaults_);
    DagSpec dag;
    std::size_t count = 0;
    for (auto it = tasks_->entries().begin(); it != tasks_->entries().end(); ++it) ++count;
    dag.tasks.reserve(count);
    reading_.spec.components.reserve(count + 1);
    for (YamlEntry entry : tasks_->entries()) dag.tasks.push_back(reader.read(entry));
    if (default_retry_) warn_of_idle_default_retry(*default_retry_, dag.tasks, mistakes_);

    reading_.are_tasks_known = !tasks_->is_shortened();
    Wiring wiring(reading_, root_, dag);
    std::size_t index = 0;
    for (YamlEntry entry : tasks_->entries()) wiring.bind_task(index++, entry.value);
    if (outputs_) wiring.bind_outputs(*outputs_);
    wiring.check_cycles();
    wiring.warn_of_unused();

    PipelineSpec& spec = reading_.spec;
    root_.name = spec.name;
    root_.description = spec.description;
    root_.where = {1, 1, 0};
    root_.implementation = std::move(dag);
    spec.root = static_cast<ComponentId>(spec.components.size());
    spec.components.push_back(std::move(root_));
  }

  Reading& reading_;
  Mistakes& mistakes_;
  ComponentSpec root_;
  TaskDefaults defaults_;
  std::optional<YamlNode> default_retry_;
  std::optional<YamlNode> tasks_, outputs_;
};

std::vector<SourceFile> taken(std::deque<SourceFile>& sources) {
  return {std::make_move_iterator(sources.begin()), std::make_move_iterator(sources.end())};
}

ReadPipeline read_source(SourceFile pipeline, const fs::path& directory, const SourceFiles& files,
                         const ReadOptions& options) {
  Reading reading{.options = options, .directory = source_path(directory), .files = files};
  reading.sources.push_back(std::move(pipeline));
  if (std::optional<YamlTree> tree = load_yaml(reading.sources.front().text, 0, reading.mistakes)) {
    PipelineReader(reading).read(YamlNode(*tree, 0));
  }
  ReadPipeline result;
  bool good = !reading.mistakes.any_error();
  result.diagnostics = reading.mistakes.take();
  result.sources = taken(reading.sources);
  if (good) {
    result.spec = std::move(reading.spec);
    result.spec->sources = result.sources;
  }
  return result;
}

}  // namespace

Result<ReadPipeline> read_pipeline(const fs::path& path, const ReadOptions& options) {
  const SourceFiles files(options.snapshot);
  const fs::path file = source_path(path);
  // The disk is asked for the path as it is written: `x.yaml/` is no file.
  Result<std::string> text = files.read(files.has(file, Origin::snapshot) ? file : path);
  if (!text) return within("reading the pipeline", std::move(text).error());
  return read_source({path.string(), *std::move(text), file.string()}, path.parent_path(), files, options);
}

ReadPipeline read_pipeline_text(std::string text, std::string name, const fs::path& directory,
                                const ReadOptions& options) {
  const SourceFiles files(options.snapshot);
  return read_source({std::move(name), std::move(text)}, directory, files, options);
}

Result<ReadComponent> read_component(const fs::path& path) {
  std::error_code ignored;
  fs::path file = fs::is_directory(path, ignored) ? path / "component.yaml" : path;
  Result<std::string> text = SourceFiles(nullptr).read(file);
  if (!text) return within("reading the component", std::move(text).error());
  ReadComponent result;
  const fs::path full = source_path(file);
  result.sources.push_back({file.string(), *std::move(text), full.string()});
  Mistakes mistakes;
  if (std::optional<YamlTree> tree = load_yaml(result.sources.front().text, 0, mistakes)) {
    std::optional<ComponentSpec> component =
        read_component_tree(YamlNode(*tree, 0), full.parent_path(), Origin::disk, mistakes);
    if (!mistakes.any_error()) result.component = std::move(component);
  }
  result.diagnostics = mistakes.take();
  return result;
}

}  // namespace mlpipe::spec
