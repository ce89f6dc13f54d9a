#include "app/parameters.hpp"

#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/arguments.hpp"
#include "mlpipe/spec/values.hpp"

namespace mlpipe::app {

Result<Value::Struct> pipeline_arguments(const RunCommand& command, const spec::PipelineSpec& spec,
                                         Value::Struct inherited) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const std::string& parameter : command.parameters) {
    std::size_t equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail_with_hint(ErrorCode::invalid_input, fmt::format("-p {}: no name=value", parameter),
                            "write -p name=value, for example -p test_size=0.3");
    }
    if (!is_valid_utf8(parameter)) {
      return fail_with_hint(ErrorCode::invalid_input, fmt::format("-p {}: not UTF-8", printable(parameter)),
                            "encode binary values, in base64 for example");
    }
    texts.emplace_back(parameter.substr(0, equals), parameter.substr(equals + 1));
  }
  std::erase_if(inherited, [&spec](const auto& argument) {
    return spec.root_component().interface.input_parameter(argument.first) == nullptr;
  });
  if (!command.parameters_file.empty()) {
    Result<Value> values = spec::read_values(command.parameters_file);
    if (!values) return within("--params", values.error());
    if (!values->is_struct()) {
      return fail(ErrorCode::invalid_input, "--params {}: no map of parameter names to values",
                  command.parameters_file);
    }
    for (auto& [name, value] : values->as_struct()) inherited.insert_or_assign(name, std::move(value));
  }
  return plan::parse_arguments(spec, texts, std::move(inherited));
}

}  // namespace mlpipe::app
