#include "runner/attempt.hpp"

#include <new>

#include "mlpipe/runner/import.hpp"
#include "runner/classify.hpp"
#include "runner/container_attempt.hpp"

namespace mlpipe::runner {
namespace {

using engine::AttemptResult;

AttemptResult import_artifact(const AttemptJob& job, const AttemptTools& tools, const AttemptStop& stop) {
  Result<engine::Artifact> artifact =
      look_at_import(*job.component, job.request.inputs, tools.store, [&stop] { return stop.signal.requested(); });
  if (!artifact) {
    if (auto reason = stop_reason(stop)) return classify_error(Error{ErrorCode::cancelled, "", ""}, reason);
    bool retryable = artifact.error().code == ErrorCode::unavailable || artifact.error().code == ErrorCode::io;
    return retryable ? infrastructure(artifact.error()) : unusable(artifact.error());
  }
  AttemptResult result;
  result.outputs.artifacts.emplace("artifact", std::move(*artifact));
  return result;
}

}  // namespace

Result<std::string> image_key(const spec::ComponentSpec& component, const engine::TaskData& inputs) {
  const spec::ContainerSpec& container = *component.container();
  if (!container.build_context.empty()) return container.build_context.string();
  return spec::render(container.image, [&](const spec::Reference& reference) -> Result<Value> {
    if (reference.path.size() == 2 && reference.path[0] == "inputs") {
      auto found = inputs.parameters.find(reference.path[1]);
      if (found != inputs.parameters.end()) return found->second;
      const spec::ParameterSpec* input = component.interface.input_parameter(reference.path[1]);
      if (input != nullptr && input->default_value) return *input->default_value;
    }
    return fail(ErrorCode::invalid_input, "an image cannot be named by {}", to_string(reference));
  });
}

AttemptReport run_attempt(const AttemptJob& job, const AttemptTools& tools, AttemptStop& stop,
                          const RunningSince& running) try {
  if (job.component->is_importer()) return {.result = import_artifact(job, tools, stop), .container_id = {}};
  return ContainerAttempt(job, tools, stop, running).run();
} catch (const std::bad_alloc&) {
  return {.result = infrastructure({ErrorCode::unavailable, "mlpipe: out of memory",
                                    "raise its limit (ulimit -v), or run fewer tasks at once with --jobs"}),
          .container_id = {}};
} catch (const std::exception& unforeseen) {
  // A library threw where it should not: the attempt fails, the run goes on.
  return {.result = infrastructure({ErrorCode::internal, fmt::format("unforeseen: {}", unforeseen.what()), {}}),
          .container_id = {}};
}

}  // namespace mlpipe::runner
