#pragma once

#include <vector>

#include "app/options.hpp"

namespace CLI {
class App;
}

namespace mlpipe::app {

// All commands of the program with all their options, but those that help does not list either; nested ones by both words.
std::vector<CommandShape> command_shapes(const CLI::App& root);

}  // namespace mlpipe::app
