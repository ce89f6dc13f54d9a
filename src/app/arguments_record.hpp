#pragma once

#include <optional>
#include <string>

#include "app/options.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

// The part of arguments.cpp that is about recorded runs.
namespace mlpipe::app {

struct RecordCommands {
  RunsCommand runs;
  LabelCommand label;
  NoteCommand note;
  VerifyCommand verify;
  DiffCommand diff;
};

// Adds the subcommands to the program's; `commands` must live until it has parsed.
void add_record_commands(CLI::App& root, RecordCommands& commands);
// The one that was said, if it is one of these.
std::optional<Command> record_command(const CLI::App& root, const RecordCommands& commands);

// Adds the options of `mlpipe show` that are about an artifact, instead of the run that `run` names.
void add_lineage(CLI::App& show, CLI::Option* run, ShowCommand& command);

// Options that many commands have.
void add_root(CLI::App& app, std::string& root);
void add_json(CLI::App& app, bool& json);
// An empty value is most often a variable of a script that is not set: a mistake, not the default.
void refuse_empty(CLI::Option* option);

}  // namespace mlpipe::app
