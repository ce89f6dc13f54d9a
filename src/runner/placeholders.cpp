#include "runner/placeholders.hpp"

#include <cctype>

namespace mlpipe::runner {

Placeholders::Placeholders(const RunContext& run, const spec::Interface& interface, const engine::TaskData& inputs,
                           const AttemptFiles& files, const std::map<std::string, std::string>& output_uris)
    : run_(run), interface_(interface), inputs_(inputs), files_(files), output_uris_(output_uris) {
  parameters_ = inputs.parameters;
  for (const spec::ParameterSpec& parameter : interface.input_parameters) {
    if (parameter.default_value) parameters_.try_emplace(parameter.name, *parameter.default_value);
  }
}

std::filesystem::path Placeholders::input_path(const engine::Artifact& artifact) { return artifact.uri; }

bool Placeholders::present(std::string_view input) const {
  if (auto found = inputs_.parameters.find(input); found != inputs_.parameters.end()) return !found->second.is_null();
  return inputs_.artifacts.find(input) != inputs_.artifacts.end();
}

Result<Value> Placeholders::lookup(const spec::Reference& reference) const {
  const std::string& root = reference.path.front();
  if (root == "inputs" && reference.path.size() >= 2) return input(reference);
  if (root == "outputs" && reference.path.size() >= 2) return output(reference);
  if (root == "executor_input") return Value(to_json(executor_input()));
  if (root == "run" && reference.path.size() == 2) {
    if (reference.path[1] == "id") return Value(run_.run_id);
    if (reference.path[1] == "root") return Value(run_.root.string());
  }
  return fail(ErrorCode::invalid_input, "nothing is called {} inside a component", to_string(reference));
}

Result<Value> Placeholders::input(const spec::Reference& reference) const {
  const std::string& name = reference.path[1];
  std::string_view aspect = reference.path.size() > 2 ? std::string_view(reference.path[2]) : std::string_view();
  if (interface_.input_parameter(name) != nullptr) {
    if (aspect == "path") return Value((files_.visible_inputs / name).string());
    auto found = parameters_.find(name);
    return found == parameters_.end() ? Value() : found->second;
  }
  auto found = inputs_.artifacts.find(name);
  if (found == inputs_.artifacts.end()) {
    const spec::ArtifactSpec* declared = interface_.input_artifact(name);
    if (declared != nullptr && declared->optional) return Value();
    return fail(ErrorCode::invalid_input, "input \"{}\" was not given", name);
  }
  const engine::Artifact& artifact = found->second;
  if (aspect == "uri") return Value(artifact.uri);
  if (aspect == "metadata") {
    Value metadata = artifact.metadata;
    if (reference.path.size() == 3) return metadata;
    const Value* member = metadata.find(reference.path[3]);
    if (member == nullptr) return fail(ErrorCode::not_found, "{}: no such key", to_string(reference));
    return *member;
  }
  return Value(input_path(artifact).string());
}

Result<Value> Placeholders::output(const spec::Reference& reference) const {
  const std::string& name = reference.path[1];
  std::string_view aspect = reference.path.size() > 2 ? std::string_view(reference.path[2]) : std::string_view();
  if (interface_.output_parameter(name) != nullptr) return Value(files_.visible_parameter(name).string());
  if (const spec::ArtifactSpec* artifact = interface_.output_artifact(name)) {
    if (aspect == "uri") return Value(output_uris_.at(name));
    return Value(files_.visible_output(*artifact).string());
  }
  return fail(ErrorCode::invalid_input, "the component has no output \"{}\"", name);
}

Value Placeholders::executor_input() const {
  auto runtime_artifact = [](std::string_view name, std::string_view type, std::string_view uri,
                             const Value& metadata) {
    return Value(
        Value::Struct{{"artifacts", Value::List{Value::Struct{
                                        {"name", name},
                                        {"type", Value::Struct{{"schemaTitle", type}, {"schemaVersion", "0.0.1"}}},
                                        {"uri", uri},
                                        {"metadata", metadata},
                                    }}}});
  };
  Value::Struct values;
  for (const auto& [name, value] : parameters_) values.emplace(name, value);
  Value::Struct given;
  for (const auto& [name, artifact] : inputs_.artifacts) {
    given.emplace(name, runtime_artifact(artifact.name, artifact.type, artifact.uri, artifact.metadata));
  }
  Value::Struct files;
  for (const spec::ParameterSpec& output : interface_.output_parameters) {
    files.emplace(output.name, Value::Struct{{"outputFile", files_.visible_parameter(output.name).string()}});
  }
  Value::Struct made;
  for (const spec::ArtifactSpec& output : interface_.output_artifacts) {
    // The path is what a component can write to: for the local store the URI is that path as well.
    made.emplace(output.name,
                 runtime_artifact(output.name, output.type, files_.visible_output(output).string(), Value::Struct{}));
  }
  Value::Struct inputs;
  if (!values.empty()) inputs.emplace("parameterValues", std::move(values));
  if (!given.empty()) inputs.emplace("artifacts", std::move(given));
  Value::Struct outputs;
  if (!files.empty()) outputs.emplace("parameters", std::move(files));
  if (!made.empty()) outputs.emplace("artifacts", std::move(made));
  outputs.emplace("outputFile", artifact::TaskTree::executor_output(files_.visible).string());
  return Value::Struct{{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

std::string environment_name(std::string_view prefix, std::string_view name) {
  std::string out(prefix);
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    out += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return out;
}

}  // namespace mlpipe::runner
