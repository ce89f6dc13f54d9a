#include "arguments.hpp"

#include <map>
#include <set>

#include "mlpipe/base/text.hpp"

namespace mlpipe::plan {
namespace {

std::string unknown_parameter(const std::vector<spec::ParameterSpec>& parameters, std::string_view name) {
  std::vector<std::string> names;
  for (const spec::ParameterSpec& parameter : parameters) names.push_back(parameter.name);
  if (names.empty()) return fmt::format("unknown parameter '{}': this pipeline has none", name);
  if (std::optional<std::string> near = closest(name, names)) {
    return fmt::format("unknown parameter '{}'; did you mean '{}'?", name, *near);
  }
  return fmt::format("unknown parameter '{}'; this pipeline has: {}", name, join(names, ", "));
}

std::string wrong_value(const spec::ParameterSpec& parameter, const Error& error) {
  return fmt::format("parameter '{}' ({}): {}", parameter.name, to_string(parameter.type), error.message);
}

Failure mistakes_as_error(const spec::PipelineSpec& spec, const std::vector<ArgumentMistake>& mistakes) {
  std::string subject = spec.name.empty() ? "arguments" : fmt::format("arguments of pipeline '{}'", spec.name);
  if (mistakes.size() == 1) return fail(ErrorCode::invalid_input, "{}: {}", subject, mistakes.front().text);
  std::string list;
  for (const ArgumentMistake& mistake : mistakes) list += "\n  " + mistake.text;
  return fail(ErrorCode::invalid_input, "{}: {} mistakes{}", subject, mistakes.size(), list);
}

}  // namespace

Result<Value::Struct> complete_arguments(const spec::PipelineSpec& spec, Value::Struct given,
                                         std::vector<ArgumentMistake> mistakes) {
  const spec::Interface& interface = spec.root_component().interface;
  std::set<std::string> mistaken;
  for (const ArgumentMistake& mistake : mistakes) mistaken.insert(mistake.parameter);

  for (const auto& [name, value] : given) {
    if (interface.input_parameter(name) != nullptr || mistaken.contains(name)) continue;
    mistakes.push_back({name, unknown_parameter(interface.input_parameters, name)});
  }
  Value::Struct complete;
  for (const spec::ParameterSpec& parameter : interface.input_parameters) {
    if (mistaken.contains(parameter.name)) continue;
    if (auto found = given.find(parameter.name); found != given.end()) {
      Result<Value> value = spec::coerce(found->second, parameter.type);
      if (value) {
        complete.emplace(parameter.name, std::move(*value));
      } else {
        mistakes.push_back({parameter.name, wrong_value(parameter, value.error())});
      }
    } else if (parameter.default_value) {
      complete.emplace(parameter.name, *parameter.default_value);
    } else if (!parameter.optional) {
      mistakes.push_back(
          {parameter.name, fmt::format("parameter '{0}' ({1}) has no default and must be given: -p {0}=...",
                                       parameter.name, to_string(parameter.type))});
    }
  }
  if (!mistakes.empty()) return mistakes_as_error(spec, mistakes);
  return complete;
}

Result<Value::Struct> parse_arguments(const spec::PipelineSpec& spec,
                                      const std::vector<std::pair<std::string, std::string>>& texts,
                                      Value::Struct from_file) {
  const spec::Interface& interface = spec.root_component().interface;
  std::map<std::string, std::string> latest;
  for (const auto& [name, text] : texts) latest.insert_or_assign(name, text);

  Value::Struct given = std::move(from_file);
  std::vector<ArgumentMistake> mistakes;
  for (const auto& [name, text] : latest) {
    const spec::ParameterSpec* parameter = interface.input_parameter(name);
    if (parameter == nullptr) {
      mistakes.push_back({name, unknown_parameter(interface.input_parameters, name)});
      continue;
    }
    Result<Value> value = spec::parse_parameter(text, parameter->type);
    if (value) {
      given.insert_or_assign(name, std::move(*value));
    } else {
      mistakes.push_back({name, wrong_value(*parameter, value.error())});
    }
  }
  return complete_arguments(spec, std::move(given), std::move(mistakes));
}

}  // namespace mlpipe::plan
