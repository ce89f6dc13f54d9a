#include "spec/task_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"
#include "spec/inline_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/settings_reader.hpp"

namespace mlpipe::spec {
namespace {

bool is_any(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_later(std::string_view key) { return is_any(key, {"foreach", "matrix", "parallelism", "pipeline", "on_exit"}); }
// Settings of a container, which an import has none of.
bool is_container_setting(std::string_view key) {
  return is_any(key, {"retry", "resources", "env", "secrets", "network", "user", "pull"});
}
bool is_other_key(std::string_view key) {
  return is_any(key, {"component", "import", "arguments", "after", "when", "run_after_failure", "description"});
}

// Secrets that become a variable which `env` sets, too.
std::vector<const SecretSpec*> variables_given_twice(const TaskSettings& settings) {
  std::vector<const SecretSpec*> twice;
  for (const SecretSpec& secret : settings.secrets) {
    if (secret.as_file) continue;
    if (std::ranges::find(settings.env, secret.name, &EnvVariable::name) != settings.env.end())
      twice.push_back(&secret);
  }
  return twice;
}

void tell_given_twice(const SecretSpec& secret, Mistakes& mistakes) {
  mistakes.error(secret.where, fmt::format("variable {} is in `env` and in `secrets`", ticked(secret.name)),
                 "it has one value in the container: write one of them");
}

}  // namespace

const std::vector<std::string>& task_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> all = {"component",  "import",  "image",     "command", "args", "script",
                                    "inputs",     "outputs", "arguments", "after",   "when", "run_after_failure",
                                    "description"};
    all.insert(all.end(), setting_keys().begin(), setting_keys().end());
    return all;
  }();
  return keys;
}

TaskDefaults read_defaults(YamlNode node, Reading& reading) {
  TaskDefaults defaults;
  if (node.is_null()) return defaults;
  defaults.is_image_known = node.is_mapping();
  if (!expect_mapping(node, "`defaults`", reading.mistakes)) return defaults;
  std::vector<std::string> known(setting_keys().begin(), setting_keys().end());
  known.emplace_back("image");
  TaskSettings settings;
  for (YamlEntry entry : node.entries()) {
    if (is_setting(entry.key.text())) {
      read_setting(entry, reading.directory, settings, reading.mistakes);
    } else if (entry.key.text() == "image") {
      if (std::optional<Template> image = read_image(entry.value, reading.mistakes)) {
        defaults.image = DefaultImage{*std::move(image), entry.value.where()};
      } else {
        defaults.is_image_known = false;
      }
    } else if (is_later(entry.key.text()) || is_inline_key(entry.key.text()) || is_other_key(entry.key.text())) {
      reading.mistakes.error(entry.key.where(), fmt::format("{} belongs to a single task", ticked(entry.key.text())),
                             "`defaults` takes settings: " + join(known, ", "));
    } else {
      unknown_key(entry.key, "`defaults`", known, reading.mistakes);
    }
  }
  if (has_misspelt(node, known, {"image"})) defaults.is_image_known = false;
  for (const SecretSpec* secret : variables_given_twice(settings)) tell_given_twice(*secret, reading.mistakes);
  defaults.settings = std::make_shared<const TaskSettings>(std::move(settings));
  return defaults;
}

TaskSpec TaskReader::read(YamlEntry entry) {
  TaskSpec task;
  task.name = entry.key.text();
  task.where = entry.key.where();
  task.component = k_no_component;
  task.settings = defaults_.settings;
  check_name(entry.key, "a task", reading_.mistakes);
  if (!entry.value.is_mapping()) {
    expect_mapping(entry.value, fmt::format("task {}", ticked(task.name)), reading_.mistakes);
    return task;
  }
  bool own_settings = false;
  bool has_component = true;
  for (YamlEntry member : entry.value.entries()) {
    std::string_view key = member.key.text();
    if (is_setting(key)) {
      own_settings = true;
    } else if (key == "after") {
      read_after(member.value, task);
    } else if (key == "run_after_failure") {
      if (read_flag(member.value, "`run_after_failure`", reading_.mistakes).value_or(false)) {
        task.trigger = TriggerStrategy::all_completed;
      }
    } else if (is_later(key)) {
      if (key == "pipeline") has_component = false;
      reading_.mistakes.error(member.key.where(), fmt::format("{} is not supported by this version", ticked(key)),
                              way_instead(key, task_keys()));
    } else if (!is_inline_key(key) && !is_other_key(key)) {
      unknown_key(member.key, fmt::format("task {}", ticked(task.name)), task_keys(), reading_.mistakes);
    }
  }
  if (own_settings) task.settings = read_settings(entry.value);
  if (has_component) task.component = read_component(entry);
  return task;
}

std::shared_ptr<const TaskSettings> TaskReader::read_settings(YamlNode task) {
  auto settings = std::make_shared<TaskSettings>(*defaults_.settings);
  for (YamlEntry entry : task.entries()) {
    if (is_setting(entry.key.text())) read_setting(entry, reading_.directory, *settings, reading_.mistakes);
  }
  if (auto pool = task.find("pool"); pool && task.find("pools")) {
    reading_.mistakes.error(pool->where(), "`pool` and `pools` mean the same: write one of them");
  }
  const std::vector<const SecretSpec*> before = variables_given_twice(*defaults_.settings);
  for (const SecretSpec* secret : variables_given_twice(*settings)) {
    const bool is_told = std::ranges::any_of(before, [&](const SecretSpec* s) { return s->name == secret->name; });
    if (!is_told) tell_given_twice(*secret, reading_.mistakes);
  }
  warn_of_idle_settings(task, *settings, reading_.mistakes);
  return settings;
}

void TaskReader::read_after(YamlNode node, TaskSpec& task) {
  if (node.is_null()) return;
  auto add_name = [&](YamlNode item) {
    std::optional<std::string> name = read_filled_text(item, "`after`", reading_.mistakes);
    if (name && std::find(task.after.begin(), task.after.end(), *name) == task.after.end()) {
      task.after.push_back(*std::move(name));
    }
  };
  if (node.is_scalar()) return add_name(node);
  if (!expect_sequence(node, "`after`", reading_.mistakes)) return;
  for (YamlNode item : node.items()) add_name(item);
}

ComponentId TaskReader::read_component(YamlEntry task) {
  std::optional<YamlNode> component = task.value.find("component");
  std::optional<YamlNode> import = task.value.find("import");
  if (!component && !import) return read_inline(task);
  std::string_view kind = component ? "component" : "import";
  if (component && import) {
    reading_.mistakes.error(import->where(), "a task is either a `component` or an `import`");
    library_.find(*component);  // for what is wrong with it
    read_importer(*import, reading_.directory, reading_.mistakes);
    return k_no_component;
  }
  for (YamlEntry entry : task.value.entries()) {
    std::string_view key = entry.key.text();
    if (is_inline_key(key) || (import && key == "arguments")) {
      reading_.mistakes.error(entry.key.where(), fmt::format("{} cannot stand beside `{}`", ticked(key), kind),
                              component ? "what the container is and takes, the component says" : "");
    } else if (import && is_container_setting(key)) {
      reading_.mistakes.error(entry.key.where(), fmt::format("{} has no meaning beside `import`", ticked(key)),
                              "an import runs no container: mlpipe itself looks at the file");
    }
  }
  return component ? library_.find(*component) : read_import(*import, task);
}

ComponentId TaskReader::read_import(YamlNode node, YamlEntry task) {
  ComponentSpec component = read_importer(node, reading_.directory, reading_.mistakes);
  component.name = task.key.text();
  component.where = task.key.where();
  return add(std::move(component));
}

ComponentId TaskReader::read_inline(YamlEntry task) {
  return add(read_inline_component(task, defaults_, reading_.mistakes));
}

ComponentId TaskReader::add(ComponentSpec component) {
  reading_.spec.components.push_back(std::move(component));
  return static_cast<ComponentId>(reading_.spec.components.size() - 1);
}

}  // namespace mlpipe::spec
