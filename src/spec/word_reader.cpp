#include "spec/word_reader.hpp"

#include <fmt/format.h>

#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"

namespace mlpipe::spec {
namespace {

const std::vector<std::string> k_placeholders = {"inputValue",    "inputPath", "inputUri", "outputPath", "outputUri",
                                                 "executorInput", "concat",    "if",       "ifPresent"};

struct DataPlaceholder {
  std::string_view key;
  Direction direction;
  std::string_view part;  // what follows the name in our own scope
};
constexpr DataPlaceholder k_data_placeholders[] = {{"inputValue", Direction::input, ""},
                                                   {"inputPath", Direction::input, "path"},
                                                   {"inputUri", Direction::input, "uri"},
                                                   {"outputPath", Direction::output, "path"},
                                                   {"outputUri", Direction::output, "uri"}};

class WordReader final {
 public:
  WordReader(Texts texts, const Interface& interface, Mistakes& mistakes)
      : texts_(texts), interface_(interface), mistakes_(mistakes) {}

  std::vector<Word> list(YamlNode node, std::string_view what) {
    std::vector<Word> words;
    if (node.is_null()) return words;
    if (node.is_scalar()) {
      mistakes_.error(node.where(), fmt::format("{} wants a list of words, not text", what),
                      "write [python3, train.py]; a shell line goes into `script` or [sh, -c, \"...\"]");
      return words;
    }
    if (!expect_sequence(node, what, mistakes_)) return words;
    for (YamlNode item : node.items()) {
      if (std::optional<Word> word = one(item)) words.push_back(*std::move(word));
    }
    return words;
  }

 private:
  std::optional<Word> one(YamlNode node) {
    if (node.is_mapping()) return placeholder(node);
    if (texts_ == Texts::with_expressions) {
      std::optional<Template> text = read_template(node, "a word", mistakes_);
      if (!text) return std::nullopt;
      return Word{*std::move(text)};
    }
    std::optional<std::string> text = read_text(node, "a word", mistakes_);
    if (!text) return std::nullopt;
    warn_of_expression(node);
    return Word{Template::literal(*std::move(text))};
  }

  void warn_of_expression(YamlNode node) {
    std::string_view text = node.text();
    if (text.find("${{") == std::string_view::npos && text.find("{{$") == std::string_view::npos) return;
    mistakes_.warning(node.where(), "this text goes to the container as it is: component.yaml has no `${{ }}`",
                      "use {inputValue: name}, {inputPath: name} or {outputPath: name}");
  }

  std::optional<Word> placeholder(YamlNode node) {
    if (node.has_lost()) return std::nullopt;  // {{ x }} and the like are told already
    std::optional<YamlEntry> only;
    int count = 0;
    for (YamlEntry entry : node.entries()) {
      only = entry;
      ++count;
    }
    if (count != 1) {
      mistakes_.error(node.where(), "a placeholder has one key", "write {inputValue: name}");
      return std::nullopt;
    }
    std::string_view key = only->key.text();
    for (const DataPlaceholder& form : k_data_placeholders) {
      if (form.key == key) return data(*only, form);
    }
    if (key == "executorInput") return Word{Template{{Expression::of({{"executor_input"}, node.where()})}}};
    if (key == "concat") return Word{Word::Concat{list(only->value, "`concat`")}};
    if (key == "if") return choice(only->value);
    if (key == "ifPresent") return old_choice(only->value);
    unknown_key(only->key, "a placeholder", k_placeholders, mistakes_);
    return std::nullopt;
  }

  std::optional<std::string> port(YamlNode name, Direction direction) {
    if (!read_text(name, "a placeholder", mistakes_)) return std::nullopt;
    std::optional<std::string> found = find_port(interface_, direction, name.text());
    if (found || is_unread(interface_, direction, name.text())) return found;
    std::string_view word = direction == Direction::input ? "input" : "output";
    std::vector<std::string> names = port_names(interface_, direction);
    mistakes_.error(name.where(), fmt::format("the component has no {} {}", word, ticked(name.text())),
                    mistakes_.did_you_mean(name.text(), names, fmt::format("its {}s: {}", word, listed(names))));
    return std::nullopt;
  }

  std::optional<Word> data(YamlEntry entry, const DataPlaceholder& form) {
    std::optional<std::string> name = port(entry.value, form.direction);
    if (!name) return std::nullopt;
    if (!check_form(entry, form, *name)) return std::nullopt;
    Reference reference{{form.direction == Direction::input ? "inputs" : "outputs", *name}, entry.value.where()};
    if (!form.part.empty()) reference.path.emplace_back(form.part);
    return Word{Template{{Expression::of(std::move(reference))}}};
  }

  // A parameter has no uri, an artifact no value; the path of a parameter is a file with its value.
  bool check_form(YamlEntry entry, const DataPlaceholder& form, const std::string& name) {
    if (is_unread(interface_, form.direction, name)) return true;
    bool is_input = form.direction == Direction::input;
    bool is_parameter =
        is_input ? interface_.input_parameter(name) != nullptr : interface_.output_parameter(name) != nullptr;
    std::string_view word = is_input ? "input" : "output";
    if (is_parameter && form.part == "uri") {
      mistakes_.error(entry.value.where(), fmt::format("{} {} is a parameter and has no uri", word, ticked(name)),
                      fmt::format("use {{{}: {}}}", is_input ? "inputValue" : "outputPath", entry.value.text()));
      return false;
    }
    if (!is_parameter && form.part.empty()) {
      mistakes_.error(entry.value.where(), fmt::format("{} {} is an artifact and has no value", word, ticked(name)),
                      fmt::format("use {{inputPath: {0}}} or {{inputUri: {0}}}", entry.value.text()));
      return false;
    }
    return true;
  }

  // A branch: one word or a list of them.
  std::vector<Word> branch(YamlNode node, std::string_view what) {
    if (node.is_sequence()) return list(node, what);
    std::vector<Word> words;
    if (std::optional<Word> word = one(node)) words.push_back(*std::move(word));
    return words;
  }

  std::optional<Word> choice(YamlNode node) {
    static const std::vector<std::string> k_keys = {"cond", "then", "else"};
    if (!expect_mapping(node, "`if`", mistakes_)) return std::nullopt;
    std::optional<YamlNode> cond = node.find("cond");
    std::optional<YamlNode> input = cond ? cond->find("isPresent") : std::nullopt;
    if (!input) {
      mistakes_.error(cond ? cond->where() : node.where(), "`if` wants `cond: {isPresent: INPUT}`");
      return std::nullopt;
    }
    return present(node, *input, k_keys);
  }

  std::optional<Word> old_choice(YamlNode node) {
    static const std::vector<std::string> k_keys = {"inputName", "then", "else"};
    if (!expect_mapping(node, "`ifPresent`", mistakes_)) return std::nullopt;
    std::optional<YamlNode> input = node.find("inputName");
    if (!input) {
      mistakes_.error(node.where(), "`ifPresent` wants `inputName: INPUT`");
      return std::nullopt;
    }
    return present(node, *input, k_keys);
  }

  std::optional<Word> present(YamlNode node, YamlNode input, std::span<const std::string> keys) {
    Word::IfPresent form;
    std::optional<std::string> name = port(input, Direction::input);
    bool has_then = false;
    for (YamlEntry entry : node.entries()) {
      if (entry.key.text() == "then") {
        form.then_words = branch(entry.value, "`then`");
        has_then = true;
      } else if (entry.key.text() == "else") {
        if (!entry.value.is_null()) form.else_words = branch(entry.value, "`else`");
      } else if (entry.key.text() != keys[0]) {
        unknown_key(entry.key, "a placeholder", keys, mistakes_);
      }
    }
    if (!has_then) mistakes_.error(node.where(), "`then` is missing here");
    if (!name) return std::nullopt;
    form.input = *name;
    return Word{std::move(form)};
  }

  Texts texts_;
  const Interface& interface_;
  Mistakes& mistakes_;
};

bool check_run(const Reference& reference, Mistakes& mistakes) {
  static const std::vector<std::string> k_members = {"id", "root"};
  if (reference.path.size() == 2 && (reference.path[1] == "id" || reference.path[1] == "root")) return true;
  mistakes.error(reference.where, fmt::format("a run has no {}", ticked(to_string(reference))),
                 "there are `run.id` and `run.root`");
  return false;
}

}  // namespace

std::vector<Word> read_words(YamlNode node, std::string_view what, Texts texts, const Interface& interface,
                             Mistakes& mistakes) {
  return WordReader(texts, interface, mistakes).list(node, what);
}

bool check_component_reference(const Reference& reference, const Interface& interface, Mistakes& mistakes) {
  const std::string& root = reference.path[0];
  if (root == "run") return check_run(reference, mistakes);
  if (root == "executor_input") return true;
  if (root == "item") {
    mistakes.error(reference.where, "`item` is not supported by this version: there are no loops yet");
    return false;
  }
  bool is_input = root == "inputs";
  Direction direction = is_input ? Direction::input : Direction::output;
  const std::string& name = reference.path[1];
  std::string_view part = reference.path.size() > 2 ? std::string_view(reference.path[2]) : "";
  bool is_artifact = is_input ? interface.input_artifact(name) != nullptr : interface.output_artifact(name) != nullptr;
  bool is_parameter =
      is_input ? interface.input_parameter(name) != nullptr : interface.output_parameter(name) != nullptr;
  std::string dotted = fmt::format("{}.{}", root, name);
  if (is_unread(interface, direction, name)) return true;
  if (!is_artifact && !is_parameter) {
    std::vector<std::string> names = port_names(interface, direction);
    std::string_view word = is_input ? "input" : "output";
    mistakes.error(reference.where, fmt::format("there is no {} {}", word, ticked(name)),
                   mistakes.did_you_mean(name, names, fmt::format("its {}s: {}", word, listed(names))));
    return false;
  }
  if (part.empty() && !is_input) {
    mistakes.error(reference.where, fmt::format("{} has no value yet: the task is to make it", ticked(dotted)),
                   fmt::format("{}.path is the file to write it to", dotted));
    return false;
  }
  if (part.empty() && is_artifact) {
    mistakes.error(reference.where, fmt::format("{} is an artifact and has no value", ticked(dotted)),
                   fmt::format("{0}.path is the file or folder, {0}.uri its address", dotted));
    return false;
  }
  if (part == "uri" && is_parameter) {
    mistakes.error(
        reference.where, fmt::format("{} is a parameter and has no uri", ticked(dotted)),
        is_input ? fmt::format("{} is its value", dotted) : fmt::format("{}.path is the file to write it to", dotted));
    return false;
  }
  return true;
}

}  // namespace mlpipe::spec
