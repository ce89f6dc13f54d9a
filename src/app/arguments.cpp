#include "app/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <span>
#include <sstream>

#include "app/arguments_insight.hpp"
#include "app/arguments_record.hpp"
#include "app/arguments_shape.hpp"
#include "app/arguments_upkeep.hpp"
#include "app/exit_code.hpp"
#include "app/version.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

const std::map<std::string, EngineChoice> k_engines{{"docker", EngineChoice::docker},
                                                    {"process", EngineChoice::process}};
const std::map<std::string, ProgressStyle> k_styles{{"auto", ProgressStyle::automatic},
                                                    {"tty", ProgressStyle::terminal},
                                                    {"plain", ProgressStyle::plain},
                                                    {"json", ProgressStyle::json}};

const std::map<std::string, Shell> k_shells{{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}};

template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& target, const std::map<std::string, T>& choices,
                        const std::string& help) {
  std::vector<std::string> names;
  for (const auto& [key, value] : choices) names.push_back(key);
  return app
      .add_option_function<std::string>(
          name, [&target, choices](const std::string& key) { target = choices.at(key); }, help)
      ->check(CLI::IsMember(names).description(""))
      ->type_name(join(names, "|"));
}

void add_component_path(CLI::App& app, std::vector<std::string>& path) {
  app.add_option("--component-path", path, "Folder in which bare component names are looked up; may be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
}

// How a run goes, whatever it is a run of.
void add_manner(CLI::App& app, RunCommand& run) {
  app.add_option("-j,--jobs", run.jobs, "Tasks that may run at once (default: the cores, at least 2)")
      ->check(CLI::Range(1, 10000))
      ->type_name("N");
  app.add_flag("-k,--keep-going", run.keep_going, "When a task fails, still run all that does not need it");
  app.add_option("--experiment", run.experiment, "Name that groups runs")->type_name("NAME");
  app.add_flag("-q,--quiet", run.quiet, "Only failures and the end");
  add_choice(app, "--progress", run.progress, k_styles, "How progress is shown");
  refuse_empty(app.add_option("--junit", run.junit, "Also write a JUnit report to FILE")->type_name("FILE"));
  refuse_empty(app.add_option("--debug-log", run.debug_log, "Append what mlpipe does, step by step, to FILE")
                   ->envname("MLPIPE_DEBUG_LOG")
                   ->type_name("FILE"));
  app.add_option_function<std::string>(
         "--grace",
         [&run](const std::string& text) {
           std::optional<std::chrono::milliseconds> grace = parse_duration(text);
           if (!grace) throw CLI::ValidationError("--grace", "\"" + text + "\" is no duration; write 10s or 1m");
           run.grace = *grace;
         },
         "Between SIGTERM and SIGKILL when a task is stopped (default: 10s)")
      ->type_name("DURATION");
}

// What may be said of a new run and of one that goes on.
void add_run_options(CLI::App& app, RunCommand& run) {
  app.add_option("-p,--param", run.parameters, "Set a parameter; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  refuse_empty(
      app.add_option("--params", run.parameters_file, "File of parameters: a YAML or JSON map")->type_name("FILE"));
  app.add_option("--from", run.from, "Only this task and all after it; may be repeated")
      ->type_name("TASK")
      ->allow_extra_args(false);
  app.add_option("--until", run.until, "Only this task and all it needs; may be repeated")
      ->type_name("TASK")
      ->allow_extra_args(false);
  app.add_option("--only", run.only, "Only this task; may be repeated")->type_name("TASK")->allow_extra_args(false);
  app.add_flag_callback(
      "--no-cache", [&run] { run.cache = false; }, "Run every task, also those whose result an earlier run has");
  app.add_option("--label", run.labels, "Label of the run; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--dry-run", run.dry_run, "Say what would become of each task and why, and run nothing");
  app.add_flag("--json", run.json, "With --dry-run: print JSON");
  add_manner(app, run);
  add_component_path(app, run.component_path);
}

void add_run(CLI::App& root, RunCommand& run) {
  CLI::App& app = *root.add_subcommand("run", "Run a pipeline");
  app.footer("Example:\n  mlpipe run pipeline.yaml -p test_size=0.3 --jobs 4");
  refuse_empty(app.add_option("pipeline", run.pipeline, "Pipeline file")->required()->type_name("PIPELINE"));
  add_root(app, run.root);
  refuse_empty(app.add_option("--run-id", run.run_id, "Id of the run (default: <pipeline>-<date>-<time>-<4 hex>)")
                   ->type_name("ID"));
  add_choice(app, "--engine", run.engine, k_engines, "What runs the tasks; process: no containers at all");
  add_run_options(app, run);
  app.add_flag("--resume", run.resume, "Go on with this pipeline's interrupted run, if there is one");
  CLI::Option* changed =
      app.add_flag("--if-changed", run.if_changed, "No run when nothing has changed since one like it succeeded");
  for (const char* other : {"--dry-run", "--junit", "--no-cache"}) changed->excludes(app.get_option(other));
}

void add_resumption(CLI::App& root, ResumeCommand& resume, CancelCommand& cancel) {
  CLI::App& app = *root.add_subcommand("resume", "Go on with a run that was interrupted, or from one that ended");
  app.footer(
      "Examples:\n  mlpipe resume latest\n  mlpipe resume latest --retry-failed\n  mlpipe resume latest --from train "
      "-p n_trials=50");
  app.add_option("run", resume.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  add_root(app, resume.options.root);
  app.add_flag("--retry-failed", resume.retry_failed, "A new run that keeps what succeeded and runs the rest");
  refuse_empty(app.add_option("--run-id", resume.options.run_id, "Id of the new run")->type_name("ID"));
  add_run_options(app, resume.options);

  CLI::App& end = *root.add_subcommand("cancel", "Cancel a run that another terminal, cron or CI runs");
  end.footer("Example:\n  mlpipe cancel latest");
  end.add_option("run", cancel.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  add_root(end, cancel.root);
  end.add_flag("--kill", cancel.kill, "Without grace: kill what runs");
}

void add_replay(CLI::App& root, ReplayCommand& replay) {
  CLI::App& app =
      *root.add_subcommand("replay", "Run a run, or a task of it, again as it was, and compare the outputs");
  app.footer(
      "Examples:\n  mlpipe replay latest\n  mlpipe replay latest train\n\n"
      "Leaves with 0 when all outputs are equal, with 1 when something differs or failed.");
  app.add_option("run", replay.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  app.add_option("task", replay.task, "Only this task, given what it was given then")->type_name("TASK");
  add_root(app, replay.options.root);
  refuse_empty(app.add_option("--run-id", replay.options.run_id, "Id of the new run")->type_name("ID"));
  add_manner(app, replay.options);
  add_json(app, replay.json);
}

void add_readers(CLI::App& root, ValidateCommand& validate, GraphCommand& graph) {
  CLI::App& check = *root.add_subcommand("validate", "Check a pipeline and say all that is wrong with it");
  check.footer("Example:\n  mlpipe validate pipeline.yaml");
  refuse_empty(check.add_option("pipeline", validate.pipeline, "Pipeline file")->required()->type_name("PIPELINE"));
  add_component_path(check, validate.component_path);
  add_json(check, validate.json);

  CLI::App& draw = *root.add_subcommand("graph", "Draw a pipeline's DAG");
  draw.footer("Example:\n  mlpipe graph pipeline.yaml --format svg -o dag.svg");
  refuse_empty(draw.add_option("pipeline", graph.pipeline, "Pipeline file")->required()->type_name("PIPELINE"));
  draw.add_option("-f,--format", graph.format, "What is written (default: text; svg needs Graphviz)")
      ->check(CLI::IsMember({"text", "mermaid", "dot", "svg"}))
      ->type_name("text|mermaid|dot|svg");
  draw.add_option("-o,--output", graph.output, "Write to FILE instead of standard output")->type_name("FILE");
  add_component_path(draw, graph.component_path);
}

void add_listings(CLI::App& root, ShowCommand& show, LogsCommand& logs) {
  CLI::App& one = *root.add_subcommand("show", "Show a run: tasks, durations, parameters, artifacts, metrics");
  one.footer("Example:\n  mlpipe show latest train");
  CLI::Option* run = one.add_option("run", show.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  one.add_option("task", show.task, "One task in depth")->type_name("TASK");
  add_root(one, show.root);
  add_lineage(one, run, show);
  add_json(one, show.json);

  CLI::App& log = *root.add_subcommand("logs", "Print what the tasks of a run wrote");
  log.footer("Example:\n  mlpipe logs latest train -f");
  log.add_option("run", logs.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  log.add_option("task", logs.task, "One task (default: all, each line prefixed)")->type_name("TASK");
  add_root(log, logs.root);
  log.add_option("--attempt", logs.attempt, "Attempt N (default: the latest)")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  log.add_flag("-f,--follow", logs.follow, "Go on until the task or run has ended");
  auto* out = log.add_flag("--stdout", logs.out_only, "Only standard output");
  log.add_flag("--stderr", logs.err_only, "Only standard error")->excludes(out);
  log.add_flag("-t,--timestamps", logs.timestamps, "Start each line with its time");
  log.add_option("--tail", logs.tail, "Only the last N lines")->check(CLI::Range(0, 1000000000))->type_name("N");
  add_json(log, logs.json);
}

void add_tools(CLI::App& root, InitCommand& init, DoctorCommand& doctor, CompletionCommand& completion) {
  CLI::App& start = *root.add_subcommand("init", "Write a small pipeline that runs");
  start.footer("Example:\n  mlpipe init my-pipeline");
  start.add_option("folder", init.folder, "Where to (default: here)")->type_name("DIR");
  start.add_option("--image", init.image, "Image its tasks use")->type_name("IMAGE");

  CLI::App& check = *root.add_subcommand("doctor", "Check this machine by really running a container");
  check.footer(
      "Examples:\n  mlpipe doctor --image debian:bookworm-slim\n  mlpipe doctor --rebuild --root /data/pipeline-root");
  add_root(check, doctor.root);
  check.add_option("--image", doctor.image, "Image to try with")->type_name("IMAGE");
  add_choice(check, "--engine", doctor.engine, k_engines, "Engine to check");
  check.add_flag("--rebuild", doctor.rebuild,
                 "Make the record anew from the folders of the runs; the old one is kept beside it");
  add_json(check, doctor.json);

  CLI::App& shell = *root.add_subcommand("completion", "Print what makes a shell complete mlpipe's words");
  shell.footer("Example:\n  source <(mlpipe completion bash)");
  add_choice(shell, "shell", completion.shell, k_shells, "The shell")->required();
}

struct ComponentCommands {
  ComponentShowCommand show;
  ComponentRunCommand run;
};

void add_components(CLI::App& root, ComponentCommands& commands) {
  CLI::App& parts = *root.add_subcommand("component", "Look at a component, or run it alone");
  parts.footer(
      "Examples:\n  mlpipe component show components/train\n  mlpipe component run components/train -a "
      "dataset=train.csv");
  CLI::App& show = *parts.add_subcommand("show", "Show a component's interface");
  show.footer("Example:\n  mlpipe component show components/train");
  const std::string what = "Folder with component.yaml, the file, or a bare name to look up";
  refuse_empty(show.add_option("component", commands.show.component, what)->required()->type_name("COMPONENT"));
  add_component_path(show, commands.show.component_path);
  add_json(show, commands.show.json);

  CLI::App& run = *parts.add_subcommand("run", "Run one component alone, as a pipeline of one task");
  run.footer("Example:\n  mlpipe component run components/train -a dataset=train.csv -a n_trials=20");
  refuse_empty(run.add_option("component", commands.run.component, what)->required()->type_name("COMPONENT"));
  run.add_option("-a,--argument", commands.run.arguments,
                 "An input: a parameter's value, an artifact's path; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  refuse_empty(run.add_option("-o,--output", commands.run.output, "Also copy the outputs to DIR, each to DIR/<output>/")
                   ->type_name("DIR"));
  RunCommand& options = commands.run.options;
  add_component_path(run, options.component_path);
  add_root(run, options.root);
  refuse_empty(run.add_option("--run-id", options.run_id, "Id of the run (default: <component>-<date>-<time>-<4 hex>)")
                   ->type_name("ID"));
  add_choice(run, "--engine", options.engine, k_engines, "What runs it; process: no container at all");
  run.add_flag_callback(
      "--no-cache", [&options] { options.cache = false; }, "Run it, also when an earlier run has its result");
  add_manner(run, options);
  add_json(run, commands.run.json);
}

// The first word that `command` has no use for, as the user typed it.
std::string unexpected_text(CLI::App& command) {
  const std::vector<std::string> words = command.remaining(true);
  const auto option = std::ranges::find_if(words, [](const std::string& word) { return word.starts_with('-'); });
  if (option == words.end()) return "unexpected argument \"" + printable(words.empty() ? "" : words.front()) + "\"";
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> known;
  for (const CLI::Option* each : command.get_options()) {
    for (const std::string& long_name : each->get_lnames()) known.push_back("--" + long_name);
  }
  std::string text = "unknown option \"" + printable(name) + "\"";
  if (std::optional<std::string> near = closest(name, known)) text += "; did you mean `" + *near + "`?";
  return text;
}

// What is wrong with the words given to `command`, and how it is used.
std::string mistake_text(CLI::App& command, const std::string& name, const CLI::ParseError& error) {
  std::string text = name + ": ";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    text += unexpected_text(command);
  } else {
    text += error.what();
  }
  text += "\nRun `" + name + " --help` for its options.\n";
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !command.get_footer().empty()) {
    text += command.get_footer() + "\n";
  }
  return text;
}

std::vector<std::string> command_names(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* command : root.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string full_name(const CLI::App& command) {
  std::string name = command.get_name();
  for (const CLI::App* above = command.get_parent(); above != nullptr; above = above->get_parent()) {
    name = above->get_name() + " " + name;
  }
  return name;
}

// What to say when `above` has commands and `word` is none of them.
std::string unknown_command_text(const CLI::App& above, const std::string& word) {
  const std::string name = full_name(above);
  const std::vector<std::string> names = command_names(above);
  std::string text = name + ": unknown command \"" + printable(word) + "\"";
  if (std::optional<std::string> near = closest(word, names)) {
    text += "; did you mean `" + name + " " + *near + "`?";
  } else if (above.get_parent() != nullptr) {
    text += "; it is one of: " + join(names, ", ");
  }
  return text + "\nRun `" + name + " --help` for the commands.\n";
}

// The first of the words that stands where a command must, and is none.
std::optional<std::string> unknown_command(const CLI::App& root, std::span<const char* const> words) {
  const CLI::App* above = &root;
  for (const std::string word : words) {
    const std::vector<std::string> names = command_names(*above);
    if (names.empty() || word.starts_with('-')) break;
    if (std::ranges::find(names, word) == names.end()) return unknown_command_text(*above, word);
    above = above->get_subcommand(word);
  }
  return std::nullopt;
}

}  // namespace

Command parse_arguments(int argc, const char* const* argv) {
  CLI::App app("Runs machine-learning pipelines: each component in its own container, every artifact kept.", "mlpipe");
  app.set_version_flag("--version", std::string("mlpipe ") + k_version);
  app.require_subcommand(0, 1);
  app.footer(
      "Examples:\n  mlpipe init demo && mlpipe run demo/pipeline.yaml\n  mlpipe show latest\n\n"
      "Exit codes: 0 succeeded, 1 the run failed, 2 wrong usage or spec, 3 environment, 130/143 interrupted.");
  RunCommand run;
  ValidateCommand validate;
  GraphCommand graph;
  RecordCommands record;
  UpkeepCommands upkeep;
  InsightCommands insight;
  ShowCommand show;
  LogsCommand logs;
  InitCommand init;
  DoctorCommand doctor;
  ResumeCommand resume;
  ReplayCommand replay;
  CancelCommand cancel;
  ComponentCommands components;
  CompletionCommand completion;
  add_run(app, run);
  add_resumption(app, resume, cancel);
  add_replay(app, replay);
  add_readers(app, validate, graph);
  add_record_commands(app, record);
  add_upkeep(app, upkeep);
  add_insight(app, insight);
  add_listings(app, show, logs);
  add_tools(app, init, doctor, completion);
  add_components(app, components);
  app.add_subcommand("failpoints", "List the names that MLPIPE_FAILPOINT knows")->group("");

  const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
  if (std::optional<std::string> mistake =
          unknown_command(app, words.subspan(std::min<std::size_t>(1, words.size())))) {
    return Leave{static_cast<int>(ExitCode::usage), *std::move(mistake)};
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    int code = app.exit(error, out, err);
    if (code == 0) return Leave{0, out.str()};
    CLI::App* command = &app;
    while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
    return Leave{static_cast<int>(ExitCode::usage), mistake_text(*command, full_name(*command), error)};
  }
  std::string command_line;
  for (int i = 0; i < argc; ++i) command_line += (i == 0 ? "mlpipe" : " " + shell_quoted(argv[i]));
  run.command_line = command_line;
  resume.options.command_line = command_line;
  replay.options.command_line = command_line;
  if (replay.json) replay.options.progress_to = ProgressTarget::standard_error;
  if (app.got_subcommand("resume")) return resume;
  if (app.got_subcommand("replay")) return replay;
  if (app.got_subcommand("cancel")) return cancel;
  if (app.got_subcommand("run")) return run;
  if (app.got_subcommand("validate")) return validate;
  if (app.got_subcommand("graph")) return graph;
  if (std::optional<Command> command = record_command(app, record)) return *std::move(command);
  if (std::optional<Command> command = upkeep_command(app, upkeep)) return *std::move(command);
  if (std::optional<Command> command = insight_command(app, insight)) return *std::move(command);
  if (app.got_subcommand("show")) return show;
  if (app.got_subcommand("logs")) return logs;
  if (app.got_subcommand("init")) return init;
  if (app.got_subcommand("doctor")) return doctor;
  if (CLI::App* component = app.get_subcommand("component"); component->parsed()) {
    if (component->get_subcommands().empty()) {
      return Leave{static_cast<int>(ExitCode::usage),
                   "mlpipe component: say what: " + join(command_names(*component), " or ") + "\n" +
                       component->get_footer() + "\n"};
    }
    components.run.options.command_line = command_line;
    if (components.run.json) components.run.options.progress_to = ProgressTarget::standard_error;
    return component->got_subcommand("run") ? Command(components.run) : Command(components.show);
  }
  if (app.got_subcommand("completion")) {
    completion.commands = command_shapes(app);
    return completion;
  }
  if (app.got_subcommand("failpoints")) return FailpointsCommand{};
  return Leave{0, app.help()};
}

}  // namespace mlpipe::app
