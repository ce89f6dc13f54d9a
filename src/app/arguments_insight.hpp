#pragma once

#include <optional>

#include "app/options.hpp"

namespace CLI {
class App;
}

// The part of arguments.cpp that is about why things ran.
namespace mlpipe::app {

struct InsightCommands {
  WhyCommand why;
};

// Adds the subcommands to the program's; `commands` must live until it has parsed.
void add_insight(CLI::App& root, InsightCommands& commands);
// The one that was said, if it is one of these.
std::optional<Command> insight_command(const CLI::App& root, const InsightCommands& commands);

}  // namespace mlpipe::app
