#pragma once

#include <string_view>

// The parts of the completion scripts that are the same whatever commands there are.
namespace mlpipe::app {

// Of bash and zsh: the functions that ask mlpipe for runs and tasks.
extern const std::string_view k_asking_script;
// Need those, and the functions __mlpipe_options, __mlpipe_nested and __mlpipe_value of completion.cpp.
extern const std::string_view k_bash_script;
extern const std::string_view k_zsh_script;
// Needs __mlpipe_nested and __mlpipe_value; the `complete` lines come behind it.
extern const std::string_view k_fish_script;

}  // namespace mlpipe::app
