#include "app/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/completion_scripts.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

// What a shell offers for a value: a word of the scripts' own ("runs", "tasks", "files", ...), or "words a b c".
std::string offer_for(const std::string& value, const CommandShape& command) {
  if (value.find('|') != std::string::npos) {
    std::string words = "words " + value;
    std::replace(words.begin(), words.end(), '|', ' ');
    return words;
  }
  static const std::map<std::string_view, std::string_view> k_offers{
      {"RUN", "runs"},        {"DIR", "folders"},
      {"FILE", "files"},      {"PIPELINE", "files"},
      {"COMPONENT", "files"}, {"KEY", "words created duration metric: -created -duration -metric:"}};
  if (value == "TASK") {
    const bool is_of_pipeline = !command.operands.empty() && command.operands.front() == "PIPELINE";
    return is_of_pipeline ? "pipeline_tasks" : "tasks";
  }
  const auto found = k_offers.find(value);
  return std::string(found == k_offers.end() ? "nothing" : found->second);
}

// In single quotes, as bash and zsh take it.
std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// fish knows two escapes between single quotes, and no '\''.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What can stand behind `command` ("" or "component") as the next word of a command.
std::vector<const CommandShape*> nested(const std::vector<CommandShape>& commands, const std::string& command) {
  const std::string before = command.empty() ? "" : command + " ";
  std::vector<const CommandShape*> found;
  for (const CommandShape& each : commands) {
    const bool is_below = !each.name.empty() && each.name.starts_with(before);
    if (is_below && each.name.find(' ', before.size()) == std::string::npos && each.name.size() > before.size())
      found.push_back(&each);
  }
  return found;
}

std::string last_word(const std::string& name) { return name.substr(name.rfind(' ') + 1); }

// Keys of __mlpipe_value ("run --engine", "show 2") and what is offered for them.
std::vector<std::pair<std::string, std::string>> offers(const std::vector<CommandShape>& commands) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const CommandShape& command : commands) {
    for (const OptionShape& option : command.options) {
      if (option.value.empty()) continue;
      const std::string offer = offer_for(option.value, command);
      for (const std::string& name : option.names) all.emplace_back(command.name + " " + name, offer);
    }
    for (std::size_t number = 0; number < command.operands.size(); ++number) {
      all.emplace_back(fmt::format("{} {}", command.name, number + 1), offer_for(command.operands[number], command));
    }
  }
  return all;
}

using Entry = std::string (*)(const CommandShape&);

// A function of bash and zsh that prints, or sets, something for each command.
std::string case_function(std::string_view name, const std::vector<CommandShape>& commands, Entry entry) {
  std::string text = fmt::format("{}() {{\n  case $1 in\n", name);
  for (const CommandShape& command : commands) {
    const std::string body = entry(command);
    if (!body.empty()) text += fmt::format("    {}) {} ;;\n", single_quoted(command.name), body);
  }
  return text + "  esac\n}\n";
}

std::string value_function(const std::vector<CommandShape>& commands) {
  std::string text = "__mlpipe_value() {\n  case $1 in\n";
  for (const auto& [key, offer] : offers(commands)) {
    text += fmt::format("    {}) echo {} ;;\n", single_quoted(key), single_quoted(offer));
  }
  return text + "  esac\n}\n";
}

std::string nested_words(const std::vector<CommandShape>& commands, const std::string& command) {
  std::vector<std::string> words;
  for (const CommandShape* each : nested(commands, command)) words.push_back(last_word(each->name));
  return join(words, " ");
}

std::string nested_function(const std::vector<CommandShape>& commands) {
  std::string text = "__mlpipe_nested() {\n  case $1 in\n";
  for (const CommandShape& command : commands) {
    const std::string words = nested_words(commands, command.name);
    if (!words.empty()) text += fmt::format("    {}) echo {} ;;\n", single_quoted(command.name), single_quoted(words));
  }
  return text + "  esac\n}\n";
}

std::string bash_options(const CommandShape& command) {
  std::vector<std::string> words;
  for (const OptionShape& option : command.options) words.insert(words.end(), option.names.begin(), option.names.end());
  return words.empty() ? "" : "echo " + single_quoted(join(words, " "));
}

// "word:help" in quotes, as _describe takes it.
std::string described(const std::string& word, std::string_view help) {
  return single_quoted(word + ":" + std::string(help));
}

std::string zsh_options(const CommandShape& command) {
  std::vector<std::string> words;
  for (const OptionShape& option : command.options) {
    for (const std::string& name : option.names) words.push_back(described(name, option.help));
  }
  return words.empty() ? "" : "reply=(" + join(words, " ") + ")";
}

std::string zsh_commands(const std::vector<CommandShape>& commands) {
  std::string text = "__mlpipe_described() {\n  case $1 in\n";
  for (const CommandShape& command : commands) {
    std::vector<std::string> words;
    for (const CommandShape* each : nested(commands, command.name)) {
      words.push_back(described(last_word(each->name), each->help));
    }
    if (!words.empty()) text += fmt::format("    {}) reply=({}) ;;\n", single_quoted(command.name), join(words, " "));
  }
  return text + "  esac\n}\n";
}

std::string fish_tables(const std::vector<CommandShape>& commands) {
  std::string text = "function __mlpipe_value\n  switch \"$argv[1]\"\n";
  for (const auto& [key, offer] : offers(commands)) {
    text += fmt::format("    case {}\n      echo {}\n", fish_quoted(key), fish_quoted(offer));
  }
  text += "  end\nend\n\nfunction __mlpipe_nested\n  switch \"$argv[1]\"\n";
  for (const CommandShape& command : commands) {
    const std::string words = nested_words(commands, command.name);
    if (words.empty()) continue;
    text += fmt::format("    case {}\n      echo {}\n", fish_quoted(command.name), fish_quoted(words));
  }
  return text + "  end\nend\n\n";
}

std::string fish_option(const CommandShape& command, const OptionShape& option) {
  std::string text = "complete -c mlpipe -n " + fish_quoted(fmt::format("__mlpipe_in \"{}\"", command.name));
  for (const std::string& name : option.names) {
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.value.empty()) {
    text += " -x -a " + fish_quoted(fmt::format("(__mlpipe_offer \"{} {}\")", command.name, option.names.back()));
  }
  return text + fmt::format(" -d {}\n", fish_quoted(option.help));
}

std::string fish_lines(const std::vector<CommandShape>& commands) {
  std::string text = "complete -c mlpipe -f\ncomplete -c mlpipe -f -a '(__mlpipe_operand)'\n";
  for (const CommandShape& command : commands) {
    for (const CommandShape* each : nested(commands, command.name)) {
      const std::string condition = fish_quoted(fmt::format("__mlpipe_before \"{}\"", command.name));
      text += fmt::format("complete -c mlpipe -n {} -a {} -d {}\n", condition, last_word(each->name),
                          fish_quoted(each->help));
    }
    for (const OptionShape& option : command.options) text += fish_option(command, option);
  }
  return text;
}

}  // namespace

std::string completion_script(const CompletionCommand& command) {
  const std::vector<CommandShape>& commands = command.commands;
  switch (command.shell) {
    case Shell::bash:
      return "# Completion of mlpipe for bash: source <(mlpipe completion bash)\n\n" +
             case_function("__mlpipe_options", commands, bash_options) + "\n" + nested_function(commands) + "\n" +
             value_function(commands) + std::string(k_asking_script) + std::string(k_bash_script);
    case Shell::zsh:
      return "#compdef mlpipe\n# Completion of mlpipe for zsh: source <(mlpipe completion zsh)\n\n" +
             case_function("__mlpipe_options", commands, zsh_options) + "\n" + zsh_commands(commands) + "\n" +
             nested_function(commands) + "\n" + value_function(commands) + std::string(k_asking_script) +
             std::string(k_zsh_script);
    case Shell::fish:
      return "# Completion of mlpipe for fish: mlpipe completion fish | source\n\n" + fish_tables(commands) +
             std::string(k_fish_script) + fish_lines(commands);
  }
  return "";
}

}  // namespace mlpipe::app
