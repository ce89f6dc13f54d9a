#pragma once

#include <filesystem>
#include <string>

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/result.hpp"

namespace mlpipe::app {

constexpr std::string_view k_default_init_image = "python:3.11-slim";

// `mlpipe init`: writes a small pipeline that runs, and says what to do next.
ExitCode init(const InitCommand& command);

// The pipeline it writes; its tasks run in `image`, which has Python 3.
std::string starter_pipeline(const std::string& image);

// Writes it to `folder`, which is made when it is not there. A pipeline.yaml there: conflict, nothing is changed.
// The answer is the file written.
Result<std::filesystem::path> write_starter(const std::filesystem::path& folder, const std::string& image);

}  // namespace mlpipe::app
