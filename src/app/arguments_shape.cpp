#include "app/arguments_shape.hpp"

#include <CLI/CLI.hpp>

namespace mlpipe::app {
namespace {

// Without the words of validators that CLI11 puts behind it.
std::string type_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

CommandShape shape_of(const CLI::App& app, std::string name) {
  CommandShape shape{.name = std::move(name), .help = app.get_description(), .options = {}, .operands = {}};
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_group().empty()) continue;
    const bool is_flag = option->get_items_expected_max() == 0;
    if (option->get_positional()) {
      shape.operands.push_back(type_of(*option));
      continue;
    }
    OptionShape& added = shape.options.emplace_back();
    for (const std::string& word : option->get_snames()) added.names.push_back("-" + word);
    for (const std::string& word : option->get_lnames()) added.names.push_back("--" + word);
    if (!is_flag) added.value = type_of(*option);
    added.help = option->get_description();
  }
  return shape;
}

void add_shapes(const CLI::App& app, const std::string& before, std::vector<CommandShape>& shapes) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    const std::string name = before + command->get_name();
    shapes.push_back(shape_of(*command, name));
    add_shapes(*command, name + " ", shapes);
  }
}

}  // namespace

std::vector<CommandShape> command_shapes(const CLI::App& root) {
  std::vector<CommandShape> shapes{shape_of(root, "")};
  add_shapes(root, "", shapes);
  return shapes;
}

}  // namespace mlpipe::app
