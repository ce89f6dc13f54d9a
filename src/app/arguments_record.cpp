#include "app/arguments_record.hpp"

#include <CLI/CLI.hpp>

namespace mlpipe::app {
namespace {

void add_list(CLI::App& app, const std::string& name, std::vector<std::string>& target, const std::string& help,
              const std::string& type) {
  app.add_option(name, target, help)->type_name(type)->allow_extra_args(false);
}

void add_runs(CLI::App& root, RunsCommand& runs) {
  CLI::App& app = *root.add_subcommand("runs", "List and find the runs of a pipeline root, newest first");
  app.footer(
      "Example:\n  mlpipe runs --limit 5\n  mlpipe runs --pipeline prices --metric 'rmse<30000' --sort metric:rmse");
  add_root(app, runs.root);
  add_list(app, "--status", runs.status, "Only those that are so; may be repeated",
           "running|interrupted|succeeded|failed|cancelled");
  app.add_option("--pipeline", runs.pipeline, "Only those of this pipeline")->type_name("NAME");
  app.add_option("--experiment", runs.experiment, "Only those of this experiment")->type_name("NAME");
  app.add_option("--since", runs.since, "Only those begun since then: 7d, 12h, 2026-11-01")->type_name("WHEN");
  add_list(app, "-p,--param", runs.parameters, "Only those with this value of a parameter; may be repeated",
           "NAME=VALUE");
  add_list(app, "--metric", runs.metrics,
           "Only those whose metric, by name or task.name, is <, <=, ==, >= or > a number; may be repeated",
           "CONDITION");
  add_list(app, "--label", runs.labels, "Only those with this label; may be repeated", "NAME=VALUE");
  app.add_option("--sort", runs.sort, "By created, duration or metric:NAME; with - in front the greatest first")
      ->type_name("KEY");
  app.add_option("-n,--limit", runs.limit, "At most N runs, 0: all (default: 20)")
      ->check(CLI::Range(0, 1000000000))
      ->type_name("N");
  add_json(app, runs.json);
}

void add_annotations(CLI::App& root, LabelCommand& label, NoteCommand& note) {
  CLI::App& mark = *root.add_subcommand("label", "Set or take away labels of a recorded run");
  mark.footer("Example:\n  mlpipe label latest stage=candidate team=prices old-");
  mark.add_option("run", label.run, "Run id, unique prefix, or latest")->required()->type_name("RUN");
  mark.add_option("changes", label.changes, "name=value sets a label, name- takes it away")
      ->required()
      ->type_name("CHANGE");
  add_root(mark, label.root);

  CLI::App& say = *root.add_subcommand("note", "Say something of a recorded run");
  say.footer("Example:\n  mlpipe note latest \"the one with the new features\"");
  say.add_option("run", note.run, "Run id, unique prefix, or latest")->required()->type_name("RUN");
  say.add_option("text", note.text, "The note; \"\" takes it away")->required()->type_name("TEXT");
  add_root(say, note.root);
}

void add_comparisons(CLI::App& root, DiffCommand& diff, VerifyCommand& verify) {
  CLI::App& compare = *root.add_subcommand("diff", "Say how two runs differ");
  compare.footer("Example:\n  mlpipe diff prices-20261101 latest\n\nLeaves with 0 whether they differ or not.");
  compare.add_option("a", diff.a, "Run id, unique prefix, or latest")->required()->type_name("RUN");
  compare.add_option("b", diff.b, "The other one")->required()->type_name("RUN");
  add_root(compare, diff.root);
  add_json(compare, diff.json);

  CLI::App& check = *root.add_subcommand("verify", "Read every artifact of a run again and compare it with the record");
  check.footer("Example:\n  mlpipe verify latest train\n\nLeaves with 1 when an artifact is changed or missing.");
  check.add_option("run", verify.run, "Run id, unique prefix, or latest (default)")->type_name("RUN");
  check.add_option("task", verify.task, "Only the artifacts of this task")->type_name("TASK");
  add_root(check, verify.root);
  add_json(check, verify.json);
}

}  // namespace

void add_root(CLI::App& app, std::string& root) {
  refuse_empty(
      app.add_option("--root", root, "Pipeline root (default: MLPIPE_ROOT, or ./pipeline-root)")->type_name("DIR"));
}

void refuse_empty(CLI::Option* option) {
  option->check([](const std::string& text) { return text.empty() ? std::string("it is empty") : std::string(); });
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "Print JSON (docs/json.md)"); }

void add_lineage(CLI::App& show, CLI::Option* run, ShowCommand& command) {
  CLI::Option* artifact =
      show.add_option("--lineage", command.lineage,
                      "Where an artifact comes from: RUN/TASK/OUTPUT, a path, or 8 or more digits of its digest")
          ->excludes(run)
          ->type_name("ARTIFACT");
  show.add_flag("--up", command.up, "With --lineage: what it was made from (default)")->needs(artifact);
  show.add_flag("--down", command.down, "With --lineage: what was made from it, across runs")->needs(artifact);
  show.add_option("--depth", command.depth, "With --lineage: at most N tasks behind each other (default: 20)")
      ->needs(artifact)
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
}

void add_record_commands(CLI::App& root, RecordCommands& commands) {
  add_runs(root, commands.runs);
  add_annotations(root, commands.label, commands.note);
  add_comparisons(root, commands.diff, commands.verify);
}

std::optional<Command> record_command(const CLI::App& root, const RecordCommands& commands) {
  if (root.got_subcommand("runs")) return commands.runs;
  if (root.got_subcommand("label")) return commands.label;
  if (root.got_subcommand("note")) return commands.note;
  if (root.got_subcommand("diff")) return commands.diff;
  if (root.got_subcommand("verify")) return commands.verify;
  return std::nullopt;
}

}  // namespace mlpipe::app
