#pragma once

#include <vector>

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// How texts in a command are meant: with `${{ }}` in a pipeline file, literally in a component.yaml.
enum class Texts { with_expressions, literal };

// `command` or `args`: texts and KFP's placeholders {inputValue: x}, {inputPath: x}, {inputUri: x}, {outputPath: x},
// {outputUri: x}, {executorInput: null}, {concat: [...]}, {if: {cond, then, else}}, {ifPresent: {inputName, then, else}}.
// Names in placeholders are checked against `interface`.
std::vector<Word> read_words(YamlNode node, std::string_view what, Texts texts, const Interface& interface,
                             Mistakes& mistakes);

// A reference of a component's own scope: inputs.x, inputs.x.path, inputs.x.uri, outputs.x.path, outputs.x.uri, run.id,
// run.root. Says what is wrong with one that the component does not have; true when it is right.
bool check_component_reference(const Reference& reference, const Interface& interface, Mistakes& mistakes);

}  // namespace mlpipe::spec
