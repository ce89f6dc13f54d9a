#include "spec/settings_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mlpipe/base/text.hpp"
#include "spec/node_reader.hpp"
#include "spec/retry_reader.hpp"

namespace mlpipe::spec {
namespace {

const std::vector<std::string> k_settings = {"retry", "timeout", "resources", "env",  "secrets", "pool",
                                             "pools", "network", "user",      "pull", "cache",   "keep"};

template <class T>
void set(T& field, std::optional<T> value) {
  if (value) field = *std::move(value);
}

// What the engine does not go below (0 is no limit).
constexpr double k_least_cpu = 0.01;
constexpr std::uint64_t k_least_memory = 6U << 20U;

// Cores: 2, 0.5, or in thousandths as Kubernetes writes them, 500m.
std::optional<double> read_cpu(YamlNode node, Mistakes& mistakes) {
  if (!node.is_scalar()) return read_number(node, "`cpu`", 0, mistakes);
  const bool in_thousandths = node.text().ends_with('m');
  // In quotes, too, as Kubernetes has it: "500m", "2".
  Result<Value> number = plain_value(node.text().substr(0, node.text().size() - (in_thousandths ? 1 : 0)));
  const bool good = number && (in_thousandths ? number->is_integer() : number->is_number()) && number->as_double() >= 0;
  if (good) return in_thousandths ? number->as_double() / 1000 : number->as_double();
  return read_number(node, "`cpu`", 0, mistakes);
}

void read_cpu_limit(YamlNode node, Resources& resources, Mistakes& mistakes) {
  std::optional<double> cpu = read_cpu(node, mistakes);
  if (!cpu) return;
  if (*cpu > 0 && *cpu < k_least_cpu) {
    mistakes.error(node.where(),
                   fmt::format("`cpu` of {} is less than a container can be limited to", ticked(node.text())),
                   "write 10m (0.01) or more, or leave `cpu` out for no limit");
    return;
  }
  resources.cpu = *cpu;
}

void read_memory_limit(YamlNode node, Resources& resources, Mistakes& mistakes) {
  std::optional<std::uint64_t> memory = read_bytes(node, "`memory`", mistakes);
  if (!memory) return;
  if (*memory > 0 && *memory < k_least_memory) {
    // `memory: 512` was meant as 512Mi by somebody who knows a tool that counts so.
    bool is_bare = *memory < 100'000 && node.text().find_first_not_of("0123456789") == std::string_view::npos;
    mistakes.error(node.where(),
                   fmt::format("`memory` of {} is less than a container can be limited to", ticked(node.text())),
                   is_bare ? fmt::format("a number alone counts bytes; did you mean `{}Mi`?", node.text())
                           : "write 6Mi or more, or leave `memory` out for no limit");
    return;
  }
  resources.memory = *memory;
}

void read_resources(YamlNode node, Resources& resources, Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"cpu", "memory", "gpu", "shm"};
  if (!expect_mapping(node, "`resources`", mistakes)) return;
  for (YamlEntry entry : node.entries()) {
    std::string_view key = entry.key.text();
    if (key == "cpu") {
      read_cpu_limit(entry.value, resources, mistakes);
    } else if (key == "memory") {
      read_memory_limit(entry.value, resources, mistakes);
    } else if (key == "shm") {
      set(resources.shm, read_bytes(entry.value, "`shm`", mistakes));
    } else if (key == "gpu") {
      if (auto gpu = read_integer(entry.value, "`gpu`", 0, 1024, mistakes)) resources.gpu = static_cast<int>(*gpu);
    } else {
      unknown_key(entry.key, "`resources`", k_keys, mistakes);
    }
  }
}

void put_secret(SecretSpec secret, std::vector<SecretSpec>& secrets) {
  auto same = std::find_if(secrets.begin(), secrets.end(), [&](const SecretSpec& s) { return s.name == secret.name; });
  if (same == secrets.end()) {
    secrets.push_back(std::move(secret));
  } else {
    *same = std::move(secret);
  }
}

std::string resolved(const std::string& path, const std::filesystem::path& directory) {
  return (directory / path).lexically_normal().string();
}

void read_secret(YamlEntry entry, const std::filesystem::path& directory, std::vector<SecretSpec>& secrets,
                 Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"env", "file", "as"};
  static const std::vector<std::string> k_forms = {"env", "file"};
  SecretSpec secret{.name = std::string(entry.key.text()), .from_env = {}, .from_file = {}, .where = entry.key.where()};
  std::string what = fmt::format("secret {}", ticked(secret.name));
  if (!expect_mapping(entry.value, what, mistakes)) return;
  for (YamlEntry member : entry.value.entries()) {
    std::string_view key = member.key.text();
    if (key == "env") {
      if (!read_text(member.value, "`env`", mistakes)) continue;
      if (check_variable_name(member.value, mistakes)) secret.from_env = member.value.text();
    } else if (key == "file") {
      if (auto path = read_filled_text(member.value, "`file`", mistakes)) secret.from_file = resolved(*path, directory);
    } else if (key == "as") {
      secret.as_file = read_choice(member.value, "`as`", k_forms, mistakes).value_or(0) == 1;
    } else {
      unknown_key(member.key, what, k_keys, mistakes);
    }
  }
  bool said = entry.value.find("env").has_value() != entry.value.find("file").has_value();
  if (!said) {
    if (has_misspelt(entry.value, k_keys, {"env", "file"})) return;
    mistakes.error(secret.where, fmt::format("{} wants to know where it is read from: env or file, one of them", what),
                   fmt::format("{}: {{env: NAME}} or {}: {{file: PATH}}", secret.name, secret.name));
    return;
  }
  bool good_name =
      secret.as_file ? check_name(entry.key, "a secret", mistakes) : check_variable_name(entry.key, mistakes);
  if (good_name) put_secret(std::move(secret), secrets);
}

void read_secrets(YamlNode node, const std::filesystem::path& directory, std::vector<SecretSpec>& secrets,
                  Mistakes& mistakes) {
  if (node.is_sequence()) {
    std::set<std::string_view> seen;
    for (YamlNode item : node.items()) {
      if (!read_text(item, "a secret", mistakes) || !check_variable_name(item, mistakes)) continue;
      if (!seen.insert(item.text()).second) {
        mistakes.error(item.where(), fmt::format("secret {} is here twice", ticked(item.text())));
        continue;
      }
      put_secret({std::string(item.text()), std::string(item.text()), {}, false, item.where()}, secrets);
    }
    return;
  }
  if (!node.is_mapping()) {
    mistakes.error(node.where(), "`secrets` wants a list of names or a mapping",
                   "[API_KEY] takes it from the environment; {API_KEY: {file: PATH}} from a file");
    return;
  }
  for (YamlEntry entry : node.entries()) read_secret(entry, directory, secrets, mistakes);
}

void read_pool_names(YamlEntry entry, std::vector<std::string>& pools, Mistakes& mistakes) {
  const YamlNode node = entry.value;
  pools.clear();
  auto add = [&](YamlNode item) {
    std::optional<std::string> name = read_filled_text(item, "a pool", mistakes);
    if (!name) return;
    if (std::find(pools.begin(), pools.end(), *name) != pools.end()) {
      mistakes.error(item.where(), fmt::format("pool {} is here twice", ticked(*name)),
                     "a task takes one place of a pool");
      return;
    }
    pools.push_back(*std::move(name));
  };
  if (node.is_scalar()) return add(node);
  if (!expect_sequence(node, ticked(entry.key.text()), mistakes)) return;
  for (YamlNode item : node.items()) add(item);
}

template <class Enum>
void read_word(YamlEntry entry, const std::vector<std::string>& words, Enum& field, Mistakes& mistakes) {
  std::string what = ticked(entry.key.text());
  if (auto index = read_choice(entry.value, what, words, mistakes)) field = static_cast<Enum>(*index);
}

void read_timeout(YamlNode node, TaskSettings& settings, Mistakes& mistakes) {
  std::optional<std::chrono::milliseconds> timeout = read_duration(node, "`timeout`", mistakes);
  if (!timeout) return;
  if (timeout->count() == 0) {
    mistakes.error(node.where(), "a timeout of nothing would let no task end", "leave `timeout` out for no limit");
    return;
  }
  settings.timeout = timeout;
}

std::optional<std::chrono::milliseconds> read_max_age(YamlNode node, Mistakes& mistakes) {
  std::optional<std::chrono::milliseconds> age = read_duration(node, "`max_age`", mistakes);
  if (!age || age->count() > 0) return age;
  mistakes.error(node.where(), "no result is younger than a `max_age` of nothing",
                 "write `cache: false` to always run");
  return std::nullopt;
}

void read_cache(YamlNode node, CacheSettings& cache, Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"enabled", "version", "max_age"};
  if (node.is_scalar()) return set(cache.enabled, read_flag(node, "`cache`", mistakes));
  if (!expect_mapping(node, "`cache`", mistakes)) return;
  for (YamlEntry entry : node.entries()) {
    std::string_view key = entry.key.text();
    if (key == "enabled") {
      set(cache.enabled, read_flag(entry.value, "`enabled`", mistakes));
    } else if (key == "version") {
      set(cache.version, read_filled_text(entry.value, "`version`", mistakes));
    } else if (key == "max_age") {
      if (auto age = read_max_age(entry.value, mistakes)) cache.max_age = age;
    } else {
      unknown_key(entry.key, "`cache`", k_keys, mistakes);
    }
  }
}

void warn_of_idle_cache(YamlNode node, const CacheSettings& cache, Mistakes& mistakes) {
  if (cache.enabled || !node.has_children() || node.find("enabled")) return;
  mistakes.warning(node.where(), "the cache is off by `defaults`, so what is said here has no effect",
                   "add `enabled: true`");
}

}  // namespace

std::span<const std::string> setting_keys() { return k_settings; }

bool is_setting(std::string_view key) {
  return std::find(k_settings.begin(), k_settings.end(), key) != k_settings.end();
}

void read_setting(YamlEntry entry, const std::filesystem::path& directory, TaskSettings& settings, Mistakes& mistakes) {
  std::string_view key = entry.key.text();
  if (key == "retry") return read_retry(entry.value, settings.retry, mistakes);
  if (key == "timeout") return read_timeout(entry.value, settings, mistakes);
  if (key == "resources") return read_resources(entry.value, settings.resources, mistakes);
  if (key == "env") return read_env(entry.value, settings.env, mistakes);
  if (key == "secrets") return read_secrets(entry.value, directory, settings.secrets, mistakes);
  if (key == "pool" || key == "pools") return read_pool_names(entry, settings.pools, mistakes);
  if (key == "network") return read_word(entry, {"bridge", "none", "host"}, settings.network, mistakes);
  if (key == "user") return read_word(entry, {"caller", "image"}, settings.user, mistakes);
  if (key == "pull") return read_word(entry, {"missing", "always", "never"}, settings.pull, mistakes);
  if (key == "cache") return read_cache(entry.value, settings.cache, mistakes);
  if (key == "keep") set(settings.keep, read_flag(entry.value, "`keep`", mistakes));
}

void warn_of_idle_settings(YamlNode task, const TaskSettings& settings, Mistakes& mistakes) {
  if (auto retry = task.find("retry")) warn_of_idle_retry(*retry, settings, mistakes);
  if (auto cache = task.find("cache")) warn_of_idle_cache(*cache, settings.cache, mistakes);
}

std::vector<Pool> read_pools(YamlNode node, Mistakes& mistakes) {
  std::vector<Pool> pools;
  if (node.is_null() || !expect_mapping(node, "`pools`", mistakes)) return pools;
  for (YamlEntry entry : node.entries()) {
    if (!check_name(entry.key, "a pool", mistakes)) continue;
    auto places = read_integer(entry.value, fmt::format("pool {}", ticked(entry.key.text())), 1, 1'000'000, mistakes);
    pools.push_back({std::string(entry.key.text()), static_cast<int>(places.value_or(1))});
  }
  return pools;
}

void read_env(YamlNode node, std::vector<EnvVariable>& env, Mistakes& mistakes) {
  if (node.is_null() || !expect_mapping(node, "`env`", mistakes)) return;
  for (YamlEntry entry : node.entries()) {
    bool good_name = check_variable_name(entry.key, mistakes);
    std::string what = fmt::format("variable {}", ticked(entry.key.text()));
    std::optional<Template> value = read_template(entry.value, what, mistakes);
    if (!good_name || !value) continue;
    auto same = std::find_if(env.begin(), env.end(), [&](const EnvVariable& v) { return v.name == entry.key.text(); });
    if (same == env.end()) {
      env.push_back({std::string(entry.key.text()), *std::move(value)});
    } else {
      same->value = *std::move(value);
    }
  }
}

}  // namespace mlpipe::spec
