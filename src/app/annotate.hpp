#pragma once

#include "app/console.hpp"
#include "app/options.hpp"

namespace mlpipe::app {

// `mlpipe label`: sets and takes away labels of a recorded run, and says which it has then.
ExitCode label(const LabelCommand& command, const Console& console);

// `mlpipe note`: replaces the note of a recorded run.
ExitCode note(const NoteCommand& command, const Console& console);

}  // namespace mlpipe::app
