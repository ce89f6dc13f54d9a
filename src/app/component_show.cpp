#include "app/component_show.hpp"

#include "app/pipeline_file.hpp"
#include "app/print.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

Value parameter_value(const spec::ParameterSpec& parameter) {
  Value::Struct entry{{"name", parameter.name}, {"type", to_string(parameter.type)}, {"optional", parameter.optional}};
  if (parameter.default_value) entry.emplace("default", *parameter.default_value);
  if (!parameter.description.empty()) entry.emplace("description", parameter.description);
  return entry;
}

Value artifact_value(const spec::ArtifactSpec& artifact) {
  Value::Struct entry{{"name", artifact.name}, {"type", artifact.type}, {"optional", artifact.optional}};
  if (!artifact.description.empty()) entry.emplace("description", artifact.description);
  return entry;
}

template <class Parameters, class Artifacts>
Value ports(const Parameters& parameters, const Artifacts& artifacts) {
  Value::List list;
  for (const auto& parameter : parameters) list.push_back(parameter_value(parameter));
  for (const auto& artifact : artifacts) list.push_back(artifact_value(artifact));
  return list;
}

std::string port_line(const Value& port) {
  std::string line = fmt::format("  {:<24} {:<24}", port.text_or("name", ""), port.text_or("type", ""));
  if (const Value* otherwise = port.find("default")) {
    line += " default " + printable(parameter_text(*otherwise));
  } else if (port.bool_or("optional", false)) {
    line += " optional";
  }
  if (std::string description = port.text_or("description", ""); !description.empty()) {
    line += "  " + printable(description.substr(0, description.find('\n')));
  }
  return std::string(line.substr(0, line.find_last_not_of(' ') + 1)) + "\n";
}

}  // namespace

ExitCode component_show(const ComponentShowCommand& command) {
  const auto loaded = load_component(command.component, command.component_path);
  if (const ExitCode* code = std::get_if<ExitCode>(&loaded)) return *code;
  const spec::ComponentSpec& component = std::get<LoadedComponent>(loaded).component;
  Value inputs = ports(component.interface.input_parameters, component.interface.input_artifacts);
  Value outputs = ports(component.interface.output_parameters, component.interface.output_artifacts);
  if (command.json) {
    print(to_pretty_json(Value::Struct{{"name", component.name},
                                       {"description", component.description},
                                       {"inputs", std::move(inputs)},
                                       {"outputs", std::move(outputs)}}));
    return ExitCode::succeeded;
  }
  std::string text = component.name + "\n";
  if (!component.description.empty()) text += printable(trim(component.description)) + "\n";
  text += "inputs:\n";
  for (const Value& port : inputs.as_list()) text += port_line(port);
  text += "outputs:\n";
  for (const Value& port : outputs.as_list()) text += port_line(port);
  print(text);
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
