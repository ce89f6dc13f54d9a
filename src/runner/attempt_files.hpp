#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/runner/run_context.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::runner {

// The folders of one attempt on the host, and where its container sees them. With an engine that has no file system of its
// own (process) both are the same.
struct AttemptFiles {
  artifact::TaskTree tree;
  int number = 1;
  std::filesystem::path work;     // host: outputs are written here
  std::filesystem::path visible;  // container: what `work` is called there
  std::filesystem::path inputs;   // host: values of parameters wanted as files
  std::filesystem::path visible_inputs;
  std::filesystem::path script;  // host
  std::filesystem::path visible_script;
  std::filesystem::path home;  // container: a writable HOME
  bool host_paths = false;     // the engine has no mounts

  std::filesystem::path visible_output(const spec::ArtifactSpec& output) const {
    return visible / output.name / output.file_name;
  }
  std::filesystem::path visible_parameter(const std::string& name) const {
    return artifact::TaskTree::parameter_file(visible, name);
  }
};

// The folders of an attempt, made or not.
AttemptFiles locate_files(const RunContext& run, std::string_view task_path, int attempt, const EngineInfo& engine);

// Makes a fresh attempt folder with everything a container needs to write its outputs.
Result<AttemptFiles> prepare_files(const RunContext& run, std::string_view task_path, int attempt,
                                   const EngineInfo& engine, const spec::Interface& interface, spec::UserMode user);

}  // namespace mlpipe::runner
