#pragma once

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

enum class Direction { input, output };

// `parameters:` of a pipeline: name -> default, or name -> {type, default, description, optional}.
void read_parameters(YamlNode node, Interface& interface, Mistakes& mistakes);
// `inputs:` or `outputs:` of an inline component: name -> type, or name -> {type, description, default, optional, path}.
void read_inline_ports(YamlNode node, Direction direction, Interface& interface, Mistakes& mistakes);
// `inputs:` or `outputs:` of a component.yaml: a list of {name, type, ...} in KFP's words.
void read_listed_ports(YamlNode node, Direction direction, Interface& interface, Mistakes& mistakes);

// Inputs and outputs whose names make one environment variable, MLPIPE_INPUT_<NAME>, are mistakes.
void check_variable_clashes(const Interface& interface, Mistakes& mistakes);

// The input or output that `name` means: as it is named, or as it is written in the component ("Learning rate").
std::optional<std::string> find_port(const Interface& interface, Direction direction, std::string_view name);
// Whether `name` may mean a declaration that has a mistake in it, or could not be read at all.
bool is_unread(const Interface& interface, Direction direction, std::string_view name);
// All that are declared, however wrongly.
std::vector<std::string> port_names(const Interface& interface, Direction direction);

}  // namespace mlpipe::spec
