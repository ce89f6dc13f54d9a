#pragma once

#include <map>
#include <string>

#include "app/console.hpp"
#include "app/options.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::app {

// `mlpipe component run`: one component alone, as a run of a pipeline that is made for it.
ExitCode component_run(const ComponentRunCommand& command, const Console& console);

// The arguments of a component as they were said: what is for its parameters (as RunCommand::parameters), and the absolute
// paths for its artifacts.
struct ComponentArguments {
  std::vector<std::string> parameters;
  std::map<std::string, std::string> paths;  // by input
};
// Errors list all mistakes: unknown inputs, paths with nothing there, artifacts that are missing.
Result<ComponentArguments> component_arguments(const spec::ComponentSpec& component,
                                               const std::vector<std::string>& said);

// A pipeline whose one task uses the component at `path`, and whose parameters are the component's; each artifact is imported.
std::string pipeline_around(const spec::ComponentSpec& component, const std::string& path,
                            const std::map<std::string, std::string>& artifacts);

// The task's name in that pipeline, and the pipeline's: the component's, as far as names may have its letters.
std::string name_around(const spec::ComponentSpec& component);

}  // namespace mlpipe::app
