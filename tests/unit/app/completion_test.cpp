#include "app/completion.hpp"

#include <gmock/gmock.h>

#include "app/arguments.hpp"

namespace mlpipe::app {
namespace {

using testing::HasSubstr;
using testing::Not;

CompletionCommand asked(const char* shell) {
  const char* words[] = {"mlpipe", "completion", shell};
  return std::get<CompletionCommand>(parse_arguments(3, words));
}

const CommandShape* shape(const CompletionCommand& command, const std::string& name) {
  for (const CommandShape& each : command.commands) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

TEST(Completion, TheParserTellsAllOfItsCommands) {
  const CompletionCommand command = asked("bash");
  const CommandShape* run = shape(command, "run");
  ASSERT_NE(run, nullptr);
  EXPECT_THAT(run->operands, testing::ElementsAre("PIPELINE"));
  const auto named = [&](const std::string& name) {
    return std::ranges::find_if(run->options, [&](const OptionShape& option) { return option.names.back() == name; });
  };
  const auto engine = named("--engine");
  ASSERT_NE(engine, run->options.end());
  EXPECT_EQ(engine->value, "docker|process");
  const auto quiet = named("--quiet");
  ASSERT_NE(quiet, run->options.end());
  EXPECT_EQ(quiet->value, "") << "a flag takes none";
  EXPECT_THAT(shape(command, "component run")->operands, testing::ElementsAre("COMPONENT"));
  EXPECT_EQ(shape(command, "failpoints"), nullptr) << "help does not list it either";
}

TEST(Completion, WhatEndsAQuoteIsQuoted) {
  const CommandShape show{
      .name = "show", .help = "Somebody's run", .options = {{{"-x"}, "", "it's \\ good"}}, .operands = {}};
  EXPECT_THAT(completion_script({.shell = Shell::zsh, .commands = {{}, show}}), HasSubstr("'-x:it'\\''s \\ good'"));
  EXPECT_THAT(completion_script({.shell = Shell::fish, .commands = {{}, show}}), HasSubstr("-d 'it\\'s \\\\ good'"));
}

TEST(Completion, AnOptionThatTakesAValueIsKnownForIt) {
  const CommandShape logs{.name = "logs",
                          .help = "",
                          .options = {{{"--root"}, "DIR", ""}, {{"--tail"}, "N", ""}, {{"-f"}, "", ""}},
                          .operands = {"RUN", "TASK"}};
  const std::string script = completion_script({.shell = Shell::bash, .commands = {{}, logs}});
  EXPECT_THAT(script, HasSubstr("'logs --root') echo 'folders' ;;"));
  EXPECT_THAT(script, HasSubstr("'logs --tail') echo 'nothing' ;;"));
  EXPECT_THAT(script, HasSubstr("'logs 1') echo 'runs' ;;"));
  EXPECT_THAT(script, HasSubstr("'logs 2') echo 'tasks' ;;"));
  EXPECT_THAT(script, Not(HasSubstr("'logs -f') echo")));
}

}  // namespace
}  // namespace mlpipe::app
