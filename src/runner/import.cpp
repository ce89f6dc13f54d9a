#include "mlpipe/runner/import.hpp"

#include <filesystem>

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

// What expressions gave, taken as the same text written in the file would be.
std::string resolved(std::string uri, const std::string& folder) {
  if (uri.starts_with("file://")) uri.erase(0, 7);
  if (uri.empty() || folder.empty() || uri.find("://") != std::string::npos) return uri;
  std::string path = (fs::path(folder) / uri).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

Result<engine::Artifact> name_import(const spec::ComponentSpec& component, const engine::TaskData& inputs) {
  const spec::ImporterSpec& importer = *component.importer();
  const auto lookup = [&](const spec::Reference& reference) -> Result<Value> {
    if (reference.path.size() >= 2 && reference.path[0] == "inputs") {
      auto found = inputs.parameters.find(reference.path[1]);
      if (found != inputs.parameters.end()) return found->second;
      const spec::ParameterSpec* declared = component.interface.input_parameter(reference.path[1]);
      if (declared != nullptr && declared->default_value) return *declared->default_value;
    }
    return fail(ErrorCode::invalid_input, "nothing is called {} in an import", to_string(reference));
  };
  Result<std::string> uri = spec::render(importer.uri, lookup);
  if (!uri) return Failure(std::move(uri).error());
  return engine::Artifact{
      .name = "artifact",
      .type = importer.type,
      .uri = importer.uri.is_literal() ? std::move(*uri) : resolved(std::move(*uri), importer.folder),
      .metadata = importer.metadata.is_struct() ? importer.metadata : Value(Value::Struct{})};
}

Result<engine::Artifact> look_at_import(const spec::ComponentSpec& component, const engine::TaskData& inputs,
                                        artifact::ArtifactStore& store, const std::function<bool()>& stop) {
  Result<engine::Artifact> named = name_import(component, inputs);
  if (!named) return named;
  Result<engine::Artifact> artifact = store.describe(named->uri, stop);
  if (!artifact) return artifact;
  artifact->name = std::move(named->name);
  artifact->type = std::move(named->type);
  artifact->metadata = std::move(named->metadata);
  return artifact;
}

}  // namespace mlpipe::runner
