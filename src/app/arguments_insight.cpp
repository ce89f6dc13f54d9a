#include "app/arguments_insight.hpp"

#include <CLI/CLI.hpp>

#include "app/arguments_record.hpp"

namespace mlpipe::app {

void add_insight(CLI::App& root, InsightCommands& commands) {
  CLI::App& app = *root.add_subcommand("why", "Say why a task ran, or why it did not");
  app.footer("Example:\n  mlpipe why latest train");
  app.add_option("run", commands.why.run, "Run id, unique prefix, or latest")->required()->type_name("RUN");
  app.add_option("task", commands.why.task, "The task")->required()->type_name("TASK");
  add_root(app, commands.why.root);
  add_json(app, commands.why.json);
}

std::optional<Command> insight_command(const CLI::App& root, const InsightCommands& commands) {
  if (root.got_subcommand("why")) return commands.why;
  return std::nullopt;
}

}  // namespace mlpipe::app
