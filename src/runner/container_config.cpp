#include "runner/container_config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_max_secret_bytes = 1U << 20U;
constexpr std::size_t k_max_word_bytes = 128 * 1024;  // MAX_ARG_STRLEN, its final NUL included

Result<> write_private_file(const fs::path& path, std::string_view text, mode_t mode) {
  sys::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return fail_errno("writing " + path.string(), errno);
  if (::fchmod(file.get(), mode) != 0) return fail_errno("writing " + path.string(), errno);
  while (!text.empty()) {
    ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("writing " + path.string(), errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// The words that run a script: its #! line, taken apart as the kernel would (interpreter and one argument), because the
// file system it lies on may be mounted noexec; sh without one.
std::vector<std::string> interpreter_of(std::string_view script) {
  if (!script.starts_with("#!")) return {"/bin/sh"};
  std::string_view line = trim(script.substr(2, script.find('\n') - 2));
  std::size_t space = line.find_first_of(" \t");
  if (line.empty()) return {"/bin/sh"};
  if (space == std::string_view::npos) return {std::string(line)};
  return {std::string(line.substr(0, space)), std::string(trim(line.substr(space)))};
}

// Parameters whose value the component wants in a file ({inputPath: a parameter}).
Result<> write_parameter_files(const spec::Interface& interface, const Placeholders& placeholders,
                               const AttemptFiles& files, const std::vector<spec::Reference>& references) {
  for (const spec::Reference& reference : references) {
    bool wants_file = reference.path.size() == 3 && reference.path[0] == "inputs" && reference.path[2] == "path" &&
                      interface.input_parameter(reference.path[1]) != nullptr;
    if (!wants_file) continue;
    auto value = placeholders.parameters().find(reference.path[1]);
    if (value == placeholders.parameters().end()) continue;
    if (Result<> made = sys::make_directories(files.inputs); !made) return made;
    Result<> written =
        sys::write_file_atomically(files.inputs / reference.path[1], parameter_text(value->second), sys::Durable::no);
    if (!written) return written;
  }
  return {};
}

std::vector<spec::Reference> references_of(const spec::ContainerSpec& container, const spec::TaskSettings& settings) {
  std::vector<spec::Reference> all;
  auto add = [&all](std::vector<spec::Reference> some) {
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  };
  for (const spec::Word& word : container.command) add(word.references());
  for (const spec::Word& word : container.args) add(word.references());
  if (container.script) add(container.script->references());
  for (const spec::EnvVariable& variable : container.env) add(variable.value.references());
  for (const spec::EnvVariable& variable : settings.env) add(variable.value.references());
  return all;
}

Result<> set_command(ContainerConfig& config, const AttemptJob& job, const AttemptFiles& files,
                     const Placeholders& placeholders) {
  const spec::ContainerSpec& container = *job.component->container();
  auto lookup = [&placeholders](const spec::Reference& reference) { return placeholders.lookup(reference); };
  auto present = [&placeholders](std::string_view input) { return placeholders.present(input); };
  if (container.script) {
    Result<std::string> script = spec::render(*container.script, lookup);
    if (!script) return within("the script", script.error());
    if (Result<> written = write_private_file(files.script, *script, 0755); !written) return written;
    config.entrypoint = interpreter_of(*script);
    config.entrypoint->push_back(files.visible_script.string());
    return {};
  }
  if (container.has_command) {
    Result<std::vector<std::string>> command = spec::expand(container.command, lookup, present);
    if (!command) return within("the command", command.error());
    config.entrypoint = std::move(*command);
  }
  Result<std::vector<std::string>> args = spec::expand(container.args, lookup, present);
  if (!args) return within("the arguments", args.error());
  config.command = std::move(*args);
  return {};
}

// Where the container finds the file of a secret.
fs::path secret_target(const SecretFiles::Secret& secret, const AttemptFiles& files) {
  return files.host_paths ? secret.file : fs::path("/mlpipe/secrets") / secret.name;
}

Result<> set_environment(ContainerConfig& config, const AttemptJob& job, const AttemptTools& tools,
                         const AttemptFiles& files, const Placeholders& placeholders, const SecretFiles& secrets) {
  const spec::Interface& interface = job.component->interface;
  std::map<std::string, std::string> env;
  env["HOME"] = files.home.string();
  for (const auto& [name, value] : placeholders.parameters()) {
    env[environment_name("MLPIPE_INPUT_", name)] = parameter_text(value);
  }
  for (const auto& [name, artifact] : job.request.inputs.artifacts) {
    env[environment_name("MLPIPE_INPUT_", name)] = Placeholders::input_path(artifact).string();
  }
  for (const spec::ParameterSpec& output : interface.output_parameters) {
    env[environment_name("MLPIPE_OUTPUT_", output.name)] = files.visible_parameter(output.name).string();
  }
  for (const spec::ArtifactSpec& output : interface.output_artifacts) {
    env[environment_name("MLPIPE_OUTPUT_", output.name)] = files.visible_output(output).string();
  }
  env["MLPIPE_RUN_ID"] = tools.run.run_id;
  env["MLPIPE_TASK"] = job.task_path;
  env["MLPIPE_ATTEMPT"] = std::to_string(job.request.id.number);
  auto lookup = [&placeholders](const spec::Reference& reference) { return placeholders.lookup(reference); };
  for (const auto* variables : {&job.component->container()->env, &job.settings->env}) {
    for (const spec::EnvVariable& variable : *variables) {
      Result<std::string> value = spec::render(variable.value, lookup);
      if (!value) return within("environment variable " + variable.name, value.error());
      env[variable.name] = std::move(*value);
    }
  }
  for (const SecretFiles::Secret& secret : secrets.secrets) {
    if (secret.file.empty()) {
      env[secret.name] = secret.value;
    } else {
      env["MLPIPE_SECRETS"] = secret_target(secret, files).parent_path().string();
    }
  }
  for (const auto& [name, value] : env) {
    // A parameter too large for a variable is still there for those who ask for it as a file.
    bool ours = name.starts_with("MLPIPE_INPUT_");
    if (ours && name.size() + value.size() + 2 > k_max_word_bytes) continue;
    config.env.push_back(name + "=" + value);
  }
  return {};
}

// Linux takes no longer word in a command line or environment; the engine would only say that the list is too long.
Result<> check_word_lengths(const ContainerConfig& config) {
  auto check = [](const std::vector<std::string>& words, std::string_view what) -> Result<> {
    for (const std::string& word : words) {
      if (word.size() + 1 <= k_max_word_bytes) continue;
      return fail_with_hint(ErrorCode::invalid_input,
                            fmt::format("{} is {} long, and Linux takes no word over 128 KiB: {}", what,
                                        bytes_text(word.size()), printable(shorten(word, 40))),
                            "give the value as a file instead: ${{ inputs.<name>.path }}");
    }
    return {};
  };
  if (Result<> good = check(config.env, "an environment variable"); !good) return good;
  if (Result<> good = check(config.command, "an argument"); !good) return good;
  return check(config.entrypoint.value_or(std::vector<std::string>{}), "a word of the command");
}

void set_mounts(ContainerConfig& config, const AttemptJob& job, const AttemptFiles& files, const SecretFiles& secrets) {
  config.mounts.push_back({.source = files.work, .target = files.visible, .read_only = false});
  std::error_code ignored;
  if (fs::exists(files.script, ignored)) {
    config.mounts.push_back({.source = files.script, .target = files.visible_script});
  }
  if (fs::exists(files.inputs, ignored)) {
    config.mounts.push_back({.source = files.inputs, .target = files.visible_inputs});
  }
  for (const SecretFiles::Secret& secret : secrets.secrets) {
    if (!secret.file.empty()) {
      config.mounts.push_back({.source = secret.file, .target = secret_target(secret, files)});
    }
  }
  for (const auto& [name, artifact] : job.request.inputs.artifacts) {
    Mount mount{.source = artifact.uri, .target = Placeholders::input_path(artifact)};
    bool there = std::any_of(config.mounts.begin(), config.mounts.end(),
                             [&mount](const Mount& other) { return other.target == mount.target; });
    if (!there) config.mounts.push_back(std::move(mount));
  }
  config.tmpfs.push_back(files.home.string());
}

}  // namespace

std::vector<std::string> SecretFiles::values() const {
  std::vector<std::string> all;
  for (const Secret& secret : secrets) {
    if (!secret.value.empty()) all.push_back(secret.value);
  }
  return all;
}

Result<SecretFiles> read_secrets(const std::vector<spec::SecretSpec>& specs, spec::UserMode user) {
  SecretFiles read;
  for (const spec::SecretSpec& spec : specs) {
    SecretFiles::Secret secret{.name = spec.name};
    if (!spec.from_file.empty()) {
      Result<std::string> text = sys::read_file(spec.from_file, k_max_secret_bytes);
      if (!text) return within("secret \"" + spec.name + "\"", text.error());
      secret.value = std::move(*text);
      if (!spec.as_file) secret.value = std::string(trim(secret.value));
    } else {
      std::optional<std::string> value = sys::environment(spec.from_env);
      if (!value) {
        return fail_with_hint(
            ErrorCode::not_found,
            fmt::format("secret \"{}\": the environment variable {} is not set", spec.name, spec.from_env),
            fmt::format("set {} where mlpipe runs", spec.from_env));
      }
      secret.value = std::move(*value);
    }
    if (spec.as_file) {
      if (!read.folder) {
        Result<SecretFolder> made = SecretFolder::make(place_of_secrets());
        if (!made) return Failure(std::move(made).error());
        read.folder.emplace(std::move(*made));
      }
      secret.file = read.folder->path() / spec.name;
      // The folder is ours alone; a user of the image's own must still be able to read the file it is given.
      mode_t mode = user == spec::UserMode::image ? 0444 : 0400;
      if (Result<> written = write_private_file(secret.file, secret.value, mode); !written) {
        return within("secret \"" + spec.name + "\"", written.error());
      }
    }
    read.secrets.push_back(std::move(secret));
  }
  return read;
}

Result<ContainerConfig> make_container_config(const AttemptJob& job, const AttemptTools& tools,
                                              const AttemptFiles& files, const Placeholders& placeholders,
                                              const SecretFiles& secrets, const Image& image) {
  const spec::TaskSettings& settings = *job.settings;
  const EngineInfo& engine = tools.engine.info();
  ContainerConfig config;
  config.name = job.container_name;
  config.labels = {{"mlpipe.root", tools.run.root.string()},
                   {"mlpipe.run", tools.run.run_id},
                   {"mlpipe.task", job.task_path},
                   {"mlpipe.attempt", std::to_string(job.request.id.number)}};
  config.image = image.id;
  Result<> files_written = write_parameter_files(job.component->interface, placeholders, files,
                                                 references_of(*job.component->container(), settings));
  if (!files_written) return Failure(files_written.error());
  if (Result<> set = set_command(config, job, files, placeholders); !set) return Failure(set.error());
  if (Result<> set = set_environment(config, job, tools, files, placeholders, secrets); !set)
    return Failure(set.error());
  if (Result<> short_enough = check_word_lengths(config); !short_enough) return Failure(short_enough.error());
  set_mounts(config, job, files, secrets);
  if (settings.user == spec::UserMode::caller) {
    config.user = engine.rootless ? "0:0" : fmt::format("{}:{}", tools.run.uid, tools.run.gid);
  }
  if (settings.network == spec::NetworkMode::none) config.network = "none";
  if (settings.network == spec::NetworkMode::host) config.network = "host";
  config.cpus = settings.resources.cpu;
  config.memory = job.request.memory != 0 ? job.request.memory : settings.resources.memory;
  config.shm = settings.resources.shm;
  if (config.shm == 0) config.shm = config.memory > 0 ? config.memory : tools.run.default_shm;
  config.gpus = job.gpus;
  if (!job.gpus.empty()) config.labels.emplace("mlpipe.gpus", join(job.gpus, ","));
  config.grace = tools.run.grace;
  return config;
}

}  // namespace mlpipe::runner
