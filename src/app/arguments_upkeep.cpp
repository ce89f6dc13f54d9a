#include "app/arguments_upkeep.hpp"

#include <CLI/CLI.hpp>

#include "app/arguments_record.hpp"

namespace mlpipe::app {

void add_upkeep(CLI::App& root, UpkeepCommands& commands) {
  GcCommand& gc = commands.gc;
  CLI::App& app = *root.add_subcommand("gc", "Say what can be cleaned up; with --yes, remove old runs and leftovers");
  app.footer(
      "A run goes when all that is said of runs fits it; without any of that only leftovers go.\n\n"
      "Example:\n  mlpipe gc --older-than 30d --status failed\n  mlpipe gc --keep 10 --keep-labelled --yes");
  add_root(app, gc.root);
  app.add_option("--older-than", gc.older_than, "Runs begun before: 30d, 12h, 2026-11-01")->type_name("AGE");
  app.add_option("--keep", gc.keep, "All but the newest N runs of each pipeline")
      ->check(CLI::Range(0, 1000000000))
      ->type_name("N");
  app.add_option("--max-size", gc.max_size, "The oldest, until the root takes up less: 50Gi")->type_name("SIZE");
  app.add_option("--status", gc.status, "Runs that ended so; may be repeated")
      ->allow_extra_args(false)
      ->type_name("interrupted|succeeded|failed|cancelled");
  app.add_option("--pipeline", gc.pipeline, "Runs of this pipeline")->type_name("NAME");
  app.add_flag("--keep-labelled", gc.keep_labelled, "Never runs that have a label");
  app.add_flag("--images", gc.images, "Also images that mlpipe built and no run that stays has used");
  app.add_flag("--yes", gc.yes, "Really remove; without it nothing is changed");
  app.add_option_function<std::string>(
         "--engine",
         [&gc](const std::string& word) {
           gc.engine = word == "process" ? EngineChoice::process : EngineChoice::docker;
         },
         "Engine to look for containers and images in")
      ->check(CLI::IsMember({"docker", "process"}).description(""))
      ->type_name("docker|process");
  add_json(app, gc.json);
}

std::optional<Command> upkeep_command(const CLI::App& root, const UpkeepCommands& commands) {
  if (root.got_subcommand("gc")) return commands.gc;
  return std::nullopt;
}

}  // namespace mlpipe::app
