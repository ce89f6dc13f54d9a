#pragma once

#include "spec/component_search.hpp"
#include "spec/inline_reader.hpp"
#include "spec/reading.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// The image that `defaults:` says for tasks that name none.
struct DefaultImage {
  Template image;
  Where where;
};

// `defaults:` of a pipeline.
struct TaskDefaults {
  std::shared_ptr<const TaskSettings> settings =
      std::make_shared<const TaskSettings>();  // shared by all tasks without own
  std::optional<DefaultImage> image;
  bool is_image_known = true;  // false: which image, if any, could not be read
};

// All keys that a task may have.
const std::vector<std::string>& task_keys();

TaskDefaults read_defaults(YamlNode node, Reading& reading);

// Reads all of a task that does not depend on other tasks: its component, settings, `after` and trigger. Arguments and
// references are left to Wiring, which needs the interfaces of all tasks.
class TaskReader final {
 public:
  TaskReader(Reading& reading, ComponentLibrary& library, const TaskDefaults& defaults)
      : reading_(reading), library_(library), defaults_(defaults) {}

  TaskSpec read(YamlEntry entry);

 private:
  ComponentId read_component(YamlEntry task);
  ComponentId read_import(YamlNode node, YamlEntry task);
  ComponentId read_inline(YamlEntry task);
  std::shared_ptr<const TaskSettings> read_settings(YamlNode task);
  void read_after(YamlNode node, TaskSpec& task);
  ComponentId add(ComponentSpec component);

  Reading& reading_;
  ComponentLibrary& library_;
  const TaskDefaults& defaults_;
};

}  // namespace mlpipe::spec
