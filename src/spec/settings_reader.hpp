#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// Keys of `defaults:` and of a task that are settings.
std::span<const std::string> setting_keys();
bool is_setting(std::string_view key);

// Sets what one such entry says in `settings`; env and secrets are merged by name; retry, resources and cache by member.
// Relative paths of secrets are taken from `directory`.
void read_setting(YamlEntry entry, const std::filesystem::path& directory, TaskSettings& settings, Mistakes& mistakes);

// Warns of what `task` says in vain, given the `settings` it has in the end.
void warn_of_idle_settings(YamlNode task, const TaskSettings& settings, Mistakes& mistakes);

// `pools:` of a pipeline: name -> places.
std::vector<Pool> read_pools(YamlNode node, Mistakes& mistakes);

// An `env:` mapping, merged into `env` by name. What is written is the value: 5 and true are texts here.
void read_env(YamlNode node, std::vector<EnvVariable>& env, Mistakes& mistakes);

}  // namespace mlpipe::spec
