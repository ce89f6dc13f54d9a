#include "mlpipe/plan/fingerprint.hpp"

#include <algorithm>
#include <cmath>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::plan {
namespace {

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Every string goes through here: no newline gets out, and no two strings look alike.
void append_string(std::string& to, std::string_view text) {
  const bool simple = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (simple) {
    to += '"';
    to += text;
    to += '"';
  } else if (is_valid_utf8(text)) {
    to += to_json(Value(text));
  } else {
    to += "base64:\"" + to_base64(text) + '"';  // JSON would replace the bytes
  }
}

// Bare when that cannot be mistaken for anything else; "-" where there is no name.
void append_name(std::string& to, std::string_view name) {
  const bool bare = !name.empty() && is_plain(name.front()) &&
                    std::ranges::all_of(name, [](char c) { return is_plain(c) || c == '-' || c == '.'; });
  if (bare) {
    to += name;
  } else {
    append_string(to, name);
  }
}

// to_json(), but an integral Float keeps its ".0": expressions divide 1 and 1.0 differently.
void append_value(std::string& to, const Value& value) {
  if (value.is_string()) {
    append_string(to, value.as_string());
  } else if (value.is_double()) {
    const double number = value.as_double();
    if (number == 0 && std::signbit(number)) to += '-';
    const std::string text = number_text(number);
    to += text;
    if (std::isfinite(number) && text.find_first_of(".e") == std::string::npos) to += ".0";
  } else if (value.is_list()) {
    to += '[';
    for (const Value& item : value.as_list()) {
      if (&item != &value.as_list().front()) to += ',';
      append_value(to, item);
    }
    to += ']';
  } else if (value.is_struct()) {
    char separator = '{';
    for (const auto& [key, member] : value.as_struct()) {
      to += std::exchange(separator, ',');
      append_string(to, key);
      to += ':';
      append_value(to, member);
    }
    to += value.as_struct().empty() ? "{}" : "}";
  } else {
    to += to_json(value);
  }
}

void begin_fact(std::string& to, std::string_view kind, std::string_view name) {
  to += kind;
  to += ' ';
  append_name(to, name);
  to += ' ';
}

void append_words(std::string& to, const std::vector<spec::Word>& words);

void append_word(std::string& to, const spec::Word& word) {
  if (const auto* text = std::get_if<spec::Template>(&word.form)) {
    append_string(to, text->text());
  } else if (const auto* concat = std::get_if<spec::Word::Concat>(&word.form)) {
    to += "{\"concat\":";
    append_words(to, concat->items);
    to += '}';
  } else {
    const auto& choice = std::get<spec::Word::IfPresent>(word.form);
    to += "{\"if-present\":";
    append_string(to, choice.input);
    to += ",\"then\":";
    append_words(to, choice.then_words);
    to += ",\"else\":";
    append_words(to, choice.else_words);
    to += '}';
  }
}

void append_words(std::string& to, const std::vector<spec::Word>& words) {
  to += '[';
  for (const spec::Word& word : words) {
    if (&word != &words.front()) to += ',';
    append_word(to, word);
  }
  to += ']';
}

void add_words(std::string& to, std::string_view kind, const std::vector<spec::Word>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    begin_fact(to, kind, std::to_string(i + 1));
    append_word(to, words[i]);
    to += '\n';
  }
}

void add_code(std::string& to, const spec::ContainerSpec& container) {
  if (container.has_command && container.command.empty())
    to += "command - []\n";  // no entrypoint; none said: the image's
  if (container.has_command) add_words(to, "command", container.command);
  add_words(to, "args", container.args);
  if (!container.script) return;
  const std::string script = container.script->text();
  const std::vector<std::string_view> lines = split(script, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    begin_fact(to, "script", std::to_string(i + 1));
    append_string(to, lines[i]);
    to += '\n';
  }
}

// The task's variables win over the component's, the later over the earlier (runner/container_config.cpp).
void add_environment(std::string& to, const spec::ContainerSpec& container, const spec::TaskSettings& settings) {
  std::map<std::string_view, const spec::Template*> env;
  for (const auto* variables : {&container.env, &settings.env}) {
    for (const spec::EnvVariable& variable : *variables) env[variable.name] = &variable.value;
  }
  for (const auto& [name, value] : env) {
    begin_fact(to, "env", name);
    append_string(to, value->text());
    to += '\n';
  }
}

void add_sorted(std::string& to, std::vector<std::string> facts) {
  std::ranges::sort(facts);
  for (const std::string& fact : facts) to += fact;
}

void add_outputs(std::string& to, const spec::Interface& interface) {
  std::vector<std::string> facts;
  for (const spec::ParameterSpec& output : interface.output_parameters) {
    std::string& fact = facts.emplace_back();
    begin_fact(fact, "output", output.name);
    fact += output.optional ? "{\"optional\":true,\"type\":" : "{\"optional\":false,\"type\":";
    append_string(fact, to_string(output.type));
    fact += "}\n";
  }
  for (const spec::ArtifactSpec& output : interface.output_artifacts) {
    std::string& fact = facts.emplace_back();
    begin_fact(fact, "output", output.name);
    fact += "{\"file\":";
    append_string(fact, output.file_name);
    fact += output.optional ? ",\"optional\":true,\"type\":" : ",\"optional\":false,\"type\":";
    append_string(fact, output.type);
    fact += "}\n";
  }
  add_sorted(to, std::move(facts));
}

void add_secrets(std::string& to, const std::vector<spec::SecretSpec>& secrets) {
  std::vector<std::string> facts;
  for (const spec::SecretSpec& secret : secrets) {
    std::string& fact = facts.emplace_back();
    begin_fact(fact, "secret", secret.name);
    fact += secret.as_file ? "\"file\"\n" : "\"variable\"\n";
  }
  add_sorted(to, std::move(facts));
}

// The inputs whose presence `words` ask for.
void collect_choices(std::vector<std::string>& inputs, const std::vector<spec::Word>& words) {
  for (const spec::Word& word : words) {
    if (const auto* concat = std::get_if<spec::Word::Concat>(&word.form)) collect_choices(inputs, concat->items);
    const auto* choice = std::get_if<spec::Word::IfPresent>(&word.form);
    if (choice == nullptr) continue;
    inputs.push_back(choice->input);
    collect_choices(inputs, choice->then_words);
    collect_choices(inputs, choice->else_words);
  }
}

std::vector<std::string> choices_of(const spec::ContainerSpec& container) {
  std::vector<std::string> inputs;
  collect_choices(inputs, container.command);
  collect_choices(inputs, container.args);
  std::ranges::sort(inputs);
  const auto repeated = std::ranges::unique(inputs);
  inputs.erase(repeated.begin(), repeated.end());
  return inputs;
}

void add_input(std::string& to, std::string_view name, const FingerprintArtifact& input) {
  begin_fact(to, "input", name);
  to += "{\"digest\":";
  append_string(to, input.digest);
  to += ",\"file\":";
  append_string(to, input.file_name);
  to += input.is_folder ? ",\"folder\":true,\"metadata\":" : ",\"folder\":false,\"metadata\":";
  append_value(to, input.metadata);
  to += ",\"type\":";
  append_string(to, input.type);
  to += "}\n";
}

}  // namespace

// What a component and its settings give, whatever the inputs.
struct FingerprintMaker::Code {
  std::string facts;
  std::vector<const spec::ParameterSpec*> parameters;  // sorted by name
  std::vector<std::string> choices;                    // inputs whose presence counts, sorted

  Code(const spec::ComponentSpec& component, const spec::TaskSettings& settings) {
    const spec::ContainerSpec& container = *component.container();
    facts.reserve(1024);
    facts += "version mlpipe " + std::to_string(k_fingerprint_version) + "\n";
    if (!settings.cache.version.empty()) {
      facts += "version - ";
      append_string(facts, settings.cache.version);
      facts += '\n';
    }
    add_code(facts, container);
    add_environment(facts, container, settings);
    add_outputs(facts, component.interface);
    add_secrets(facts, settings.secrets);
    for (const spec::ParameterSpec& parameter : component.interface.input_parameters) parameters.push_back(&parameter);
    std::ranges::sort(parameters, {},
                      [](const spec::ParameterSpec* parameter) { return std::string_view(parameter->name); });
    choices = choices_of(container);
  }

  // The value as the component sees it; a null stays one, as when the attempt starts.
  static void add_parameter(std::string& to, std::string_view name, const Value& value,
                            const spec::ParameterSpec* declared) {
    begin_fact(to, "parameter", name);
    const Result<Value> typed = declared == nullptr ? Result<Value>(value) : spec::coerce(value, declared->type);
    append_value(to, typed ? *typed : value);
    to += '\n';
  }

  // Both are sorted: what was given, and what is declared.
  void add_parameters(std::string& to, const FingerprintInputs& inputs) const {
    auto given = inputs.parameters.begin();
    for (const spec::ParameterSpec* declared : parameters) {
      for (; given != inputs.parameters.end() && given->first < declared->name; ++given) {
        add_parameter(to, given->first, given->second, nullptr);
      }
      if (given != inputs.parameters.end() && given->first == declared->name) {
        add_parameter(to, given->first, given->second, declared);
        ++given;
      } else if (declared->default_value) {
        add_parameter(to, declared->name, *declared->default_value, declared);
      }
    }
    for (; given != inputs.parameters.end(); ++given) add_parameter(to, given->first, given->second, nullptr);
  }

  // {ifPresent: x} asks whether the task gave x, and a default is not given.
  void add_choices(std::string& to, const FingerprintInputs& inputs) const {
    for (const std::string& input : choices) {
      const auto given = inputs.parameters.find(input);
      const bool present =
          given != inputs.parameters.end() ? !given->second.is_null() : inputs.artifacts.contains(input);
      begin_fact(to, "present", input);
      to += present ? "true\n" : "false\n";
    }
  }

  Fingerprint with(const FingerprintInputs& inputs) const {
    Fingerprint made;
    made.text.reserve(facts.size() + 128 + 64 * inputs.parameters.size() + 192 * inputs.artifacts.size());
    made.text = facts;
    made.text += "image - ";
    append_string(made.text, inputs.image);
    made.text += '\n';
    add_parameters(made.text, inputs);
    add_choices(made.text, inputs);
    for (const auto& [name, input] : inputs.artifacts) add_input(made.text, name, input);
    made.hex = sha256_hex(made.text);
    return made;
  }
};

FingerprintMaker::FingerprintMaker() = default;
FingerprintMaker::~FingerprintMaker() = default;

Fingerprint FingerprintMaker::make(const spec::ComponentSpec& component, const spec::TaskSettings& settings,
                                   const FingerprintInputs& inputs) {
  MLPIPE_ASSERT(component.container() != nullptr);
  std::unique_ptr<const Code>& code = codes_[{&component, &settings}];
  if (!code) code = std::make_unique<const Code>(component, settings);
  return code->with(inputs);
}

Fingerprint fingerprint_of(const spec::ComponentSpec& component, const spec::TaskSettings& settings,
                           const FingerprintInputs& inputs) {
  return FingerprintMaker().make(component, settings, inputs);
}

}  // namespace mlpipe::plan
