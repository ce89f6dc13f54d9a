#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// What the command line said, as plain values. Only arguments.cpp knows how it was said.
namespace mlpipe::app {

enum class EngineChoice { docker, process };
enum class ProgressStyle { automatic, terminal, plain, json };
enum class ProgressTarget { standard_output, standard_error };

struct RunCommand {
  std::string pipeline;
  std::vector<std::string> parameters;  // "name=text", as given with -p
  std::string parameters_file;
  std::string root;
  std::string run_id;
  int jobs = 0;  // 0: as many as the machine has cores, at least two
  EngineChoice engine = EngineChoice::docker;
  bool keep_going = false;
  bool dry_run = false;
  bool json = false;  // of --dry-run
  bool quiet = false;
  std::vector<std::string> from, until, only;
  ProgressStyle progress = ProgressStyle::automatic;
  ProgressTarget progress_to = ProgressTarget::standard_output;  // the other where an answer in JSON follows
  std::string junit;
  std::string debug_log;  // a file; empty: none
  std::vector<std::string> component_path;
  std::chrono::milliseconds grace{10'000};
  std::string command_line;  // as typed, for the record
  bool cache = true;         // results of earlier runs may be used
  bool if_changed = false;   // no run when one that succeeded has all results and rests on nothing that has changed
  bool resume = false;       // go on with an interrupted run of this pipeline, if there is one
  std::string experiment;
  std::vector<std::string> labels;  // "name=value"
  std::string parent;               // the run this one goes on from; not said by users
  std::vector<std::string> again;   // of a run with a parent: tasks to run whatever the parent has of them
  std::string replay_of;            // the run this one repeats; not said by users, as the next
  std::string replay_task;          // the one task that is repeated, given what it was given then; empty: all of them
};

struct ResumeCommand {
  std::string run = "latest";
  bool retry_failed = false;
  RunCommand options;  // what may be said anew: parameters, selection, jobs, progress, ...
};

struct ReplayCommand {
  std::string run = "latest";
  std::string task;    // empty: all of them
  RunCommand options;  // what may be said anew: root, run id, jobs, progress, ...
  bool json = false;
};

struct CancelCommand {
  std::string root;
  std::string run = "latest";
  bool kill = false;
};

struct ValidateCommand {
  std::string pipeline;
  std::vector<std::string> component_path;
  bool json = false;
};

struct GraphCommand {
  std::string pipeline;
  std::string format = "text";
  std::string output;
  std::vector<std::string> component_path;
};

struct RunsCommand {
  std::string root;
  int limit = 20;
  std::vector<std::string> status;  // the rest as said; run_filter.hpp reads it
  std::string pipeline;
  std::string experiment;
  std::string since;
  std::vector<std::string> parameters;
  std::vector<std::string> metrics;
  std::vector<std::string> labels;
  std::string sort;
  bool json = false;
};

struct LabelCommand {
  std::string root;
  std::string run;
  std::vector<std::string> changes;  // "name=text", or "name-" to take it away
};

struct NoteCommand {
  std::string root;
  std::string run;
  std::string text;
};

struct DiffCommand {
  std::string root;
  std::string a;
  std::string b;
  bool json = false;
};

struct WhyCommand {
  std::string root;
  std::string run;
  std::string task;
  bool json = false;
};

struct VerifyCommand {
  std::string root;
  std::string run = "latest";
  std::string task;
  bool json = false;
};

struct ShowCommand {
  std::string root;
  std::string run = "latest";
  std::string task;
  std::string lineage;  // an artifact: where it comes from (up), what was made from it (down); up when neither is said
  bool up = false;
  bool down = false;
  int depth = 20;
  bool json = false;
};

struct LogsCommand {
  std::string root;
  std::string run = "latest";
  std::string task;
  int attempt = 0;
  bool follow = false;
  bool out_only = false;
  bool err_only = false;
  bool timestamps = false;
  bool json = false;
  int tail = -1;
};

struct InitCommand {
  std::string folder = ".";
  std::string image;
};

struct DoctorCommand {
  std::string root;
  std::string image;
  EngineChoice engine = EngineChoice::docker;
  bool rebuild = false;
  bool json = false;
};

struct GcCommand {
  std::string root;
  std::string older_than;  // as said, like the next two; gc.cpp reads them
  std::string max_size;
  std::vector<std::string> status;
  int keep = -1;  // -1: not said
  std::string pipeline;
  bool keep_labelled = false;
  bool images = false;
  bool yes = false;
  bool json = false;
  EngineChoice engine = EngineChoice::docker;
};

struct ComponentShowCommand {
  std::string component;
  std::vector<std::string> component_path;
  bool json = false;
};

struct ComponentRunCommand {
  std::string component;
  std::vector<std::string> arguments;  // "name=text" of a parameter, "name=path" of an artifact
  std::string output;                  // folder that gets a copy of the outputs; empty: none
  RunCommand options;                  // root, run id, engine, progress, ...
  bool json = false;
};

// What can be said on the command line, read off the parser itself; for shells.
struct OptionShape {
  std::vector<std::string> names;  // "-j", "--jobs"
  std::string value;               // "N", "docker|process"; empty: a flag
  std::string help;
};
struct CommandShape {
  std::string name;  // "run", "component show"
  std::string help;
  std::vector<OptionShape> options;
  std::vector<std::string> operands;  // in order: "RUN", "TASK"
};

enum class Shell { bash, zsh, fish };
struct CompletionCommand {
  Shell shell = Shell::bash;
  std::vector<CommandShape> commands;
};

struct FailpointsCommand {};

// The command line was dealt with (help, version) or was wrong: print `text` and leave with `code`.
struct Leave {
  int code = 0;
  std::string text;
};

using Command = std::variant<Leave, RunCommand, ValidateCommand, GraphCommand, RunsCommand, ShowCommand, LogsCommand,
                             InitCommand, DoctorCommand, ComponentShowCommand, FailpointsCommand, ResumeCommand,
                             CancelCommand, LabelCommand, NoteCommand, VerifyCommand, DiffCommand, WhyCommand,
                             GcCommand, ReplayCommand, ComponentRunCommand, CompletionCommand>;

}  // namespace mlpipe::app
