#pragma once

#include "spec/pipeline_scope.hpp"

namespace mlpipe::spec {

// Makes what a task's texts (command, args, script, env, an importer's uri) name of the pipeline, `parameters.p` and
// `tasks.t.outputs.o[.path|.uri]`, inputs of its component, and checks what they name of the component itself.
// A component that other tasks share is copied first. The task's arguments are bound already.
void add_implicit_inputs(TaskSpec& task, PipelineScope& scope, Reading& reading);

}  // namespace mlpipe::spec
