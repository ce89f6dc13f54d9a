#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::runner::docker {

// Credentials for registries, as the docker command keeps them: in config.json, or with a credential helper. They are
// only ever put into request headers, never into a message.
class RegistryAuth final {
 public:
  using Environment = std::map<std::string, std::string, std::less<>>;

  // `config_folder` holds config.json, which may be absent; empty: no credentials. `environment` is for the helpers.
  explicit RegistryAuth(std::filesystem::path config_folder = {}, Environment environment = {});

  // The value of X-Registry-Auth for pulling `reference`; nothing: pull without credentials. An Error says that
  // there are credentials but they cannot be had.
  Result<std::optional<std::string>> for_pull(std::string_view reference) const;
  // The value of X-Registry-Config for a build, which may pull from any registry; helpers that fail are passed over.
  Result<std::optional<std::string>> for_build() const;

 private:
  Result<Value> load_config() const;
  Result<std::optional<Value>> credentials(const Value& config, const std::string& server) const;
  Result<std::optional<Value>> ask_helper(const std::string& helper, const std::string& server) const;

  std::filesystem::path config_folder_;
  Environment environment_;
};

// The registry of an image reference, as config.json names it: "gcr.io", "localhost:5000",
// "https://index.docker.io/v1/".
std::string registry_of(std::string_view reference);

}  // namespace mlpipe::runner::docker
