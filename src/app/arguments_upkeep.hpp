#pragma once

#include <optional>

#include "app/options.hpp"

namespace CLI {
class App;
}

// The part of arguments.cpp that is about keeping a pipeline root in order.
namespace mlpipe::app {

struct UpkeepCommands {
  GcCommand gc;
};

// Adds the subcommands to the program's; `commands` must live until it has parsed.
void add_upkeep(CLI::App& root, UpkeepCommands& commands);
// The one that was said, if it is one of these.
std::optional<Command> upkeep_command(const CLI::App& root, const UpkeepCommands& commands);

}  // namespace mlpipe::app
