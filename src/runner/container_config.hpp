#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/runner/secret_folder.hpp"
#include "runner/attempt.hpp"
#include "runner/attempt_files.hpp"
#include "runner/placeholders.hpp"

namespace mlpipe::runner {

// Secrets that were read for one attempt: never recorded, masked in its log, its files gone with this object.
struct SecretFiles {
  struct Secret {
    std::string name;
    std::string value;
    std::filesystem::path file;  // host; empty: given as a variable
  };
  std::vector<Secret> secrets;
  std::optional<SecretFolder> folder;  // when one is given as a file

  std::vector<std::string> values() const;
};
Result<SecretFiles> read_secrets(const std::vector<spec::SecretSpec>& specs, spec::UserMode user);

// The container that an attempt runs in, all placeholders replaced; also writes what it mounts beside the inputs:
// the script, and parameters wanted as files. `uris`: by output artifact.
Result<ContainerConfig> make_container_config(const AttemptJob& job, const AttemptTools& tools,
                                              const AttemptFiles& files, const Placeholders& placeholders,
                                              const SecretFiles& secrets, const Image& image);

}  // namespace mlpipe::runner
