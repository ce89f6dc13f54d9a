#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

// Small readers of one node each. `what` names the node in messages: "`timeout`", "input `x`". What is wrong goes to
// `mistakes`, and nothing is returned then.
namespace mlpipe::spec {

// Any text but nothing: 5 and true are taken as they are written.
std::optional<std::string> read_text(YamlNode node, std::string_view what, Mistakes& mistakes);
// The same, and not empty.
std::optional<std::string> read_filled_text(YamlNode node, std::string_view what, Mistakes& mistakes);
std::optional<bool> read_flag(YamlNode node, std::string_view what, Mistakes& mistakes);
std::optional<std::int64_t> read_integer(YamlNode node, std::string_view what, std::int64_t least, std::int64_t most,
                                         Mistakes& mistakes);
std::optional<double> read_number(YamlNode node, std::string_view what, double least, Mistakes& mistakes);
std::optional<std::chrono::milliseconds> read_duration(YamlNode node, std::string_view what, Mistakes& mistakes);
std::optional<std::uint64_t> read_bytes(YamlNode node, std::string_view what, Mistakes& mistakes);
// One of `words`: its index.
std::optional<std::size_t> read_choice(YamlNode node, std::string_view what, std::span<const std::string> words,
                                       Mistakes& mistakes);
// A text with `${{ }}` in it; its references know their places in the file. When some of it is wrong, the rest is given
// all the same, so that its references are checked, too.
std::optional<Template> read_template(YamlNode node, std::string_view what, Mistakes& mistakes);

// What a plain scalar is in YAML 1.2's core schema: a number, a flag, or text after all.
Result<Value> plain_value(std::string_view text);
// The value as YAML 1.2 has it: plain `5`, `true` and `null` are no texts.
std::optional<Value> read_value(YamlNode node, Mistakes& mistakes);
// The value as a parameter of `type`; for a String, what is written.
std::optional<Value> read_parameter_value(YamlNode node, ParameterType type, std::string_view what, Mistakes& mistakes);

bool expect_mapping(YamlNode node, std::string_view what, Mistakes& mistakes);
bool expect_sequence(YamlNode node, std::string_view what, Mistakes& mistakes);
// What to do instead of writing the key `word`, which other tools have, where `known` are the keys; empty: nobody tried it yet.
std::string way_instead(std::string_view word, std::span<const std::string> known);
// "unknown key `imaeg` in task `x`" with the key that was meant.
void unknown_key(YamlNode key, std::string_view in, std::span<const std::string> known, Mistakes& mistakes);
// Whether an unknown key of `mapping`, or one that is no text, may mean one of `wanted`. That they are missing need not be said then: it is one
// mistake, and unknown_key() tells of it.
bool has_misspelt(YamlNode mapping, std::span<const std::string> known, std::initializer_list<std::string_view> wanted);

// Which rule `name` breaks for being one safe path component; nothing when it breaks none.
std::optional<std::string> name_problem(std::string_view name);
bool check_name(YamlNode key, std::string_view what, Mistakes& mistakes);
// KFP's key for a free name: "Learning rate" -> "learning_rate".
std::string normalized_name(std::string_view name);
// A name of an environment variable: letters, digits, _; nothing that we set ourselves.
bool check_variable_name(YamlNode key, Mistakes& mistakes);
// The variable a container finds an input or output under, after MLPIPE_INPUT_ or MLPIPE_OUTPUT_.
std::string variable_suffix(std::string_view name);

}  // namespace mlpipe::spec
