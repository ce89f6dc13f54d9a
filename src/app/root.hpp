#pragma once

#include <filesystem>
#include <string>

#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

// The pipeline root, absolute: what was said on the command line, else MLPIPE_ROOT, else the spec's own (relative to the
// pipeline file's folder), else ./pipeline-root. A gs:// root: invalid_input, for this version keeps artifacts on local disk.
Result<std::filesystem::path> resolve_root(const std::string& said, const std::string& of_spec,
                                           const std::filesystem::path& spec_folder);
// The same for commands that read no spec.
Result<std::filesystem::path> resolve_root(const std::string& said);

// "--root FOLDER", which a command must be given to find `root` from here; nothing when it finds it without. `said`: what
// --root was given.
std::string root_option(const std::string& said, const std::filesystem::path& root);

}  // namespace mlpipe::app
